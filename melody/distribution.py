"""Training on several processes or devices, with `keras.distribution` over JAX.

Every process computes the loss of its own rows of each batch, and all have the same weights; validation is computed by
each, and the first one writes. JAX ends a process without a word where another one is missing, so that the processes
call each other before it starts, and watch each other; see `melody.watcher`.
"""

import argparse
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from melody import watcher
from melody.errors import UserError
from melody.flags import Flags, address, in_range

PATIENCE = 60  # seconds for all processes to come
VARIABLES = {"processes": "NUM_PROCESSES", "address": "JOB_ADDRESSES", "process": "PROCESS_ID"}  # of the environment
PREFIX = "KERAS_DISTRIBUTION_"


def add_processes(flags: Flags) -> None:
    """Add `--processes`, `--address`, `--process` and `--all-devices`, by default Keras's environment variables."""
    kinds = {"processes": in_range(1, 65_536, int), "address": address, "process": in_range(0, 65_535, int)}
    helps = {
        "processes": "processes that train together, each started with this command (JAX; default: 1)",
        "address": "where process 0 runs, such as 10.0.0.1:8476; the same for all processes",
        "process": "the number of this process, from 0; process 0 writes",
    }
    for name, kind in kinds.items():
        given = os.environ.get(f"{PREFIX}{VARIABLES[name]}") or None
        metavar = "ADDRESS" if name == "address" else "N"
        flags.add_argument(f"--{name}", type=kind, default=given, metavar=metavar, help=helps[name])
    help = "divide each batch among all devices of this machine (JAX); with --processes they always are"
    flags.add_argument("--all-devices", action="store_true", help=help)


@contextmanager
def joined(args: argparse.Namespace) -> Iterator[None]:
    """Train in this block, which imports Keras, together with the other processes.

    Raises `UserError` if one does not come, or ends.
    """
    check(args)
    if args.processes == 1:
        yield
        return
    args.quiet |= args.process > 0
    same = {
        name: str(value) for name, value in vars(args).items() if name not in ("process", "quiet", "data", "weights")
    }
    others = roll_call(args.address, args.processes, args.process, same)
    with watcher.watched(others):
        initialize(args)
        yield


def check(args: argparse.Namespace) -> None:
    """Raise `UserError` if the flags of `add_processes` do not go together."""
    args.processes = args.processes or 1
    if args.processes == 1 and not args.all_devices:
        return
    if os.environ.get("KERAS_BACKEND") != "jax":
        raise UserError("several processes or devices train with JAX alone: pip install jax, and set KERAS_BACKEND=jax")
    if args.batch % args.processes:
        raise UserError(f"--batch {args.batch} cannot be divided among {args.processes} processes; choose a multiple")
    if args.processes == 1:
        return
    if not hasattr(os, "fork"):
        raise UserError("--processes needs Linux or macOS")
    if args.address is None or args.process is None:
        raise UserError("--processes needs --address HOST:PORT of process 0 and --process, the number of this one")
    if args.process >= args.processes:
        raise UserError(f"--process {args.process}: the last of {args.processes} processes is {args.processes - 1}")


def initialize(args: argparse.Namespace) -> None:
    """Start JAX with the other processes."""
    try:
        import jax
    except ImportError:
        raise UserError("--processes needs JAX: pip install jax") from None
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # else processes may reach collectives in another order
    place = args.address.rpartition("/")[2]
    jax.distributed.initialize(place, args.processes, args.process, initialization_timeout=PATIENCE)


def roll_call(address: str, processes: int, process: int, settings: dict[str, str]) -> list[socket.socket]:
    """Wait until all processes are there: connections from process 0 to the others, from these to process 0.

    Raises `UserError` if one is missing or has other settings.
    """
    host, _, port = address.rpartition("/")[2].rpartition(":")
    place, deadline = (host.strip("[]"), int(port)), time.monotonic() + PATIENCE
    if process == 0:
        return _called(place, processes, settings, deadline)
    return [_answered(place, process, settings, deadline)]


def _called(place: tuple[str, int], processes: int, settings: dict[str, str], deadline: float) -> list[socket.socket]:
    """The others, when they are there and process 0 has said that all is well."""
    others: dict[int, socket.socket] = {}
    reply = ""
    with socket.create_server(place) as server:
        while len(others) < processes - 1 and not reply:
            try:
                server.settimeout(max(deadline - time.monotonic(), 0.01))
                connection, _ = server.accept()
                connection.settimeout(5)
                process, theirs = json.loads(connection.makefile().readline())
            except TimeoutError:
                missing = ", ".join(str(k) for k in range(1, processes) if k not in others)
                reply = f"process {missing} did not come within {PATIENCE} seconds; start all of {processes}"
                break
            except (OSError, ValueError):
                continue  # not one of the processes
            other = [
                f"{name} {value}, not {settings.get(name)}"
                for name, value in theirs.items()
                if settings.get(name) != value
            ]
            if process in others or other:
                reply = f"process {process} {f'has {other[0]}' if other else 'came twice'}; start all again"
            others[process] = connection
        for connection in others.values():
            with suppress(OSError):
                connection.sendall(f"{reply}\n".encode())
    if reply:
        raise UserError(reply)
    return list(others.values())


def _answered(place: tuple[str, int], process: int, settings: dict[str, str], deadline: float) -> socket.socket:
    """Process 0, when it has said that all is well."""
    line = ""
    while not line and time.monotonic() < deadline:
        with suppress(OSError):
            connection = socket.create_connection(place, timeout=1)
            connection.sendall(f"{json.dumps([process, settings])}\n".encode())
            connection.settimeout(PATIENCE)
            line = connection.makefile().readline()
        if not line:
            time.sleep(0.2)
    if line.strip():
        raise UserError(line.strip())
    if not line:
        late = f"process 0 does not answer at {place[0]}:{place[1]} within {PATIENCE} seconds; start it first"
        raise UserError(late)
    return connection


def distribute(batch: int) -> None:
    """Divide what is computed from here on among all devices. Raises `UserError` if they do not divide the batch."""
    import keras

    devices = len(keras.distribution.list_devices())
    if batch % devices:
        raise UserError(f"--batch {batch} cannot be divided among {devices} devices; choose a multiple")
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))


@contextmanager
def undivided() -> Iterator[None]:
    """Compute on the device of this process alone."""
    import keras

    before = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(before)


def rows(batch: int) -> slice:
    """The rows of a batch that this process computes."""
    import keras

    if keras.distribution.distribution() is None:
        return slice(batch)
    import jax

    share = batch // jax.process_count()
    return slice(share * jax.process_index(), share * (jax.process_index() + 1))


def is_first() -> bool:
    """Whether this process writes."""
    import keras

    if keras.backend.backend() != "jax":
        return True
    import jax

    return jax.process_index() == 0
