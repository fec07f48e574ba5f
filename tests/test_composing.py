"""The playground with the shipped weights: its songs are those of generate_song.py."""

import argparse
import json
import re
import shlex
import sys
from urllib.parse import urlencode

import h5py
import numpy as np
import pytest

import generate_song
from melody.cli import run
from melody.flags import ROOT
from playground.choices import choices, latent_map
from playground.composing import Cancelled, SongService
from playground.settings import RequestError, Settings

TUNE = "D2 | G2 A2 B2 | c2 B2 A2 |"
SHORT = {"length": "16", "seed": "5", "count": "2"}  # two songs need no compiling


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("songs")
    flags = {"weights": ROOT / "weights", "data": folder / "data", "out": folder, "sound": False, "given": []}
    service = SongService(argparse.Namespace(**flags))
    yield service
    service.reader.close()


def compose(service, cancelled=lambda: False, **values):
    """The songs of a request, by number."""
    events = []
    service.compose(Settings(SHORT | values), events.append, cancelled)
    assert events[0] == {"songs": 2, "warnings": []}
    return {event["number"]: event for event in events[1:]}


def files(service, event):
    with service.store.files(*service.songs[event["id"]]) as midi:
        return {path.suffix: path.read_bytes() for path in midi.parent.iterdir()}


NOTES = {"notes": TUNE, "meter": "3/4", "key": "G", "keep": "1"}
REQUESTS = {
    "one region": {"mix": "deutschl=1", "meter": "3/4 6/8", "key": "d", "temperature": "1.1", "instrument": "violin"},
    "a point of the map": {"mix": "china=1", "at": "-1.5 0.25", "guidance": "1"},
    "a mix": {"mix": "china=0.7 deutschl=0.3"},
    "first notes": NOTES,
}


@pytest.mark.slow  # one song alone needs compiling
@pytest.mark.parametrize("values", REQUESTS.values(), ids=list(REQUESTS))
def test_the_command_gives_the_same_bytes(service, tmp_path, monkeypatch, values):
    """Each song alone, by its own command; and the link of the song alone, from a server that knows it no more."""
    event = compose(service, **values)[2]
    before = files(service, event)
    words = shlex.split(event["command"])
    assert words[:2] == ["python", "generate_song.py"]
    words[words.index("--out") + 1] = str(tmp_path)
    folders = ["--weights", str(ROOT / "weights"), "--data", str(service.args.data), "--quiet", "--score"]
    monkeypatch.setattr(sys, "argv", ["generate_song.py", *words[2:], *folders])
    generated(monkeypatch, service)
    (midi,) = tmp_path.glob("*/002.mid")
    assert {path.suffix: path.read_bytes() for path in midi.parent.glob("002.*")} == before
    service.songs.clear()
    again = []
    service.compose(Settings.parse(event["settings"]), again.append, lambda: False)
    assert again[1]["id"] == event["id"] and files(service, again[1]) == before


def generated(monkeypatch, service):
    """Run generate_song.py with the models that are loaded."""
    load = generate_song.load_composer
    monkeypatch.setattr(generate_song, "init_keras", lambda args: None)
    monkeypatch.setattr(generate_song, "load_composer", lambda args: load(args, service.models))
    run(generate_song.main)
    monkeypatch.setattr(generate_song, "load_composer", load)


@pytest.mark.slow
def test_a_varied_song_has_the_memory_of_the_first(service):
    """Its link holds the settings of the first, so it is composed from the link alone."""
    first = compose(service, mix="china=1")[1]
    varied = compose(service, vary=first["settings"], seed="6")[1]
    stepped = compose(service, vary=varied["settings"].replace("seed=6", "seed=06"), distance="1", seed="6")[1]
    latents = [np.array(service.songs[event["id"]].record["latent"]) for event in (first, varied, stepped)]
    assert np.abs(latents[0] - latents[1]).max() == 0 and np.linalg.norm(latents[1] - latents[2]) == pytest.approx(1)
    assert files(service, first)[".mid"] != files(service, varied)[".mid"]
    before = files(service, stepped)
    service.songs.clear()
    again = []
    service.compose(Settings.parse(stepped["settings"]), again.append, lambda: False)
    assert files(service, again[1]) == before


@pytest.mark.slow
def test_songs_of_the_user_alone_and_in_a_mix(service):
    tunes = [f"X:1\nM:3/4\nL:1/4\nK:G\n{notes}|]\n".encode() for notes in ("GAB|cBA|G3", "BAG|ABc|B3", "ddd|cBA|G3")]
    own = service.store.add_own([(".abc", tune) for tune in tunes]).name
    alone = compose(service, own=own, mix="own=1")[1]
    mixed = compose(service, own=own, mix="china=0.5 own=0.5")[1]
    assert "read" in service.songs[alone["id"]].record and not alone["varies"]
    assert [set(part) for part in service.songs[mixed["id"]].record["mixed"]] == [{"latent"}, {"read"}]


