"""--cluster: a real Dask scheduler and workers on this machine give what one process gives, whatever ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from melody import cluster, regions
from melody.errors import UserError
from melody.formats import corpus
from melody.formats.write_kern import write_kern
from tests.synthetic import tunes
from tests.test_corpus import read_or_get_killed
from tests.test_pipeline import SMALL, TINY_VAE, digests, stage

pytest.importorskip("distributed", reason="needs requirements-cluster.txt")
ROOT = Path(__file__).parents[1]
CHINA = ("--regions", "china")


def start(program, *flags):
    """A Dask scheduler or worker with a process group of its own. A file may end a worker twice."""
    settings = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", f"distributed.cli.dask_{program}", *map(str, flags)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | settings, **quiet)


def stop(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def start_scheduler(folder):
    """A scheduler and its address."""
    file = folder / "scheduler.json"
    process = start("scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--scheduler-file", file)
    for _ in range(600):
        if file.exists() and file.read_text():
            return process, json.loads(file.read_text())["address"]
        time.sleep(0.1)
    raise AssertionError("the scheduler does not start within a minute")


def worker_flags(address, folder):
    return (address, "--nthreads", 1, "--no-dashboard", "--local-directory", folder)


@pytest.fixture(scope="module")
def dask(tmp_path_factory):
    """The address of a scheduler with two workers."""
    folder = tmp_path_factory.mktemp("dask")
    scheduler, address = start_scheduler(folder)
    flags = (*worker_flags(address, folder), "--preload", ROOT / "tests/dying_worker.py")
    workers = [start("worker", *flags) for _ in range(2)]
    yield address
    for process in (*workers, scheduler):
        stop(process)


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """The folder of a small collection."""
    folder = tmp_path_factory.mktemp("songs") / "essen"
    for song in tunes(10):
        write_kern(folder / f"{song.name}.krn", song)
    return folder


# Without a cluster


def one_line(capsys, *words):
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert all(word in error for word in words), error


def test_an_address_without_a_scheduler(songs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    flags = ("--songs", songs, "--data", tmp_path / "data", "--cluster", "127.0.0.1:1")
    assert stage("preprocess", *flags) == 2
    one_line(capsys, "no Dask scheduler answers at 127.0.0.1:1", "distributed.cli.dask_scheduler")
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("address", ["nowhere", "10.0.0.1", "tcp://10.0.0.1:port"])
def test_what_is_no_address(address, capsys):
    assert stage("preprocess", "--cluster", address) == 2
    one_line(capsys, f"{address!r} is not an address such as")


def work(**changed):
    settings = {"function": "json:loads", "load": "", "args": None, "folder": ROOT, "run": "1"}
    return cluster.Work(**settings | {"wanted": cluster.installed(False)} | changed)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"wanted": {"Python": "2.7"}}, r"worker 1 has Python 3\.\d+, this run 2.7; start it again with the same"),
        ({"wanted": {"project version": "0"}}, "worker 1 has project version [0-9a-f]{16}, this run 0; start"),
        ({"folder": ROOT / "none"}, "worker 1 has no folder .*none; workers need the same folders"),
        ({"function": "melody.formats.corpus:read_there"}, "worker 1: .*none is not there; workers need the same"),
    ],
)
def test_a_worker_of_another_kind_is_named(changed, says, monkeypatch):
    monkeypatch.setattr(cluster, "_worker", lambda: "worker 1")
    with pytest.raises(UserError, match=says):
        cluster.do(work(**changed), [(ROOT / "none/a.krn", ROOT / "none")])


def test_what_pieces_share_is_loaded_once_in_a_run(monkeypatch):
    loaded = []
    monkeypatch.setattr(cluster, "shared", lambda args: loaded.append(args) or len(loaded), raising=False)
    monkeypatch.setattr(cluster, "both", lambda shared, piece: (shared, piece), raising=False)
    own = {"function": "melody.cluster:both", "load": "melody.cluster:shared"}
    found = [cluster.do(work(**own, run=run), piece) for run, piece in (("a", 1), ("a", 2), ("b", 3))]
    assert found == [(1, 1), (1, 2), (2, 3)]


def test_a_file_of_regions(tmp_path):
    path = tmp_path / "regions.txt"
    path.write_text('china\n\n# a remark\nhan shanxi  # two\n"genre=*Liebe*&key=minor"\n')
    assert regions.load(path) == [["china"], ["han", "shanxi"], ["genre=*Liebe*&key=minor"]]
    for text, says in (("", "has no regions"), ('"a', "not a text file of regions"), ("&", "'&' is not a region")):
        path.write_text(text)
        with pytest.raises(UserError, match=says):
            regions.load(path)


# With a cluster


@pytest.mark.slow
def test_every_stage_gives_the_same_bytes(dask, songs, tmp_path, monkeypatch, capsys):
    """Memories, VAEs and songs on two workers are those of one process; so is what preprocess.py writes."""
    monkeypatch.setattr(corpus, "BATCH", 4)
    monkeypatch.setattr("generate_memories.BLOCK", 16)
    monkeypatch.setattr("melody.composer.BLOCK", 3)
    one, two = (SimpleNamespace(data=tmp_path / name / "data", weights=tmp_path / name / "weights") for name in "ab")
    (tmp_path / "regions.txt").write_text("china\ndeutschl\n")
    for folders, flags in ((one, ()), (two, ("--cluster", dask))):
        own = ("--data", folders.data, "--weights", folders.weights, "--quiet")
        assert stage("preprocess", "--songs", songs, "--data", folders.data, "--jobs", 2, *flags) == 0
        if folders is one:
            assert stage("train_lstm", *own, *SMALL.split()) == 0
        else:
            folders.weights.mkdir()
            for path in one.weights.glob("lstm*"):
                (folders.weights / path.name).write_bytes(path.read_bytes())
        for region in ("china", "deutschl"):
            memories = ("--regions", region, "--count", 40, "--memory-notes", 20)
            assert stage("generate_memories", *own, *memories, *flags) == 0
        assert stage("vae.train", *own, "--regions-file", tmp_path / "regions.txt", *TINY_VAE, *flags) == 0
        composing = (*own[:4], "--out", folders.data / "songs", *CHINA, "--count", 8, "--quiet")
        assert stage("generate_song", *composing, *flags) == 0
    assert capsys.readouterr().err == ""
    for kind in ("data", "weights"):
        first, second = (digests(getattr(folders, kind)) for folders in (one, two))
        assert {name for name in first if first[name] != second[name]} <= {"vae-china-history.png"}, kind
        assert first.keys() == second.keys()


@pytest.mark.slow
def test_a_worker_that_ends_changes_nothing(dask, songs, tmp_path, monkeypatch):
    """One file ends the first worker that reads it, another all of them; only what also ends this one's is skipped."""
    monkeypatch.setattr(corpus, "BATCH", 8)
    for name in ("once", "poison", "b"):
        (songs / f"{name}.krn").write_text("**kern\n4c\n4d\n*-\n")
    flags = ("--songs", songs, "--data")
    assert stage("preprocess", *flags, tmp_path / "one", "--quiet") == 0
    assert stage("preprocess", *flags, tmp_path / "two", "--quiet", "--cluster", dask) == 0
    assert (songs / "once.dead").exists()
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


