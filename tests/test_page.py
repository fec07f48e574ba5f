"""The listening page: its content, the escaping of any text, damaged songs, and playing in a real browser."""

import json
import math
import re
import shlex
import struct
import sys
import wave
from fractions import Fraction
from html.parser import HTMLParser
from itertools import pairwise

import mido
import pytest

import generate_song
from melody.errors import UserError
from melody.flags import ROOT
from melody.formats.write_midi import write_midi
from melody.listen import page as folder_page
from melody.listen.nearest import NearestSong
from melody.listen.page import song_command, write_folder_page
from melody.listen.page_html import PageSong, edges, page, performed, write_page
from melody.meter import bar_length
from melody.song import Song, onsets
from tests.browsing import until

pytest.importorskip("verovio")

HOSTILE = """</script><script>window.broken = 1</script><img src=x onerror="window.broken = 1">'"$title&amp;"""


def entry(pitch="D4 F#4 A4 D5", title="han 001", **more):
    pitch = pitch.split()
    song = Song("han/001", pitch, [1.0] * len(pitch), [0.0] * len(pitch), [False] * len(pitch), title=title)
    return PageSong(song, 120.0, **more)


def composed(meter, pickup, notes, phrases=(0,)):
    """A song of words such as `D4:1/2`, in quarter notes; `r:1` is a rest."""
    length, pickup, rest, rows = bar_length(meter), Fraction(pickup), Fraction(0), []
    time = -pickup
    for name, quarters in (word.split(":") for word in notes.split()):
        if name == "r":
            rest += Fraction(quarters)
        else:
            rows.append((name, float(Fraction(quarters)), float(rest), float(time % length) if length else 0.0))
            rest = Fraction(0)
        time += Fraction(quarters)
    pitch, duration, rests, beat = map(list, zip(*rows, strict=True))
    phrase, bar = [index in phrases for index in range(len(pitch))], [float(length)] * len(pitch)
    bars = {"meter": meter, "pickup": float(pickup), "beat": beat, "bar": bar, "rest_after": float(rest)}
    return Song("a", pitch, duration, rests, phrase, title="a", **bars)


WALTZ = composed("3/4", 1, "D4:1 G4:3/2 A4:1/2 B4:1 A4:2 r:1 B4:1/3 C5:1/3 B4:1/3 A4:2 G4:1 G4:2", (0, 5))
JIG = composed("6/8", "1/2", "D4:1/2 G4:1 A4:1/2 B4:3/2 r:1/2 A4:3/2 G4:1/2 E4:1 D4:1/2 G4:1 r:1/2")
FREE = composed("X", 0, "A4:2 G4:1/2 E4:1/2 r:1 D4:3")


