"""Two processes that watch each other: how one ends when the other one does, without JAX."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROCESS = """
import os, socket, sys, time
from melody import watcher
from melody.cli import run
from melody.errors import UserError

def main():
    watcher.GRACE = 2
    with watcher.watched([socket.socket(fileno=int(sys.argv[1]))]):
        exec(sys.argv[2])

run(main)
"""
LOST = "error: another process of this training has ended{}; start all of them again with --resume\n"
NO_MEMORY = (
    "error: the system stopped this process, perhaps for want of memory; start all of them again with --resume\n"
)
KILLED = "os.kill(os.getpid(), 9)"
ABORTED = "time.sleep(.2); os.write(2, b'F0000 from C++'); os.abort()"
JAX = "time.sleep(.2); raise ValueError('connection closed by peer')"


def started(*actions):
    """Two processes, each with what its child does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    processes = []
    for connection, action in zip((one, other), actions, strict=True):
        number = connection.fileno()
        command = [sys.executable, "-c", PROCESS, str(number), action]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "pass_fds": [number]}
        processes.append(subprocess.Popen(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes))
        connection.close()
    return processes


def ended(processes):
    """Status, output and errors of each."""
    found = []
    for process in processes:
        output, error = process.communicate(timeout=100)
        found.append((process.returncode, output, error))
    return found


@pytest.mark.parametrize("late", ["", "time.sleep(3)"])
def test_both_finish(late):
    assert ended(started("print('one')", f"{late}; print('two')" if late else "print('two')")) == [
        (0, "one\n", ""),
        (0, "two\n", ""),
    ]


@pytest.mark.parametrize("survivor", [ABORTED, JAX, "time.sleep(90)"])
@pytest.mark.parametrize(
    ("action", "says"),
    [(KILLED, NO_MEMORY), ("raise UserError('the disk is full')", "error: the disk is full\n")],
)
def test_the_other_one_ends_in_one_line(action, says, survivor):
    """Whether its child ends from C++, by an error of JAX, or would wait for long."""
    why = " (ValueError: connection closed by peer)" if survivor == JAX else ""
    assert ended(started(action, survivor)) == [(2, "", says), (2, "", LOST.format(why))]


def test_a_parent_that_is_killed_takes_its_child_along(tmp_path):
    one, other = started(f"time.sleep(3); open({str(tmp_path / 'late')!r}, 'w')", "time.sleep(90)")
    time.sleep(1.5)
    one.send_signal(signal.SIGKILL)
    assert ended([other]) == [(2, "", LOST.format(""))]
    one.communicate()
    assert not list(tmp_path.iterdir())


def test_errors_that_no_other_process_causes_are_shown():
    (status, _, error), _ = ended(started(JAX, "time.sleep(4)"))
    assert status == 1 and "Traceback" in error and "connection closed by peer" in error
