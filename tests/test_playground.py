"""The playground without its models: settings, queue, files, and what the server refuses."""

import asyncio
import base64
import http.client
import json
import os
import socket
import threading
import time
from types import SimpleNamespace
from urllib.parse import quote

import pytest
import uvicorn

import serve
from melody.errors import UserError
from melody.formats.write_midi import write_midi
from melody.song import Song, song_record
from melody.vocabulary import Vocabulary
from playground import app as server
from playground import queue, reader, store
from playground.composing import StoredSong
from playground.reader import Reader
from playground.security import own_names
from playground.settings import LONGEST, RequestError, Settings, abc_tune
from playground.store import Store

TUNE = "X:1\nT:a\nM:3/4\nL:1/4\nK:G\nG A B | c B A | G3 |]\n"
NAMES = [f"{letter}{octave}" for octave in (4, 5) for letter in "CDEFGAB"]


def kept(number=3, title="china"):
    settings = {"regions": ["china"], "seed": 7, "tempo": 120.0, "instrument": 73, "plain": False}
    song = Song("", ["G4", "A4", "B4"], [1.0] * 3, [0.0] * 3, [True, False, False], title=f"{title} {number:03d}")
    return StoredSong(song_record(song, number, settings), settings)


# Settings


def test_settings_are_the_same_in_any_order():
    one, other = Settings.parse("seed=7&mix=china%3D1&key="), Settings.parse("mix=china=1&seed=7")
    assert one == other and one.id == other.id and Settings.parse(one.query()) == one
    assert one.of_song(2, 9).values == {"seed": "9", "mix": "china=1", "number": "2"}
    assert Settings.parse("").values == {}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("path=%2Fetc%2Fpasswd", "'path' is not a setting"),
        ("weights=elsewhere", "'weights' is not a setting"),
        ("seed=1&seed=2", "given twice"),
        ("seed", "not one of this page"),
        ("seed=" + "1" * LONGEST, "characters"),
        ("&".join(f"seed={n}" for n in range(500)), "not one of this page"),
    ],
)
def test_settings_that_are_not_of_the_page_are_refused(query, says):
    with pytest.raises(RequestError, match=says):
        Settings.parse(query)


def test_no_value_becomes_another_flag():
    """A value stands behind its own flag; in a list none may look like a flag."""
    assert Settings.parse("seed=--out&at=-1 0.5").words() == ["--seed=--out", "--at", "-1", "0.5"]
    with pytest.raises(RequestError) as refused:
        Settings.parse("meter=3/4 --out=x").words()
    assert refused.value.control == "meter"


def test_typed_notes_get_a_head_unless_they_have_one():
    assert abc_tune("G2 A2\n\nB4", "6/8", "f#") == "X:1\nM:6/8\nL:1/8\nK:F#m\nG2 A2\nB4\n"
    assert abc_tune(TUNE, "6/8", "f#") == TUNE
    assert "M:4/4\nL:1/8\nK:C\n" in abc_tune("G", "", "") and "M:none\n" in abc_tune("G", "free", "")
    assert Settings.parse("notes=G&meter=3/4&key=d&seed=1").words() == ["--seed=1"]


# Files


def test_uploads_have_names_of_the_server(tmp_path):
    files = Store(tmp_path)
    folder = files.add_own([(".abc", b"one"), (".mid", b"two")])
    assert files.add_own([(".abc", b"one"), (".mid", b"two")]) == folder
    assert sorted(path.name for path in folder.iterdir()) == ["001.abc", "002.mid"]
    assert files.own(folder.name) == folder
    for id in ("..", ".", "", "../own", f"{folder.name}/../{folder.name}", str(folder), "0" * 16):
        assert files.own(id) is None


def test_no_folder_grows_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MOST", {"own": 2, "tunes": 2, "composed": 2, "sound": 1})
    files = Store(tmp_path)
    for number in range(5):
        files.tune(f"X:{number}")
        files.composed(f"{number:016d}", "china", kept().record)
    assert [len(list((tmp_path / name).iterdir())) for name in ("tunes", "composed")] == [2, 2]
    for number in range(2):
        files.add_own([(".abc", str(number).encode())])
    with pytest.raises(UserError, match="there are 2 uploads already"):
        files.add_own([(".abc", b"third")])
    assert files.add_own([(".abc", b"0")]).exists(), "one that is there is no new one"


