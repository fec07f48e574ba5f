"""All stages in sequence at toy size, on synthetic songs, each called like the command."""

import hashlib
import importlib
import json
import re
import shutil
import sys
from dataclasses import replace
from types import SimpleNamespace

import h5py
import mido
import numpy as np
import pytest

from melody import copies
from melody.cli import run
from melody.errors import UserError
from melody.formats.corpus import read_songs
from melody.formats.write_kern import write_kern
from melody.provenance import file_fingerprint
from melody.reach import Reach
from melody.song import song_from_record
from tests.synthetic import REGIONS, tunes

SMALL = (
    "--embedding 4 --units 6 --layers 2 --dense 5 --epochs 2 --batch 4 --bptt-length 8 --windows-per-stream 2 "
    "--warmup-steps 2"
)
TINY_VAE = "--latent 2 --hidden 8 --epochs 2 --batch 16 --length 20".split()


def stage(module, *flags):
    """Run a script with these flags; returns its exit status."""
    before = sys.argv
    sys.argv = [module, *map(str, flags)]
    try:
        run(importlib.import_module(module).main)
    except SystemExit as end:
        return end.code
    finally:
        sys.argv = before
    return 0


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders with the outputs of all stages for China."""
    root = tmp_path_factory.mktemp("pipeline")
    folders = SimpleNamespace(essen=root / "essen", data=root / "data", weights=root / "weights", songs=root / "songs")
    for song in tunes(10):
        write_kern(folders.essen / f"{song.name}.krn", song)
    (folders.essen / "broken.krn").write_bytes(b"\0\1\2")
    folders.flags = ("--data", folders.data, "--weights", folders.weights, "--quiet")
    assert stage("preprocess", "--songs", folders.essen, "--data", folders.data, "--jobs", 1) == 0
    assert stage("train_lstm", *folders.flags, *SMALL.split()) == 0
    assert stage("generate_memories", *folders.flags, "--regions", "china", "--count", 60, "--memory-notes", 20) == 0
    assert stage("vae.train", *folders.flags, "--regions", "china", *TINY_VAE) == 0
    assert stage("vae.sample", *folders.flags, "--regions", "china", "--count", 7) == 0
    return folders


def compose(folders, *flags, out=None):
    return stage("generate_song", "--weights", folders.weights, "--out", out or folders.songs, "--quiet", *flags)


def digests(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_every_stage_writes_its_files(folders):
    root = folders.data.parent
    written = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    written = {path for path in written if not path.startswith(("essen", "songs"))}
    ends = (".weights.h5", ".json", "-history.csv", "-history.png", "-history.svg", "-checkpoint.weights.h5")
    networks = {f"weights/{name}{end}" for name in ("lstm", "vae-china") for end in ends} | {"weights/lstm-copies.h5"}
    data = "songs.h5 vocabulary.json split.json skipped.csv memories/china.h5 memories/china-sampled.h5".split()
    assert written == networks | {f"data/{name}" for name in data}
    assert (folders.data / "skipped.csv").read_text().count("\n") == 2, "a header and the broken file"


def test_memories_are_states_of_the_network_after_songs_of_the_region(folders):
    with h5py.File(folders.data / "memories" / "china.h5") as file:
        assert file["memory"].shape == (60, 2 * 2 * 6) and file["song"].shape == (60, 3)
        names = file["name"].asstr()[:]
        assert all(name.startswith("asia/china/") for name in names)
        assert set(names) <= set(json.loads((folders.data / "split.json").read_text())["training"])
        assert np.abs(file["memory"][:, :6]).max() <= 1, "h is between -1 and 1"
        assert len(file["description"]) == len(names)
    with h5py.File(folders.data / "memories" / "china-sampled.h5") as file:
        assert file["memory"].shape == (7, 24) and file["latent"].shape == (7, 2)


def test_the_songs_that_were_read_are_known_as_copies(folders):
    """Whole songs of training by the index of the network, Chinese ones by that of the memories."""
    network = json.loads((folders.weights / "lstm.json").read_text())
    of_network = copies.load(folders.weights / "lstm-copies.h5", "train", {"split": network["settings"]["split"]})
    of_memories = copies.load(folders.data / "memories/china.h5", "make", {"network": network["weights"]})
    training = json.loads((folders.data / "split.json").read_text())["training"]
    for song in tunes(10):
        if song.name in training:
            assert of_network.longest(song) == len(song.pitch)
            assert (of_memories.longest(song) == len(song.pitch)) == song.name.startswith("asia"), song.name
    with pytest.raises(UserError, match=r"its network is .*, not 0123\); make it again with: make$"):
        copies.load(folders.data / "memories/china.h5", "make", {"network": "0123"})


def test_the_index_of_copies_is_made_for_weights_without_one(folders, tmp_path, capsys):
    before = (folders.weights / "lstm-copies.h5").read_bytes()
    shutil.copy(folders.weights / "lstm.json", tmp_path)
    flags = ("--data", folders.data, "--weights", tmp_path)
    assert stage("melody.copies", *flags) == 0
    assert (tmp_path / "lstm-copies.h5").read_bytes() == before
    assert stage("melody.copies", *flags) == 0
    assert "nothing to do" in capsys.readouterr().out
    record = json.loads((tmp_path / "lstm.json").read_text())
    record["settings"]["split"] = "0123"
    (tmp_path / "lstm.json").write_text(json.dumps(record))
    assert stage("melody.copies", *flags) == 2
    assert "lstm-copies.h5 was made with split" in capsys.readouterr().err
    assert stage("melody.copies", *flags, "--overwrite") == 2
    assert "has other songs than those that the network was trained on; read the" in capsys.readouterr().err


def test_songs_are_midi_files_with_their_settings(folders, tmp_path):
    """Songs that --length cuts end with a full bar, as those of training do."""
    flags = "--regions china --count 3 --length 5 --meter 3/4 --plain --tempo 90".split()
    assert compose(folders, *flags, out=tmp_path) == 0
    for number in (1, 2, 3):
        record = json.loads((tmp_path / "china" / f"00{number}.json").read_text())
        track = mido.MidiFile(tmp_path / "china" / f"00{number}.mid").tracks[0]
        assert 1 <= len(record["notes"]) <= 5 and len(record["latent"]) == 2
        assert (record["meter"], record["meters"], record["pickup"], record["rest_after"]) == ("3/4", ["3/4"], 1, 0)
        assert sum(record["durations"] + record["rests"]) % 3 == 0
        (song,) = read_songs(tmp_path / "china" / f"00{number}.mid", tmp_path)
        assert (song.duration, song.rest_before, song.meter) == (record["durations"], record["rests"], "3/4")
        assert sum(message.type == "note_on" and message.velocity > 0 for message in track) == len(record["notes"])
        markers = [message.text for message in track if message.type == "marker"]
        assert any("china" in text and '"seed": 0' in text for text in markers)


def test_scores_and_a_page_are_written_beside_the_songs(folders, tmp_path):
    flags = ("--regions", "china", "--count", 2, "--key", "g", "--score", "--page", "--data", folders.data)
    assert compose(folders, *flags, out=tmp_path) == 0
    ends = (".abc", ".json", ".krn", ".mid", ".musicxml", ".svg")
    files = {"index.html", *(f"00{k}{end}" for k in (1, 2) for end in ends)}
    assert {path.name for path in (tmp_path / "china").iterdir()} == files
    record, page = json.loads((tmp_path / "china/001.json").read_text()), (tmp_path / "china/index.html").read_text()
    assert record["key"] in ("g", "G") and "--key g" in page
    made = song_from_record(record)
    for end in (".krn", ".abc", ".musicxml"):
        (song,) = read_songs(tmp_path / f"china/001{end}", tmp_path)
        assert (song.pitch, song.duration, song.rest_before) == (made.pitch, made.duration, made.rest_before)
        assert (list(song.beat), list(song.bar)) == (made.beat, made.bar)
    assert "china 002" in page and any(region in page for region in REGIONS)


@pytest.mark.slow
def test_memories_and_vae_are_reproducible(folders, tmp_path):
    again = ("--data", tmp_path / "data", "--weights", tmp_path / "weights", "--quiet", "--regions", "china")
    for path in ("data/songs.h5", "data/vocabulary.json", "weights/lstm.weights.h5", "weights/lstm.json"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((folders.data.parent / path).read_bytes())
    assert stage("generate_memories", *again, "--count", 60, "--memory-notes", 20) == 0
    assert stage("vae.train", *again, *TINY_VAE) == 0
    with h5py.File(tmp_path / "data/memories/china.h5") as one, h5py.File(folders.data / "memories/china.h5") as other:
        np.testing.assert_array_equal(one["memory"][:], other["memory"][:])
    record = json.loads((tmp_path / "weights/vae-china.json").read_text())
    assert record["history"] == json.loads((folders.weights / "vae-china.json").read_text())["history"]


@pytest.mark.slow
def test_numbers_continue_and_overwrite_starts_at_one(folders, tmp_path):
    """The files of a song depend on its seed and number only."""
    flags = "--regions china --length 40".split()
    for out, count in (("twice", 2), ("twice", 2), ("once", 4)):
        assert compose(folders, *flags, "--count", count, out=tmp_path / out) == 0
    songs = digests(tmp_path / "once")
    assert digests(tmp_path / "twice") == songs
    assert sorted(songs) == [f"00{number}.{end}" for number in (1, 2, 3, 4) for end in ("json", "mid")]
    assert compose(folders, *flags, "--count", 2, "--overwrite", "--seed", 9, out=tmp_path / "once") == 0
    other = digests(tmp_path / "once")
    assert {name[:3] for name in songs if songs[name] != other[name]} == {"001", "002"}
    assert json.loads((tmp_path / "once/china/001.json").read_text())["seed"] == 9


@pytest.mark.slow
def test_a_song_composed_by_its_number_is_that_of_a_longer_run(folders, tmp_path):
    """Also when songs in the other mode are composed again."""
    flags = "--regions china --key d --length 40".split()
    assert compose(folders, *flags, "--count", 3, out=tmp_path / "all") == 0
    assert compose(folders, *flags, "--number", 3, out=tmp_path / "one") == 0
    every, one = digests(tmp_path / "all"), digests(tmp_path / "one")
    assert set(one) == {"003.mid", "003.json"} and one.items() <= every.items()


def test_list_prints_the_regions(folders, capsys):
    assert stage("generate_memories", "--data", folders.data, "--list") == 0
    lines = [line.split(maxsplit=3) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["region", "songs", "language", "place"]
    assert ["han", "30", "Chinese", "China, many provinces (Han people)"] in lines
    assert ["deutschl", "30", "German", "Germany"] in lines
    assert lines[lines.index(["songs", "meter"]) :][1:4] == [["20", "2/4"], ["20", "3/4"], ["20", "X"]]
    assert lines[lines.index(["songs", "genre"]) :][1:3] == [[], ["songs", "area"]], "no song states its genre"


def test_list_counts_the_songs_of_constraints(folders, capsys):
    """The fields that are asked for are those of these songs: of `han` 10 in each meter."""
    flags = "--list meter key --regions han&meter=?/4 key=minor|meter=X".replace("|", "&").split()
    assert stage("generate_memories", "--data", folders.data, *flags) == 2
    assert "region 'key=minor&meter=X'; similar" in capsys.readouterr().err
    assert stage("generate_memories", "--data", folders.data, *flags[:-1], "europa&meter=x") == 0
    values = "songs meter 10 2/4 10 3/4 10 X songs key 30 C 30 major"
    counts = "han&meter=?/4: 20 songs europa&meter=x: 10 songs"
    assert capsys.readouterr().out.split() == f"{values} {counts}".split()
    assert stage("generate_memories", "--data", folders.data, "--list", "name") == 2
    assert "argument --list: invalid choice: 'name'" in capsys.readouterr().err


@pytest.mark.slow
def test_a_region_of_the_catalogue(folders, tmp_path, capsys):
    """Each stage finds the files of the stage before by the same constraints, in any order and case."""
    shutil.copytree(folders.weights, tmp_path / "weights")
    flags = ("--data", tmp_path, "--weights", tmp_path / "weights", "--regions")
    for path in ("songs.h5", "vocabulary.json"):
        shutil.copy(folders.data / path, tmp_path)
    region, same = "han&meter=3/4", "Meter=3/4 & han"
    assert stage("vae.train", *flags, region) == 2
    assert capsys.readouterr().err.endswith(f" --weights {tmp_path / 'weights'} --regions 'han&meter=3/4'\n")
    assert stage("generate_memories", *flags, region, "--count", 20, "--memory-notes", 20) == 0
    said = capsys.readouterr().out
    assert "han&meter=3/4: 10 songs" in said
    assert stage("vae.train", *flags, same, *TINY_VAE) == 0
    assert stage("vae.sample", *flags, region, "--count", 2) == 0
    out = ("--out", tmp_path / "songs", "--count", 1, "--length", 10, "--page")
    assert stage("generate_song", *flags, same, *out) == 0
    (memories,) = (tmp_path / "memories").glob("meter-3-4-han-??????.h5")
    with h5py.File(memories) as file:
        assert {name.rpartition("/")[0] for name in file["name"].asstr()} == {"asia/china/han"}
        assert 1 <= len(file["name"]) <= 10
    (song,) = (tmp_path / "songs").glob("*/001.json")
    assert song.parent.name == memories.stem and json.loads(song.read_text())["regions"] == [same]
    assert "--regions &#x27;Meter=3/4 &amp; han&#x27;" in (song.parent / "index.html").read_text()


def stored_memories(path):
    with h5py.File(path) as file:
        return file["memory"][:]


@pytest.mark.slow
def test_songs_of_ones_own(folders, tmp_path, capsys):
    """They need no data. A song in a low octave is transposed, and one of too wide a range is left out."""
    own = tunes(4)[:9]
    low = [f"{name[:-1]}{int(name[-1]) - 3}" for name in own[0].pitch]
    wide = ["C1", "C7", *own[1].pitch[2:]]
    for song, pitch in zip(own, [low, wide, *(song.pitch for song in own[2:])], strict=True):
        write_kern(tmp_path / f"tunes/{song.name}.krn", replace(song, pitch=pitch))
    shutil.copytree(folders.weights, tmp_path / "weights")
    flags = ("--data", tmp_path / "data", "--weights", tmp_path / "weights", "--name", "irish")
    small = ("--count", 60, "--memory-notes", 20)
    assert stage("generate_memories", *flags, "--songs", tmp_path / "tunes", *small) == 0
    said = capsys.readouterr().out
    assert re.search(r"transposed to known notes: 1 \(by \d\d semitones at most\)", said)
    assert "8 songs of irish" in said
    assert f"left out: {own[1].name}: in no key" in said and "too few for a style" in said
    path, songs = tmp_path / "data/memories/irish.h5", ("--songs", tmp_path / "tunes", *small)
    fitted = stored_memories(path)
    assert stage("generate_memories", *flags, *songs, "--fit-steps", 0, "--overwrite") == 0
    offset = fitted - stored_memories(path)
    assert np.abs(offset).max() > 0.1 and np.ptp(offset, axis=0).max() < 1e-5, "all are moved by the same offset"
    assert stage("generate_memories", *flags, *songs, "--overwrite") == 0
    np.testing.assert_array_equal(stored_memories(path), fitted)
    capsys.readouterr()
    assert stage("generate_memories", *flags, "--songs", tmp_path / "tunes", *small) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert stage("vae.train", *flags, *TINY_VAE) == 0
    reached = Reach.parse(json.loads((tmp_path / "weights/vae-irish.json").read_text())["reach"]).text("irish", True)
    assert reached in capsys.readouterr().out
    assert stage("generate_song", *flags, "--out", tmp_path / "songs", "--count", 1, "--page", "--length", 20) == 0
    assert reached in capsys.readouterr().out
    record = json.loads((tmp_path / "songs/irish/001.json").read_text())
    assert record["name"] == "irish" and "regions" not in record
    assert "--page --name irish" in (tmp_path / "songs/irish/index.html").read_text()


@pytest.mark.slow
def test_memories_of_given_songs_mixed_and_varied(folders, tmp_path, capsys):
    """Each song is made again by the command on its page, and by its number."""
    tune, small = folders.essen / f"{tunes(10)[0].name}.krn", ("--count", 2, "--length", 20)
    for flags, title in (
        (("--like", tune), f"like-{tune.stem}"),
        (("--mix", "china=0.5", f"{tune}=0.5"), f"mix-china-{tune.stem}"),
        (("--regions", "china", "--continue", tune, "--keep"), f"china-continue-{tune.stem}"),
        (("--regions", "china", "--continue", tune), f"china-continue-{tune.stem}"),
    ):
        capsys.readouterr()
        out = tmp_path / "-".join(map(str, flags))[-40:].replace("/", "-")
        songs = ("generate_song", "--weights", folders.weights, "--out", out, "--data", tmp_path)
        assert stage(*songs, *flags, *small, "--page") == 0
        assert ("fewer than 5 songs say little" in capsys.readouterr().out) == ("--continue" not in flags)
        made = digests(out / title)
        assert stage(*songs, *flags, "--length", 20, "--number", 2, "--overwrite") == 0
        assert digests(out / title) == made
        if "--continue" in flags:
            (given,) = read_songs(tune, folders.essen)
            notes = json.loads((out / title / "002.json").read_text())["notes"]
            assert (notes[: len(given.pitch)] == given.pitch) == ("--keep" in flags)


@pytest.mark.slow
def test_a_song_is_varied(folders, tmp_path, capsys):
    flags = ("--data", tmp_path, "--count", 1, "--length", 20)
    assert compose(folders, "--regions", "china", *flags, out=tmp_path) == 0
    song = tmp_path / "china/001.json"
    assert compose(folders, "--vary", song, *flags, out=tmp_path) == 0
    record, varied = (json.loads(path.read_text()) for path in (song, tmp_path / "vary-china-001/001.json"))
    assert varied["latent"] == pytest.approx(record["latent"], rel=1e-5)
    song.write_text(json.dumps(record | {"vae": "another"}))
    assert compose(folders, "--vary", song, *flags, out=tmp_path) == 2
    assert "was composed from VAE another, not from" in capsys.readouterr().err
    song.write_text(json.dumps({name: value for name, value in record.items() if name != "latent"}))
    assert compose(folders, "--vary", song, *flags, out=tmp_path) == 2
    assert "was not composed from one memory of a VAE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--songs tunes", "--songs and --name go together"),
        ("--name irish", "--songs and --name go together"),
        ("--songs tunes --name Han", "'Han' is not a name of letters, digits, - and _ that is no region"),
        ("--songs tunes --name ../a", "'../a' is not a name of letters"),
        ("--songs tunes --regions han", "--songs and --name go together"),
        ("--songs nowhere --name irish", "nowhere"),
    ],
)
def test_names_of_songs_of_ones_own(folders, capsys, flags, message):
    assert stage("generate_memories", *folders.flags, *flags.split()) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.slow
def test_all_stages_with_pitches_alone(folders, tmp_path, capsys):
    """Songs of the network without rhythm are quarter notes; it composes in no meter, and says so."""
    own, china = ("--data", tmp_path, "--weights", tmp_path, "--quiet"), ("--regions", "china")
    assert stage("preprocess", "--songs", folders.essen, "--data", tmp_path, "--jobs", 1, "--quiet") == 0
    assert stage("train_lstm", *own, *SMALL.split(), "--pitch-only") == 0
    assert stage("generate_memories", *own, *china, "--count", 60, "--memory-notes", 20) == 0
    assert stage("vae.train", *own, *china, *TINY_VAE) == 0
    song = ("generate_song", "--weights", tmp_path, "--out", tmp_path / "songs", *china, "--quiet", "--count", 2)
    assert stage(*song) == 0
    record = json.loads((tmp_path / "songs/china/001.json").read_text())
    assert set(record["durations"]) == {1.0} and not any(record["rests"]) and record["meter"] == ""
    assert stage(*song, "--meter", "3/4") == 2
    assert "this network knows pitches alone, so it composes in no meter; leave out --meter" in capsys.readouterr().err


def test_a_second_run_has_nothing_to_do(folders):
    before = digests(folders.data)
    assert stage("preprocess", "--songs", folders.essen, "--data", folders.data, "--jobs", 1) == 0
    assert stage("generate_memories", *folders.flags, "--regions", "china", "--count", 60, "--memory-notes", 20) == 0
    assert digests(folders.data) == before


@pytest.mark.parametrize(
    ("module", "flags", "message"),
    [
        (
            "generate_song",
            "--regions italia",
            "with: python generate_memories.py --weights {weights} --regions italia && ",
        ),
        (
            "generate_song",
            "--regions italia",
            "python -m vae.train --weights {weights} --regions italia (ready: china)",
        ),
        ("generate_song", "--regions china --meter 7/8", "the network read 0 songs in 7/8, too few to compose in it"),
        ("generate_memories", "--regions chna", "similar: china (30)"),
        ("generate_memories", "--regions genre=*Liebe*", "no song states its genre; docs/formats.md says"),
        ("generate_memories", "--regions meter=9/8", "all: python generate_memories.py --data {data}"),
        ("generate_song", "--regions genre= china", "'genre=' is not a region"),
        ("generate_song", "--mix genre=*Liebe*=1", "-m vae.train --weights {weights} --regions 'genre=*Liebe*' (ready"),
        ("generate_memories", "--regions china --seed 8", "was made with count 60, now it is 6000"),
        (
            "vae.train",
            "--regions deutschl",
            "generate_memories.py --data {data} --weights {weights} --regions deutschl",
        ),
        ("vae.train", "--regions china", "--overwrite starts again"),
        ("vae.train", "--regions china --resume --latent 3", "was made with latent 2, now it is 3"),
        ("train_lstm", SMALL, "--overwrite starts again"),
        ("train_lstm", f"{SMALL} --units 16384 --layers 64", "this training needs at least 2,"),
        ("train_lstm", f"{SMALL} --resume --units 7", "was made with units 6, now it is 7"),
    ],
)
def test_user_errors_are_one_line(folders, capsys, module, flags, message):
    own = ("--weights", folders.weights, "--quiet") if module == "generate_song" else folders.flags
    before = digests(folders.weights)
    assert stage(module, *own, *flags.split()) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and message.format(**vars(folders)) in error and "\n" not in error
    assert digests(folders.weights) == before


def test_advice_for_missing_memories_has_the_folders_and_no_overwrite(folders, capsys):
    assert stage("vae.train", *folders.flags, "--regions", "han", "asia/*") == 2
    advice = f"generate_memories.py --data {folders.data} --weights {folders.weights} --regions han 'asia/*'\n"
    assert capsys.readouterr().err.endswith(advice)


def test_a_vae_of_another_network_is_refused(folders, tmp_path, capsys):
    for path in folders.weights.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with h5py.File(tmp_path / "lstm.weights.h5", "r+") as file:
        changed = []
        file.visititems(lambda name, item: changed.append(item) if isinstance(item, h5py.Dataset) else None)
        changed[-1][...] += 1
    record = json.loads((tmp_path / "lstm.json").read_text())
    record["weights"] = file_fingerprint(tmp_path / "lstm.weights.h5")
    (tmp_path / "lstm.json").write_text(json.dumps(record))
    assert stage("generate_song", "--weights", tmp_path, "--out", tmp_path / "songs", "--regions", "china") == 2
    assert "the VAE of china belongs to network" in capsys.readouterr().err
    assert not (tmp_path / "songs").exists()
    (tmp_path / "lstm.json").write_bytes((folders.weights / "lstm.json").read_bytes())
    assert stage("generate_song", "--weights", tmp_path, "--out", tmp_path / "songs", "--regions", "china") == 2
    assert "is not the file that" in capsys.readouterr().err


@pytest.mark.slow
def test_a_resumed_training_gives_the_same_weights(folders, tmp_path, monkeypatch, capsys):
    """Ctrl-C in the second epoch; then --resume gives the same weights as an uninterrupted training."""
    from melody.training import Trainer

    epoch = Trainer.epoch

    def stopped(self, number, on_step):
        if number == 1:
            raise KeyboardInterrupt
        return epoch(self, number, on_step)

    flags = ("--data", folders.data, "--weights", tmp_path, "--quiet", *SMALL.split())
    monkeypatch.setattr(Trainer, "epoch", stopped)
    assert stage("train_lstm", *flags) == 2
    advice = r"stopped after 1 epochs; continue with: python train_lstm.py .*--epochs 2.* --resume"
    assert re.search(advice, capsys.readouterr().err)
    monkeypatch.setattr(Trainer, "epoch", epoch)
    assert stage("train_lstm", *flags, "--resume") == 0
    with h5py.File(tmp_path / "lstm.weights.h5") as one, h5py.File(folders.weights / "lstm.weights.h5") as other:
        names = []
        one.visit(lambda name: names.append(name) if isinstance(one[name], h5py.Dataset) else None)
        for name in names:
            np.testing.assert_array_equal(one[name][()], other[name][()])
