"""Training on several processes: the same as on one, and errors that do not hang."""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from melody import distribution, watcher
from melody.errors import UserError
from melody.formats.write_kern import write_kern
from tests.synthetic import tunes
from tests.test_pipeline import SMALL, stage

ROOT = Path(__file__).parents[1]
TIME_LIMIT = 300  # seconds, after which a training counts as hanging


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def flags(**changed):
    given = {"processes": 2, "address": "127.0.0.1:1", "process": 0, "batch": 16, "all_devices": False, "quiet": True}
    return SimpleNamespace(**given | changed)


@pytest.mark.parametrize("backend", ["tensorflow", "torch", ""])
def test_other_backends_are_refused(monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    for given in (flags(), flags(processes=1, all_devices=True)):
        with pytest.raises(UserError, match="train with JAX alone: pip install jax, and set KERAS_BACKEND=jax"):
            distribution.check(given)
    distribution.check(flags(processes=None))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"processes": 3}, "--batch 16 cannot be divided among 3 processes; choose a multiple"),
        ({"address": None}, "--processes needs --address HOST:PORT of process 0 and --process"),
        ({"process": None}, "--processes needs --address HOST:PORT of process 0 and --process"),
        ({"process": 2}, "--process 2: the last of 2 processes is 1"),
    ],
)
def test_flags_that_do_not_go_together(monkeypatch, changed, says):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(UserError, match=says):
        distribution.check(flags(**changed))


def test_flags_are_kerass_environment_variables_by_default(monkeypatch, capsys):
    for name, value in (("NUM_PROCESSES", "2"), ("JOB_ADDRESSES", "127.0.0.1:1"), ("PROCESS_ID", "5")):
        monkeypatch.setenv(f"KERAS_DISTRIBUTION_{name}", value)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert stage("train_lstm") == 2
    assert capsys.readouterr().err == "error: --process 5: the last of 2 processes is 1\n"