def test_kept_songs_are_numbered_as_they_are_kept(tmp_path, monkeypatch):
    files = Store(tmp_path)
    paths = [files.keep(*kept(number)) for number in (3, 3, 8)]
    assert [path.name for path in paths] == ["001.mid", "002.mid", "003.mid"]
    assert json.loads((tmp_path / "kept/003.json").read_text())["number"] == 8
    assert paths[0].with_suffix(".musicxml").exists() and paths[0].read_bytes() == paths[1].read_bytes()
    monkeypatch.setattr(store, "MOST_KEPT", 3)
    with pytest.raises(UserError, match="3 songs are kept already"):
        files.keep(*kept())


# Reading in a process of its own


@pytest.fixture(scope="module")
def reading():
    process = Reader(Vocabulary([*NAMES, "F#4", "F#5"]))
    yield process
    process.close()


def test_a_tune_gets_bar_lines(reading):
    """Typed without them; its meter says where they are."""
    assert reading.tune("abc", b"X:1\nM:3/4\nL:1/4\nK:G\nG A B c B A G2").splitlines()[-1] == "G2 A2 B2| c2 B2 A2| G4|]"
    assert reading.tune("abc", TUNE.encode()).splitlines()[-1] == "G2 A2 B2| c2 B2 A2| G6|]"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"G A B", "no tune with a key"),
        (TUNE.replace("G A B", "z3").replace("c B A | G3", "z3").encode(), "no notes"),
        ((TUNE + "\n" + TUNE.replace("X:1", "X:2")).encode(), "these are 2 tunes; give one"),
        (TUNE.replace("c B A", "_B,, B A").encode(), "does not know the note"),
        (TUNE.replace("c B A", " ".join(["c B A |"] * 200)).encode(), "notes; at most 300 can be continued"),
    ],
)
def test_a_tune_that_cannot_be_continued_is_said_why(reading, content, says):
    with pytest.raises(UserError, match=says):
        reading.tune("abc", content)


def test_songs_are_read_once(reading, tmp_path):
    for number in (2, 1):
        (tmp_path / f"{number:03d}.abc").write_text(TUNE)
    (tmp_path / "003.abc").write_text("nothing")
    files, said = [(path, tmp_path) for path in sorted(tmp_path.iterdir())], []
    songs = reading.read(files, reading.vocabulary, said.append)
    assert [song.name.rsplit("/")[-1] for song in songs] == ["001", "002"] and "003.abc" in said[0]
    before = reading.file.cache_info().hits
    reading.read(files[:2], reading.vocabulary, said.append)
    assert reading.file.cache_info().hits == before + 2
    with pytest.raises(UserError, match=r"003\.abc"):
        reading.read(files[2:], reading.vocabulary, said.append)


def test_too_many_notes_are_refused(reading, tmp_path, monkeypatch):
    (tmp_path / "a.abc").write_text("\n".join(f"X:{number}\nM:3/4\nK:G\nG6|]\n" for number in range(501)))
    with pytest.raises(UserError, match="it has 501 songs"):
        reading.read([(tmp_path / "a.abc", tmp_path)], reading.vocabulary, lambda message: None)


@pytest.mark.parametrize(
    ("harm", "says"), [((os._exit, 9), "it was stopped"), ((time.sleep, 60), "takes longer than 2 seconds")]
)
def test_a_process_that_dies_or_hangs_harms_nothing(reading, monkeypatch, harm, says):
    monkeypatch.setattr(reader, "PATIENCE", 60)
    reading.tune("abc", TUNE.encode())
    monkeypatch.setattr(reader, "PATIENCE", 2)
    with pytest.raises(UserError, match=says):
        reading._call(*harm)
    monkeypatch.setattr(reader, "PATIENCE", 60)
    assert reading.tune("abc", TUNE.encode())


# The queue


def test_one_is_composed_at_a_time_and_those_that_wait_are_counted():
    async def main():
        requests, together, most = queue.Queue(), [], []

        def work(emit, is_cancelled):
            together.append(1)
            most.append(len(together))
            threading.Event().wait(0.7)
            together.pop()
            emit({"id": 1})

        async def read(job):
            return [json.loads(one) async for one in job.lines()]

        found = await asyncio.gather(*(read(requests.add(work)) for _ in range(3)))
        requests.close()
        return found, most

    found, most = asyncio.run(main())
    assert most == [1, 1, 1]
    assert [events[-2:] for events in found] == [[{"id": 1}, {"done": True}]] * 3
    assert {"waiting": 2} in found[2] and {"waiting": 1} in found[2] and {"waiting": 2} not in found[1]