class Elements(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def all(self, wanted):
        return [attributes for tag, attributes in self.found if tag == wanted]


def test_content_of_the_page():
    nearest = NearestSong("asia/china/han/han0123", "Xiao bai cai", 7)
    songs = [
        entry(files=["001.mid", "001.wav"], settings={"regions": ["han", "shanxi"], "seed": 3}, nearest=nearest),
        entry("C4", "han 002", nearest=None),
    ]
    seen = Elements(page("Songs of han", songs))
    words = (
        "Songs of han",
        "2 songs",
        "han 001",
        "4 notes, D4 to D5",
        "0:02",
        "Xiao bai cai",
        "han0123",
        "7 notes in a row",
        "han, shanxi",
        "seed",
    )
    assert [word for word in words if word not in seen.text] == []
    assert [link["href"] for link in seen.all("a")] == ["./001.mid", "./001.wav"]
    first, second = seen.all("article")
    assert first["data-wav"] == "./001.wav" and "data-wav" not in second
    bars = [bar for bar in seen.all("rect") if "data-midi" in bar]
    assert [(bar["x"], bar["data-midi"]) for bar in bars] == [
        ("0", "62"),
        ("1", "66"),
        ("2", "69"),
        ("3", "74"),
        ("0", "60"),
    ]
    assert {attributes.get("aria-label") for attributes in seen.all("button")} >= {"Play han 001", "Play han 002"}


@pytest.mark.parametrize(
    "song, facts, end, bars, beats",
    [
        (WALTZ, "3/4 with a pickup of 1/4, 11 notes, 2 phrases, D4 to C5", 13, [1, 4, 7, 10], range(1, 13)),
        (JIG, "6/8 with a pickup of 1/8, 9 notes, D4 to B4", 9, [0.5, 3.5, 6.5], [0.5, 2, 3.5, 5, 6.5, 8]),
        (FREE, "free meter, 4 notes, D4 to A4", 7, [], []),
    ],
    ids=["3/4", "6/8", "free"],
)
def test_time_signature_bar_lines_and_beats(song, facts, end, bars, beats):
    """A note of the jig crosses a bar line; a rest completes its last bar; its beats are dotted quarter notes."""
    seen = Elements(page("a", [PageSong(song, 60.0, plain=True)]))
    assert facts in seen.text and f"0:{end:02d}" in seen.text
    lines = {path["class"]: re.findall(r"M([\d.]+) 0v", path["d"]) for path in seen.all("path") if "class" in path}
    assert [list(map(float, lines.get(name, []))) for name in ("bar", "beat")] == [bars, list(beats)]
    assert seen.all("article")[0]["data-quarters"] == str(end)
    spans = [(float(note["x"]), float(note["data-quarters"])) for note in seen.all("rect") if "data-midi" in note]
    assert spans == [pytest.approx((begin, stop - begin), abs=1e-4) for begin, stop in onsets(song)]


@pytest.mark.parametrize("plain", [False, True])
def test_the_roll_has_the_times_of_the_midi_file(tmp_path, plain):
    """A longer phrase ending moves later notes and bar lines: the first phrase of the waltz ends with A4:2."""
    write_midi(tmp_path / "a.mid", WALTZ, 90, plain=plain)
    seconds, heard = 0.0, []
    for message in mido.MidiFile(tmp_path / "a.mid"):
        seconds += message.time
        heard += [seconds] * message.type.startswith("note")
    seen = Elements(page("a", [PageSong(WALTZ, 90.0, plain=plain)]))
    shown = []
    for note in (note for note in seen.all("rect") if "data-midi" in note):
        shown += [float(note["x"]), float(note["x"]) + float(note["data-quarters"])]
    assert [time * 60 / 90 for time in shown] == pytest.approx(heard, abs=1e-3)
    bars = next(path["d"] for path in seen.all("path") if path.get("class") == "bar")
    late = 0 if plain else 0.2
    assert list(map(float, re.findall(r"M([\d.]+)", bars))) == [1, 4, 7 + late, 10 + late]


def test_any_text_is_escaped():
    nearest = NearestSong(HOSTILE, HOSTILE, 1)
    hostile = entry(
        title=HOSTILE,
        files=[HOSTILE, "javascript:alert(1)"],
        settings={HOSTILE: [HOSTILE]},
        nearest=nearest,
        command=f"</textarea>{HOSTILE}",
    )
    plain = entry(files=["a", "b"], settings={"a": 1}, nearest=NearestSong("a", "b", 1), command="a")
    seen = Elements(page(HOSTILE, [hostile]))
    assert [tag for tag, _ in seen.found] == [tag for tag, _ in Elements(page("a", [plain])).found]
    assert not any(name.startswith("on") for _, attributes in seen.found for name in attributes)
    assert all(link["href"].startswith("./") for link in seen.all("a"))
    assert seen.text.count(HOSTILE) == 9  # head, title, song, nearest twice, setting twice, link, command


def test_the_page_works_offline_and_is_deterministic(tmp_path):
    songs = [entry(), entry("C4 B-4", "han 002"), entry("", "nothing"), entry(title="\udcff")]
    path = write_page(tmp_path, "Songs", songs)
    assert path == tmp_path / "index.html" and list(tmp_path.iterdir()) == [path]
    text = path.read_text(encoding="utf-8")
    assert set(re.findall(r"""https?://[^\s"'<]*""", text)) == {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert text == page("Songs", songs)
    assert "no notes" in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))


def test_a_page_without_songs():
    assert "0 songs" in page("None", [])


def record(number, **changes):
    made = {"title": f"china {number:03d}", "number": number, "regions": ["china"], "seed": 0, "tempo": 120}
    made |= {"instrument": 73, "notes": ["C4", "E4"], "durations": [1.0, 2.0], "rests": [0.0, 0.0], "phrases": [0]}
    return made | {"meter": "3/4", "pickup": 0.0, "rest_after": 0.0, "key": ""} | changes


def write_record(folder, number, **changes):
    (folder / f"{number:03d}.json").write_text(json.dumps(record(number, **changes)))


