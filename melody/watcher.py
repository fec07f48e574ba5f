"""A training process in the care of its parent, which knows when another process of the training has ended.

Where one process is missing JAX lets the others wait, or ends them from C++ with messages of its own, which Python
cannot catch. So the training runs in a child process, and its parent keeps connections to the parents of the others.
"""

import atexit
import os
import select
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from melody.errors import UserError

GRACE = 30  # seconds for a child to end by itself when another process has ended
FINISHED = b"."  # what a process says at the end of the training, before its connections close
SAID = (0, 2, 130)  # exit statuses of a child that needs no further word: it printed what there is to say
FAILED = 3  # that of a child with any other error: often one of JAX, since another process is missing
AGAIN = "start all of them again with --resume"
KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}  # a machine that is switched off: 50 seconds


@contextmanager
def watched(others: list[socket.socket]) -> Iterator[None]:
    """Run the block in a child process, as long as the processes at the other ends of the connections do not end.

    The parent ends with the status of the child, or raises `UserError`.
    """
    for other in others:
        other.settimeout(None)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            if hasattr(socket, option):
                other.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    to_child, to_parent = socket.socketpair()
    with tempfile.TemporaryFile() as messages:  # of compiled code
        sys.stdout.flush()
        child = os.fork()
        if child:
            to_parent.close()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the child too, which says what was saved
            raise SystemExit(_status(child, to_child, others, messages))
        for connection in (to_child, *others):
            connection.close()
        threading.Thread(target=_end_with_parent, args=[to_parent], daemon=True).start()
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException as problem:
            status = _status_of(problem)
            if status == FAILED:
                sys.stderr = sys.__stderr__  # the traceback goes to `messages`
            atexit.register(os._exit, status)  # before JAX waits for the other processes
            raise


def _status_of(problem: BaseException) -> int:
    """The exit status of a child that ends with an error."""
    known = isinstance(problem, UserError | OSError | MemoryError)
    return 2 if known else 130 if isinstance(problem, KeyboardInterrupt) else FAILED


def _end_with_parent(parent: socket.socket) -> None:
    parent.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _status(child: int, to_child: socket.socket, others: list[socket.socket], messages: IO[bytes]) -> int:
    """The status that the parent ends with. Raises `UserError` if a process was lost."""
    lost = _one_ends(others, to_child)
    if lost and not select.select([to_child], [], [], GRACE)[0]:
        os.kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for other in others:
        with suppress(OSError):
            other.sendall(FINISHED * (status == 0))
            other.shutdown(socket.SHUT_WR)
    if status in SAID:
        return status
    if not lost and status == -signal.SIGKILL:
        raise UserError(f"the system stopped this process, perhaps for want of memory; {AGAIN}")
    messages.seek(0)
    text = messages.read().decode(errors="replace")
    if lost or _one_ends(others, timeout=GRACE):
        why = f" ({text.strip().splitlines()[-1][:150]})" if status == FAILED else ""
        raise UserError(f"another process of this training has ended{why}; {AGAIN}")
    sys.stderr.write(text)
    return 1


def _one_ends(others: list[socket.socket], child: socket.socket | None = None, timeout: float | None = None) -> bool:
    """Wait until another process ends before it has finished: True; or until the child ends: False."""
    running = [*others]
    while child or running:
        ready = select.select([*running, *[child] * bool(child)], [], [], timeout)[0]
        for other in ready:
            if other is child:
                continue
            with suppress(OSError):
                if other.recv(1) == FINISHED:
                    running.remove(other)
                    continue
            return True
        if child in ready or not ready:
            return False
    return False