def test_a_full_queue_and_cancelled_requests(monkeypatch):
    """A cancelled request is no longer counted and never begins."""
    monkeypatch.setattr(queue, "MOST_WAITING", 2)

    async def main():
        requests, go, begun = queue.Queue(), threading.Event(), []

        def work(emit, is_cancelled):
            begun.append(is_cancelled())
            go.wait(10)

        jobs = [requests.add(work) for _ in range(3)]
        with pytest.raises(RequestError, match="2 requests are waiting"):
            requests.add(work)
        reading = asyncio.create_task(anext(jobs[1].lines()))
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        jobs.append(requests.add(work))
        go.set()
        for job in jobs[2:]:
            assert [json.loads(one) async for one in job.lines()][-1] == {"done": True}
        requests.close()
        return begun, jobs

    begun, jobs = asyncio.run(main())
    assert begun == [False] * 3 and jobs[1].is_cancelled and not jobs[3].queue.jobs


def test_an_error_ends_the_lines_with_its_control():
    async def main():
        def work(emit, is_cancelled):
            raise RequestError("no such key", "key")

        requests = queue.Queue()
        found = [json.loads(one) async for one in requests.add(work).lines()]
        requests.close()
        return found

    assert asyncio.run(main()) == [{"error": "no such key", "control": "key"}]


# The server


class FakeService:
    """Composes the number of the settings."""

    def __init__(self, folder, reading):
        self.args = SimpleNamespace(warm_up=False, sound=False, sound_font=None)
        self.store, self.reader, self.sources = Store(folder), reading, {"china": ["--regions", "china"]}
        self.songs = {"a" * 16: kept(title='a "b" </script>')}

    def compose(self, settings, emit, is_cancelled):
        emit({"songs": 1})


@pytest.fixture(scope="module")
def port(tmp_path_factory, reading):
    folder = tmp_path_factory.mktemp("playground")
    listener = serve.listen("127.0.0.1", 0)
    application = server.Playground(FakeService(folder, reading)).app("127.0.0.1")
    running = uvicorn.Server(uvicorn.Config(application, log_level="error"))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    running.should_exit = True
    thread.join()