def called(address, processes, *settings):
    """What the roll call says in each process that comes, by its number; `settings` are theirs."""
    said = {}

    def call(process):
        try:
            distribution.roll_call(address, processes, process, settings[process])
            said[process] = ""
        except UserError as error:
            said[process] = str(error)

    threads = [threading.Thread(target=call, args=[process]) for process in reversed(range(len(settings)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIME_LIMIT)
    return said


def test_processes_wait_for_each_other():
    assert called(free_address(), 3, *[{"seed": "0"}] * 3) == {0: "", 1: "", 2: ""}


def test_a_process_with_other_settings_is_named_in_all_of_them():
    said = called(free_address(), 2, {"seed": "0"}, {"seed": "1"})
    assert said == dict.fromkeys((0, 1), "process 1 has seed 1, not 0; start all again")


def test_a_process_that_never_comes_is_named(monkeypatch):
    monkeypatch.setattr(distribution, "PATIENCE", 1)
    said = called(free_address(), 3, {}, {})
    assert said == dict.fromkeys((0, 1), "process 2 did not come within 1 seconds; start all of 3")
    with pytest.raises(UserError, match=r"process 0 does not answer at 127\.0\.0\.1:\d+ within 1 seconds; start it"):
        distribution.roll_call(free_address(), 2, 1, {})


def test_what_is_no_process_does_not_count():
    address = free_address()

    def knock():
        host, port = address.split(":")
        for _ in range(100):
            try:
                with socket.create_connection((host, int(port))) as connection:
                    return connection.sendall(b"GET / HTTP/1.1\n")
            except OSError:
                threading.Event().wait(0.05)

    threading.Thread(target=knock).start()
    assert called(address, 2, {}, {}) == {0: "", 1: ""}


# Two processes over gloo


IN_SECOND_EPOCH = """
import train_lstm
from melody import distribution

initialize = distribution.initialize

def stopped(self, number, on_step, epoch=None):
    if number:
        ACTION
    return epoch(self, number, on_step)

def initialize_and_stop(args):
    initialize(args)
    from functools import partialmethod
    from melody.training import Trainer
    Trainer.epoch = partialmethod(stopped, epoch=Trainer.epoch)

distribution.initialize = initialize_and_stop
train_lstm.run(train_lstm.main)
"""  # train_lstm.py, with an action at the start of the second epoch
STOPPED = IN_SECOND_EPOCH.replace("ACTION", "raise KeyboardInterrupt")
KILLED = IN_SECOND_EPOCH.replace("ACTION", "import os; os.kill(os.getpid(), 9)")
FAILING = IN_SECOND_EPOCH.replace("ACTION", "from melody.errors import UserError; raise UserError('the disk is full')")


def training(data, weights, *more, script="", **environment):
    """A training of a small network in float32, with JAX, as a process of its own."""
    words = [*SMALL.split(), "--precision", "float32", "--data", data, "--weights", weights, "--quiet", *more]
    settings = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, *(["-c", script] if script else ["-m", "train_lstm"]), *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, env=settings, stderr=subprocess.PIPE, text=True)


def finish(*processes):
    """The exit statuses, and the lines of errors."""
    errors = [process.communicate(timeout=TIME_LIMIT)[1] for process in processes]
    lines = [line for error in errors for line in error.splitlines() if line.startswith("error: ")]
    return [process.returncode for process in processes], lines


def both(data, weights, more=(), **settings):
    """Processes 1 and 0 of a training."""
    together = ("--processes", 2, "--address", free_address(), "--process")
    return [training(data, weights, *together, process, *more, **settings) for process in (1, 0)]


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """Data, and the weights that one process trains on it."""
    pytest.importorskip("jax", reason="needs JAX")
    root = tmp_path_factory.mktemp("distribution")
    for song in tunes(10):
        write_kern(root / f"essen/{song.name}.krn", song)
    assert stage("preprocess", "--songs", root / "essen", "--data", root / "data", "--jobs", 1, "--quiet") == 0
    assert finish(training(root / "data", root / "one")) == ([0], [])
    return root


def assert_same(folder, other, tolerance=1e-5):
    """The checkpoints have the same weights, and the histories the same losses."""
    with (
        h5py.File(folder / "lstm-checkpoint.weights.h5") as one,
        h5py.File(other / "lstm-checkpoint.weights.h5") as two,
    ):
        names = []
        one.visit(lambda name: names.append(name) if isinstance(one[name], h5py.Dataset) else None)
        assert names
        for name in names:
            np.testing.assert_allclose(one[name][()], two[name][()], rtol=0, atol=tolerance, err_msg=name)
    rows = [np.genfromtxt(path / "lstm-history.csv", delimiter=",")[1:] for path in (folder, other)]
    np.testing.assert_allclose(*rows, rtol=0, atol=tolerance)


@pytest.mark.slow
def test_two_processes_train_what_one_does(collection):
    assert finish(*both(collection / "data", collection / "two")) == ([0, 0], [])
    assert_same(collection / "one", collection / "two")


@pytest.mark.slow
def test_one_process_continues_what_two_began(collection):
    """Both are stopped after the first epoch; --resume trains the second one on one process."""
    stopped = both(collection / "data", collection / "resumed", script=STOPPED)
    status, lines = finish(*stopped)
    assert status == [2, 2] and all("stopped after 1 epochs; continue with:" in line for line in lines)
    assert finish(training(collection / "data", collection / "resumed", "--resume")) == ([0], [])
    assert_same(collection / "one", collection / "resumed")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "script", "says"),
    [
        (0, KILLED, f"the system stopped this process, perhaps for want of memory; {watcher.AGAIN}"),
        (1, FAILING, "the disk is full"),
    ],
    ids=["killed", "failing"],
)
def test_a_process_that_ends_in_an_epoch_ends_the_other_in_one_line(collection, tmp_path, number, script, says):
    """And --resume trains what an undisturbed training does."""
    address = free_address()
    together = ("--processes", 2, "--address", address, "--process")
    ended, other = (
        training(collection / "data", tmp_path, *together, process, script=script if process == number else "")
        for process in (number, 1 - number)
    )
    started = time.monotonic()
    errors = [process.communicate(timeout=TIME_LIMIT)[1] for process in (ended, other)]
    assert time.monotonic() - started < TIME_LIMIT / 2
    assert errors[0] == f"error: {says}\n"
    assert re.fullmatch(r"error: another process of this training has ended.*; start all .* with --resume\n", errors[1])
    assert [ended.returncode, other.returncode] == [2, 2]
    assert not list(tmp_path.glob(".*melody-tmp*"))
    assert finish(*both(collection / "data", tmp_path, more=["--resume"])) == ([0, 0], [])
    assert_same(collection / "one", tmp_path)


@pytest.mark.slow
def test_two_devices_train_what_one_does(collection):
    two = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    assert finish(training(collection / "data", collection / "devices", "--all-devices", **two)) == ([0], [])
    assert_same(collection / "one", collection / "devices")
    status, lines = finish(training(collection / "data", collection / "odd", "--all-devices", "--batch", 3, **two))
    assert (status, lines) == ([2], ["error: --batch 3 cannot be divided among 2 devices; choose a multiple"])