@pytest.mark.slow
def test_a_file_that_ends_every_process_is_skipped(dask, tmp_path, monkeypatch):
    for name in ("b", "c", "poison"):
        (tmp_path / "few" / f"{name}.krn").parent.mkdir(exist_ok=True)
        (tmp_path / "few" / f"{name}.krn").write_text("**kern\n4c\n4d\n*-\n")
    monkeypatch.setattr(corpus, "read_batch", read_or_get_killed)  # b.krn ends processes of this machine
    flags = ("--songs", tmp_path / "few", "--data", tmp_path / "data", "--quiet")
    assert stage("preprocess", *flags, "--cluster", dask) == 0
    skipped = (tmp_path / "data/skipped.csv").read_text()
    assert 'b.krn,"reading it needs too much memory' in skipped and skipped.count("\n") == 2


@pytest.mark.slow
def test_a_file_that_never_ends_is_skipped(dask, tmp_path):
    for name in ("b", "endless"):
        (tmp_path / "few" / f"{name}.krn").parent.mkdir(exist_ok=True)
        (tmp_path / "few" / f"{name}.krn").write_text("**kern\n4c\n4d\n*-\n")
    flags = ("--songs", tmp_path / "few", "--data", tmp_path / "data", "--quiet")
    assert stage("preprocess", *flags, "--cluster", dask) == 0
    endless = f"{tmp_path / 'few/endless.krn'},it takes longer than 2 seconds to read"
    assert (tmp_path / "data/skipped.csv").read_text() == f"file,reason\n{endless}\n"


@pytest.mark.slow
def test_the_scheduler_goes_away(songs, tmp_path):
    """Without workers nothing is read, until the scheduler ends: one line, and no file."""
    scheduler, address = start_scheduler(tmp_path)
    threading.Timer(8, stop, [scheduler]).start()
    command = [sys.executable, "-m", "preprocess", "--songs", songs, "--data", tmp_path / "data", "--cluster", address]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: the scheduler at {address} has")
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_a_scheduler_without_workers(songs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 3)
    scheduler, address = start_scheduler(tmp_path)
    try:
        assert stage("preprocess", "--songs", songs, "--data", tmp_path / "data", "--cluster", address) == 2
    finally:
        stop(scheduler)
    one_line(capsys, f"the scheduler at {address} has no workers", "distributed.cli.dask_worker")
    assert not (tmp_path / "data").exists()