def ask(port, method, path, body=None, **heads):
    """Status, headers and content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    heads = {name.replace("_", "-"): value for name, value in heads.items() if value is not None}
    connection.request(method, path, body, heads)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def uploads(*files):
    return json.dumps([{"name": name, "content": base64.b64encode(content).decode()} for name, content in files])


def test_every_answer_keeps_the_page_to_itself(port):
    """No script but those of the server, no frame, no other origin; also where there is nothing."""
    for path in ("/", "/player.js", "/page.css", "/nothing", f"/songs/{'a' * 16}.mid"):
        status, heads, _ = ask(port, "GET", path)
        assert status == (404 if path == "/nothing" else 200)
        policy = dict(part.strip().split(" ", 1) for part in heads["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'" and policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert heads["x-content-type-options"] == "nosniff" and heads["referrer-policy"] == "no-referrer"
        assert not any(name.lower().startswith("access-control") for name in heads)


def test_the_page_asks_nothing_of_other_servers(port):
    for path in ("/", "/player.js", "/page.css", "/playground.css", "/playground.js"):
        found = ask(port, "GET", path)[2].decode()
        assert found and "https://" not in found
        assert {part.split('"')[0] for part in found.split("http://")[1:]} <= {"www.w3.org/2000/svg"}
    assert "<script>" not in ask(port, "GET", "/")[2].decode()


@pytest.mark.parametrize(
    ("heads", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:PORT"}, 200),
        ({"Host": "[::1]:PORT"}, 200),
        ({"Host": "evil.example:PORT"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "http://127.0.0.1:PORT"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://127.0.0.1:PORT"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_host_and_origin_are_checked(port, heads, status):
    heads = {name: value.replace("PORT", str(port)) for name, value in heads.items()}
    assert ask(port, "POST", "/compose", "seed=1", **heads)[0] == status
    assert ask(port, "GET", "/choices" if status == 403 else "/", **heads)[0] == status


def test_a_link_from_another_page_opens_this_one(port):
    heads = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (
        ask(port, "GET", "/?seed=1", **heads)[0] == 200 and ask(port, "POST", "/compose", "seed=1", **heads)[0] == 403
    )


def test_other_machines_are_let_in_only_when_asked_for():
    assert not own_names("127.0.0.1")("192.168.0.7") and not own_names("::1")("pc.local")
    lan = own_names("0.0.0.0")
    assert lan("192.168.0.7") and lan("[fe80::1]") and not lan("evil.example")
    assert own_names("pc.local")("pc.local")


@pytest.mark.parametrize("path", ["/compose", "/own", "/notes", "/keep"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(port, path, chunked):
    part = b"x" * 2**20
    body = iter([part] * 9) if chunked else part * 9
    try:
        status = ask(port, "POST", path, body)[0]
    except (BrokenPipeError, ConnectionResetError):
        return  # refused before all was sent
    assert status == 413


def test_a_client_that_hangs_up_causes_no_error(port, caplog):
    for method in ("/compose", "/own", "/notes", "/keep"):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(f"POST {method} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nseed".encode())
    assert ask(port, "GET", "/")[0] == 200
    time.sleep(0.2)
    assert "Exception in ASGI application" not in caplog.text


def test_there_is_no_cors_preflight(port):
    status, heads, _ = ask(port, "OPTIONS", "/compose", Origin="http://evil.example")
    assert status == 403 and "access-control-allow-origin" not in heads


@pytest.mark.parametrize(
    "name",
    ["../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", f"{'a' * 16}.py", f"{'a' * 16}.wav", f"{'b' * 16}.mid", "%00"],
)
def test_no_path_of_a_request_is_opened(port, name):
    for path in ("/songs/", "/map/", "/"):
        status, _, content = ask(port, "GET", path + name)
        assert status in (400, 404) and b"root:" not in content


def test_downloads_are_the_files_of_generate_song(port, tmp_path):
    song = kept(title='a "b" </script>')
    with Store(tmp_path).files(*song) as midi:
        for suffix in server.SUFFIXES:
            status, heads, content = ask(port, "GET", f"/songs/{'a' * 16}{suffix}")
            assert (status, content) == (200, midi.with_suffix(suffix).read_bytes())
            name = quote(f'a-"b"-</script>-003{suffix}')
            assert heads["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
        status, _, content = ask(port, "GET", f"/songs/{'a' * 16}.zip")
        assert status == 200 and content[:2] == b"PK"
    assert list(tmp_path.iterdir()) == []


def test_an_upload_is_read_line_by_line(port):
    files = uploads(("mine.abc", TUNE.encode()), ("../../b.abc", b"no tune"))
    events = [json.loads(one) for one in ask(port, "POST", "/own", files)[2].splitlines()]
    assert [(event["read"], event["of"]) for event in events[:2]] == [(1, 2), (2, 2)]
    assert events[1]["left_out"] == ["../../b.abc: not an ABC file: no tune with a key (K:)"]
    assert (events[2]["songs"], events[2]["notes"]) == (1, 7)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not an upload"),
        ("[" * 100_000, "not an upload"),
        ('[{"name": "a.abc", "content": "%%%"}]', "not an upload"),
        ("[]", "0 files; give 1 to 50"),
        (uploads(*[("a.abc", b"")] * 51), "51 files; give 1 to 50"),
        (uploads(("a.exe", b"MZ")), "a.exe is of no format that is read"),
        (uploads(("a.h5.pkl", b"x")), "is of no format that is read"),
    ],
)
def test_uploads_that_are_refused(port, body, says):
    status, _, content = ask(port, "POST", "/own", body)
    assert status == 400 and says in json.loads(content)["error"] and json.loads(content)["control"] == "own"


def test_first_notes_from_a_file(port, tmp_path):
    song = Song("", ["G4", "A4", "B4"], [1.0] * 3, [0.0] * 3, [False] * 3, meter="3/4", key="G")
    write_midi(tmp_path / "a.mid", song, 120)
    tunes = {"a.abc": (TUNE.encode(), "G2 A2 B2| c2 B2 A2| G6|]\n")}
    tunes["b.mid"] = ((tmp_path / "a.mid").read_bytes(), "G2 A2 B2|]\n")
    for name, (content, notes) in tunes.items():
        status, _, answer = ask(port, "POST", "/notes", uploads((name, content)))
        assert status == 200 and json.loads(answer)["abc"].endswith(notes)
    status, _, content = ask(port, "POST", "/notes", uploads(("a.mid", b"MThd")))
    assert status == 400 and json.loads(content)["control"] == "notes"


def test_a_port_that_is_taken_is_one_line(port):
    with pytest.raises(UserError, match=f"127.0.0.1 port {port}: .*; choose another with --port"):
        serve.listen("127.0.0.1", port)