def test_the_command_composes_the_song_again(tmp_path, monkeypatch):
    """Its flags, parsed by generate_song.py, are the settings in the record and the files that the song has."""

    def arguments(*words):
        monkeypatch.setattr(sys, "argv", ["generate_song.py", *words])
        return generate_song.arguments()

    given = "--temperature 0.85 --guidance 0 --instrument violin --meter 3/4 6/8 --key f# --plain --seed 7 "
    given += "--min-length 9 --range C4 A5 --max-copy 12 --curate"
    made = arguments("--regions", "a b'*", "china", *given.split())
    command = song_command(
        record(6, **generate_song.settings_of(made)), tmp_path / "china+a-b", ["006.wav", "006.json"]
    )
    assert command.endswith(" --seed 7 --number 6")
    again = arguments(*shlex.split(command)[2:])
    assert vars(again) == vars(made) | {"number": 6, "out": tmp_path, "page": True, "wav": True}


def test_a_command_omits_settings_that_the_record_lacks():
    command = song_command(
        {"regions": [], "seed": 0, "meters": [], "asked_key": None, "plain": False}, ROOT / "songs" / "all", []
    )
    assert command == "python generate_song.py --out songs --page --regions --seed 0"


def test_songs_are_in_numeric_order(tmp_path):
    for number in (1000, 999, 2, 10):
        write_record(tmp_path, number)
    (tmp_path / "010.json").rename(tmp_path / "10.json")
    text = write_folder_page(tmp_path, tmp_path).read_text(encoding="utf-8")
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles == ["china 002", "china 010", "china 999", "china 1000"]


def test_one_page_of_several_folders_links_no_files(tmp_path, monkeypatch):
    for name in ("china", "deutschl"):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name, 1, title=f"{name} 001")
    flags = [str(tmp_path / "china"), str(tmp_path / "deutschl"), "--out", str(tmp_path / "all"), "--data", "none"]
    monkeypatch.setattr(sys, "argv", ["page", *flags, "--quiet"])
    folder_page.main()
    seen = Elements((tmp_path / "all/index.html").read_text(encoding="utf-8"))
    assert "Songs in the style of china, deutschl" in seen.text and seen.all("a") == []
    assert ["china 001" in seen.text, "deutschl 001" in seen.text] == [True, True]
    assert seen.text.count("python generate_song.py --out") == 2
    assert not (tmp_path / "china/index.html").exists()


def test_the_collection_is_in_the_data_folder_of_config(tmp_path, monkeypatch):
    """The collection of config.DATA is used; here it is damaged, which the error says."""
    write_record(tmp_path, 1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "songs.h5").write_bytes(b"no HDF5")
    monkeypatch.setattr("config.DATA", str(tmp_path / "mine"))
    monkeypatch.setattr(sys, "argv", ["page", str(tmp_path), "--quiet"])
    with pytest.raises(UserError, match=r"mine/songs\.h5"):
        folder_page.main()


DAMAGE = {
    "tempo 0": {"tempo": 0},
    "tempo NaN": {"tempo": math.nan},
    "tempo as text": {"tempo": "fast"},
    "regions as a number": {"regions": 7},
    "regions of numbers": {"regions": [1, None]},
    "50 accidentals": {"notes": ["C" + "#" * 50 + "4"]},
    "4,000 digits": {"notes": ["C" + "4" * 4000]},
    "notes as text": {"notes": "C4"},
    "a duration of 1e300": {"durations": [1e300, 1.0]},
    "a bar of 10,001 quarter notes": {"meter": "10001/4"},
    "title as a list": {"title": ["a"]},
}


@pytest.mark.parametrize("changes", DAMAGE.values(), ids=list(DAMAGE))
def test_a_damaged_record_is_an_error_of_one_line(tmp_path, changes):
    write_record(tmp_path, 1)
    write_record(tmp_path, 2, **changes)
    with pytest.raises(UserError, match=r"002\.json is damaged: ") as caught:
        write_folder_page(tmp_path, tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", '"a"', "[" * 100_000, '{"tempo": ' + "1" * 5000 + "}"])
def test_a_file_that_is_not_a_record_is_an_error_of_one_line(tmp_path, content):
    (tmp_path / "001.json").write_text(content)
    with pytest.raises(UserError, match=r"001\.json is damaged") as caught:
        write_folder_page(tmp_path, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_songs_names_the_command_that_fills_it(tmp_path):
    with pytest.raises(UserError, match=re.escape(f"python generate_song.py --out {tmp_path}")):
        write_folder_page(tmp_path / "china", tmp_path)


@pytest.fixture
def opened(browser, tmp_path):
    def opened(*songs, title="Songs"):
        path = write_page(tmp_path, title, songs)
        browser.get(path.as_uri())
        browser.get_log("browser")
        return browser

    return opened


def play(browser, number=0):
    browser.find_elements("css selector", ".play")[number].click()


def tone(path, seconds):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        samples = (int(9000 * math.sin(math.tau * 440 * n / 8000)) for n in range(int(8000 * seconds)))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))


