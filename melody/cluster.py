"""Independent pieces of work on the workers of a Dask scheduler: --cluster.

Paths travel to the workers, which see the same folders as this machine; results come back in order. Dask repeats what a
worker was doing when it ended, on another one. joblib's own Dask backend waits forever for work that ends every worker
that tries it (joblib 1.6), so that futures are waited for here.
"""

import argparse
import logging
import platform
import random
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import version
from itertools import islice
from operator import attrgetter
from pathlib import Path
from typing import Any
from uuid import uuid4

from melody.errors import UserError
from melody.flags import ROOT
from melody.provenance import fingerprint

PATIENCE = 20  # seconds for a scheduler to answer, and for a worker to come
AHEAD = 4  # pieces per worker that are sent before the first one is back
WORKER = "python -m distributed.cli.dask_worker"
_one_piece = threading.Lock()  # in a process: Keras's models and seeds are shared by its threads
_kept: dict[str, Any] = {}  # of the last run


def results(
    address: str,
    function: str,
    pieces: Iterable,
    args: argparse.Namespace | None = None,
    load: str = "",
    if_it_kills: Callable | None = None,
) -> Iterator:
    """`function(loaded, piece)` of each piece, in order, computed by the workers of the scheduler at `address`.

    `loaded` is `load(args)`, computed once by each worker, or without `load` the flags `args` themselves: quiet, and on
    one process. Both functions are named as `module:function`. `if_it_kills` of a piece is taken for one that ended
    every worker that tried it. Raises `UserError` when there is no scheduler or no worker, or one of another version.
    """
    args = args and argparse.Namespace(**vars(args) | {"cluster": None, "quiet": True, "jobs": 1})
    work = Work(function, load, args, Path.cwd(), installed(bool(args)), uuid4().hex)
    sent, pieces = deque(), iter(pieces)
    with _connected(address) as client:
        while True:
            most = AHEAD * max(len(client.scheduler_info(n_workers=-1)["workers"]), 1)
            for piece in islice(pieces, max(most - len(sent), 0)):
                sent.append((piece, client.submit(do, work, piece, pure=False)))
            if not sent:
                return
            piece, future = sent.popleft()
            yield _result(client, address, future, piece, if_it_kills)


@dataclass(frozen=True)
class Work:
    """What workers do with each piece of a run; see `results`."""

    function: str
    load: str
    args: argparse.Namespace | None
    folder: Path  # where relative paths start from
    wanted: dict[str, str]  # of `installed`
    run: str  # differs from that of any other run


def do(work: Work, piece: Any) -> Any:
    """The result for a piece, on a worker. Raises `UserError` if it is of another version or sees other folders."""
    with _one_piece:
        here = installed("Keras" in work.wanted)
        if "Keras" in work.wanted:
            _seed_keras_alone()
        for what, value in work.wanted.items():
            if here[what] != value:
                raise UserError(f"{_worker()} has {what} {here[what]}, this run {value}; start it again with the same")
        if not work.folder.is_dir():
            raise UserError(f"{_worker()} has no folder {work.folder}; workers need the same folders")
        try:
            with chdir(work.folder):
                return _named(work.function)(_loaded(work), piece)
        except UserError as error:
            raise UserError(f"{_worker()}: {error}") from None
        except Exception as failure:
            failure.add_note(traceback.format_exc(limit=-5))  # a long traceback would not reach the client
            raise failure.with_traceback(None) from None


@cache
def _seed_keras_alone() -> None:
    """Keras draws seeds from Python's generator, which Dask's threads use too: give it one of its own."""
    from keras.src.random import seed_generator
    from keras.src.utils import rng_utils

    seed_generator.python_random = rng_utils.random = random.Random()


def _loaded(work: Work) -> Any:
    """What the functions of a run share in this process."""
    if not work.load:
        return work.args
    if _kept.get("run") != work.run:
        _kept.clear()
        _kept.update(value=_named(work.load)(work.args), run=work.run)
    return _kept["value"]


def _named(function: str) -> Callable:
    module, _, name = function.partition(":")
    return attrgetter(name)(import_module(module))


def _worker() -> str:
    from distributed import get_worker

    return f"worker {get_worker().address}"


@cache
def installed(keras: bool) -> dict[str, str]:
    """What must be the same here and on the workers."""
    folders = ("", "melody/**/", "vae/", "evaluation/")
    files = sorted(path for folder in folders for path in ROOT.glob(f"{folder}*.py"))
    texts = [path.read_bytes() for path in files if path.name != "config.py"]
    found = {"Python": ".".join(platform.python_version_tuple()[:2]), "project version": fingerprint(*texts)}
    if keras:
        from keras import backend

        found |= {"Keras": version("keras"), "Keras backend": f"{backend.backend()} {version(backend.backend())}"}
    return found


@contextmanager
def _connected(address: str) -> Iterator:
    """A Dask client. Raises `UserError` if no scheduler answers."""
    try:
        import distributed
    except ImportError:
        raise UserError("--cluster needs Dask: pip install -r requirements-cluster.txt") from None
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what happens is said in one line
    warnings.filterwarnings("ignore", module="distributed")
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as problem:
        reason = " ".join(str(problem).split())[:100]
        command = "python -m distributed.cli.dask_scheduler"
        raise UserError(f"no Dask scheduler answers at {address} ({reason}); start one with: {command}") from None
    try:
        yield client
    finally:
        client.close(timeout=2)


def _result(client, address: str, future, piece: Any, if_it_kills: Callable | None) -> Any:
    """The result of a future, with an end to waiting when nobody is left who computes it."""
    from distributed.scheduler import KilledWorker

    alone_since = time.monotonic()
    while True:
        try:
            return future.result(timeout=1)
        except KilledWorker:
            if if_it_kills:
                return if_it_kills(piece)
            raise UserError(f"{piece} ended every worker that tried it; give workers more memory") from None
        except CancelledError:
            start = "start it and its workers, then this command again"
            raise UserError(f"the scheduler at {address} has gone; {start}") from None
        except ImportError as missing:
            start = f"start it in this version's folder with: {WORKER} {address} --nthreads 1"
            raise UserError(f"a worker cannot import the project ({missing}); {start}") from None
        except TimeoutError:
            if future.status == "error" and isinstance(future.exception(), TimeoutError):
                raise  # of the piece of work itself
        if client.status != "running" or client.scheduler_info(n_workers=-1)["workers"]:
            alone_since = time.monotonic()
        elif time.monotonic() - alone_since > PATIENCE:
            start = f"start some in the project's folder with: {WORKER} {address} --nthreads 1"
            raise UserError(f"the scheduler at {address} has no workers; {start}")