@pytest.mark.parametrize(
    ("values", "control", "says"),
    [
        ({"key": "H"}, "key", "not a key"),
        ({"temperature": "hot"}, "temperature", "not a number"),
        ({"seed": "-1"}, "seed", "whole number"),
        ({"count": "33"}, "count", "at most 32 here"),
        ({"length": "501"}, "length", "at most 500 here"),
        ({"meter": "5/4 11/8"}, "meter", "too few to compose in it"),
        ({"mix": "nowhere=1"}, "mix", "not ready to compose from"),
        ({"mix": "../weights=1 china=1"}, "mix", "not ready to compose from"),
        ({"mix": "china=0.5 deutschl=x"}, "mix", "not a name and a weight"),
        ({"mix": "own=1", "own": "../../weights"}, "own", "not on this machine any more"),
        ({"at": "1 9"}, "at", "not a number from -6 to 6"),
        ({"at": "1 1", "mix": "china=1 deutschl=1"}, "at", "one VAE"),
        ({"notes": "z4 z4"}, "notes", "no notes"),
        ({"notes": "G5/7 A", "meter": "3/4"}, "notes", "cannot be continued"),
        ({"vary": "mix=china%3D1"}, "vary", "seed and number"),
        ({"range": "C4 B9x"}, "range", "note name"),
        ({"instrument": "flutte"}, "instrument", "flute"),
    ],
)
def test_what_is_wrong_is_said_with_its_control(service, values, control, says):
    with pytest.raises(RequestError) as refused:
        compose(service, **values)
    assert refused.value.control == control and says in str(refused.value) and "\n" not in str(refused.value)


def test_songs_are_not_varied_without_end(service):
    query = "seed=1&number=1"
    for _ in range(6):
        query = urlencode({"vary": query, "seed": "1", "number": "1"})
    with pytest.raises(RequestError, match="4 times in a row"):
        service.compose(Settings.parse(query), lambda event: None, lambda: False)


def test_a_cancelled_request_ends_at_the_next_song(service):
    asked = []
    with pytest.raises(Cancelled):
        compose(service, lambda: len(asked) > 2 or asked.append(1), key="c", **{"min-length": "16"})
    assert len(asked) == 3


def test_no_more_songs_are_remembered_than_are_needed(service, monkeypatch):
    monkeypatch.setattr("playground.composing.REMEMBERED", 3)
    found = [compose(service, seed=str(seed))[2] for seed in range(3)]
    assert len(service.songs) == 3 and found[2]["id"] in service.songs and found[0]["id"] not in service.songs


def test_copies_are_warned_of(service, monkeypatch):
    monkeypatch.setattr(type(service.copied), "longest", lambda index, song: 13)
    event = compose(service)[1]
    assert "Perhaps a copy: 13 notes in a row" in event["html"]


def test_what_can_be_chosen_and_the_map_without_memories(service):
    found = choices(service)
    assert found["regions"][0] == "china" and found["regions"][-1] == "all" and "han" in found["regions"]
    assert {"3/4", "6/8", "free"} <= set(found["meters"])
    json.dumps(found)
    shown = latent_map(service, "china")
    points = np.array(shown["points"])
    assert not shown["real"] and points.shape == (500, 2)
    assert np.abs(points.mean(axis=0)).max() < 0.2 and points.std(axis=0) == pytest.approx(1, abs=0.2)


def test_songs_go_nowhere_else(service):
    """All that is written lies in the folder of the playground, under names of the server."""
    compose(service, vary=compose(service, **NOTES)[1]["settings"])
    paths = [path.relative_to(service.args.out).as_posix() for path in service.args.out.rglob("*") if path.is_file()]
    names = r"playground/(own/ID/\d{3}\.abc|tunes/ID/tune\.abc|composed/ID/[\w-]+/\d{3}\.json)"
    assert len(paths) > 1 and all(re.fullmatch(names.replace("ID", "[0-9a-f]{16}"), path) for path in paths), paths


def test_the_map_of_real_memories_names_the_songs_that_they_end_with(service):
    vae, _ = service.models.vae("china", "")
    memories = vae.decode(vae.sample(9, np.random.default_rng(1)))
    path = service.args.data / "memories/china.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["memory"], file["song"] = memories, np.arange(27).reshape(9, 3) % 4
        file["name"] = np.array(["a", "b", "c", "d"], h5py.string_dtype())
        file.attrs["settings"] = json.dumps({"network": service.models.trained.fingerprint})
    shown = latent_map(service, "china")
    assert shown["real"] and shown["songs"] == list("cbadcbadc")
    np.testing.assert_allclose(shown["points"], vae.plane().points(vae.encode(memories)), atol=0.01)
    path.unlink()