LONG = " ".join(["D4 F#4 A4 D5"] * 10)  # 20 seconds at 120 a minute


@pytest.mark.slow
def test_piano_roll_and_score_follow_the_playback(opened):
    browser = opened(entry(LONG), entry(LONG, "han 002"))
    assert browser.execute_script("return sounding") is None
    play(browser)
    until(browser, "sounding && sounding.position > 1.2")
    browser.execute_script("window.ear = new AnalyserNode(context); sounding.sound.gain.connect(ear)")
    loud = "(ear.getFloatTimeDomainData(window.samples = new Float32Array(2048)), Math.max(...samples)) > .02"
    until(browser, loud)
    share = browser.execute_script("return parseFloat(sounding.head.style.left)")
    until(browser, f"parseFloat(sounding.head.style.left) > {share} + 3")
    assert browser.execute_script("return document.querySelectorAll('.roll .now, .score .note.now').length") == 2
    assert browser.execute_script(
        "const index = (selector) => [...document.querySelectorAll(selector)].findIndex(e => e.matches('.now'));"
        "return index('.roll rect') == index('.score .note')"
    )
    play(browser, 1)  # stops the first
    until(browser, "sounding && sounding.position > .2 && document.querySelectorAll('article.on').length == 1")
    play(browser, 1)
    assert browser.execute_script("return sounding") is None
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_a_wav_file_is_played(opened, tmp_path):
    tone(tmp_path / "a b.wav", 20)
    browser = opened(entry(LONG, files=["a b.wav"]))
    play(browser)
    until(browser, "sounding && sounding.position > .5")
    assert browser.execute_script("return sounding.sound.audio.currentTime > .5 && context === null")
    browser.execute_script("sounding.seek(10)")
    until(browser, "sounding && sounding.position > 10.3")
    assert browser.get_log("browser") == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith("file:") for name in loaded)


@pytest.mark.slow
def test_tones_replace_a_missing_wav_file(opened):
    browser = opened(entry(LONG, files=["gone.wav"]))
    play(browser)
    until(browser, "sounding && sounding.position > .5 && context !== null")


@pytest.mark.slow
def test_the_keyboard_reaches_every_control(opened):
    from selenium.webdriver.common.keys import Keys

    browser = opened(entry(LONG, files=["001.mid"], settings={"seed": 3}, command="a --seed 3"))
    reached = []
    for _ in range(7):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(browser.execute_script("return document.activeElement.tagName"))
    assert reached == ["BUTTON", "BUTTON", "INPUT", "SUMMARY", "A", "BUTTON", "BUTTON"]
    browser.execute_script("document.querySelector('.play').focus()")
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    until(browser, "sounding && sounding.position > .2")
    browser.switch_to.active_element.send_keys(Keys.SPACE)
    assert browser.execute_script("return sounding") is None
    browser.execute_script("document.querySelector('input').focus()")
    place = browser.execute_script("return players[0].position")
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert browser.execute_script("return players[0].position") > place
    browser.switch_to.active_element.send_keys(Keys.END)
    assert browser.execute_script("return players[0].clock.textContent") == "0:20"
    assert browser.get_log("browser") == []


@pytest.mark.slow
def test_play_all_plays_the_songs_in_turn_and_stops(opened):
    browser = opened(entry("D4", "one"), entry("", "no notes"), entry("E4", "three"))
    browser.find_element("id", "all").click()
    until(browser, "sounding === players[0]")
    until(browser, "sounding === players[2]")
    until(browser, "sounding === null && all.textContent == 'Play all'")
    assert browser.get_log("browser") == []


@pytest.mark.slow
@pytest.mark.parametrize("song", [WALTZ, JIG, FREE], ids=["3/4", "6/8", "free"])
def test_the_cursor_follows_durations_and_rests(opened, song):
    """In the middle of each note it is highlighted in roll and score, and in rests nothing is."""
    browser = opened(PageSong(song, 90.0))
    times = edges(performed(song))
    for index, (begin, stop) in enumerate(pairwise(times)):  # rests and notes in turn
        if begin == stop:
            continue
        moment = (begin + stop) / 2
        browser.execute_script("sounding = players[0]; sounding.show(arguments[0])", moment * 60 / 90)
        lit = "players[0].notes.map(note => [note.rect, ...note.noteheads].map(e => e.matches('.now')))"
        lit = browser.execute_script(f"return {lit}")
        assert [number for number, marks in enumerate(lit) if all(marks)] == [index // 2] * (index % 2)
        assert sum(any(marks) for marks in lit) == index % 2 and all(len(marks) > 1 for marks in lit)
        head = browser.execute_script("return parseFloat(players[0].head.style.left)")
        assert head == pytest.approx(100 * moment / times[-1], abs=0.01)


@pytest.mark.slow
def test_the_arrow_keys_lead_from_note_to_note(opened):
    from selenium.webdriver.common.keys import Keys

    browser = opened(PageSong(JIG, 60.0, plain=True))
    slider = browser.find_element("css selector", ".roll input")
    at = []
    for key in [Keys.ARROW_RIGHT] * 4 + [Keys.ARROW_LEFT] + [Keys.ARROW_RIGHT] * 9:
        slider.send_keys(key)
        at.append(browser.execute_script("return players[0].position"))
    assert at == pytest.approx([0.5, 1.5, 2, 4, 2, 4, 5.5, 6, 7, 7.5, 9, 9, 9, 9])


@pytest.mark.slow
def test_tied_notes_are_highlighted_together(opened):
    song = Song("a", ["D4", "E4", "F4"], [1.25, 1.0, 5.0], [0, 0, 0], [False] * 3)
    browser = opened(PageSong(song, 120.0))
    assert browser.execute_script("return players[0].notes.map(note => note.noteheads.length)") == [2, 1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("permission", ["granted", "denied"])
def test_commands_are_copied_or_selected(opened, permission):
    """Again gives the command of the song; shuffle gives another seed without a number, each time a new one."""
    browser = opened(entry(command="python generate_song.py --out 'a --seed b' --seed 7 --number 6"))
    setting = {"permission": {"name": "clipboard-write"}, "setting": permission}
    browser.execute_cdp_cmd("Browser.setPermission", setting)
    again, shuffle = browser.find_elements("css selector", ".compose button")
    field = browser.find_element("css selector", ".compose textarea")
    assert not field.is_displayed()
    again.click()
    until(browser, "document.querySelector('.compose p').textContent")
    assert field.is_displayed()
    offered = [field.get_property("value")]
    for _ in range(2):
        shuffle.click()
        offered.append(field.get_property("value"))
    assert offered[0].endswith("'a --seed b' --seed 7 --number 6")
    assert all(re.fullmatch(r"python generate_song\.py --out 'a --seed b' --seed \d+", one) for one in offered[1:])
    assert len(set(offered)) == 3
    status = browser.find_element("css selector", ".compose p").text
    if permission == "granted":
        assert status.startswith("Copied.")
    else:
        selected = "const f = document.activeElement; return f.value.slice(f.selectionStart, f.selectionEnd)"
        until(browser, "document.activeElement.tagName == 'TEXTAREA'")
        assert status.startswith("Copy it") and browser.execute_script(selected) == offered[-1]


@pytest.mark.slow
def test_hostile_text_runs_no_script(opened):
    browser = opened(entry(title=HOSTILE, settings={HOSTILE: HOSTILE}), title=HOSTILE)
    assert browser.execute_script("return window.broken") is None
    assert browser.find_element("tag name", "h1").text == HOSTILE
    assert browser.get_log("browser") == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_in_light_and_dark(opened, scheme):
    long, files = {"x" * 60: "y" * 90}, ["001.mid", "001.wav"]
    browser = opened(entry(LONG, "a-very-long-title-" * 9, files=files, settings=long, command="z" * 300 + " --seed 1"))
    browser.execute_script("document.querySelector('.compose button').click()")
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": True}
    )
    try:
        assert browser.execute_script("return document.documentElement.scrollWidth <= 320")
        paper, ink = browser.execute_script(
            "return [getComputedStyle(document.body).backgroundColor, "
            "getComputedStyle(document.querySelector('.score .notehead')).fill].map(c => c.match(/\\d+/g).map(Number))"
        )
        assert (sum(paper) > 600 and sum(ink) < 150) if scheme == "light" else (sum(paper) < 150 and sum(ink) > 600)
        small = "[...document.querySelectorAll('button')].every(b => Math.min(b.offsetWidth, b.offsetHeight) >= 40)"
        assert browser.execute_script(f"return {small}"), "touch targets need 40 pixels"
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
