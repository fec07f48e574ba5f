"""A program that is measured, in a process of its own: it gets ready, then runs a round each time it is asked.

    python -m benchmarks.worker benchmarks.adapters.composing '{"songs": 256, …}'

It answers each line on its standard input with a line of JSON, the first when it is ready and has run a round that does
not count; its last line, when there is no more to read, is its peak memory.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time

OPTIONAL = ("jax", "torch")  # what is not among the requirements
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # bytes; macOS counts bytes, Linux thousands


def peak(usage: resource.struct_rusage) -> float:
    """The most memory that was in use at once, in MB."""
    return usage.ru_maxrss * KILOBYTE / 1e6


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed goes to the errors

    def answer(content: object) -> None:
        print(json.dumps(content), file=answers, flush=True)

    program, settings = sys.argv[1:]
    module, _, name = program.rpartition(".")
    try:
        one_round = getattr(importlib.import_module(module), name)(**json.loads(settings))
    except ModuleNotFoundError as missing:
        if missing.name not in OPTIONAL:
            raise
        return answer({"missing": missing.name})
    one_round()
    answer({"remark": getattr(one_round, "remark", "")})
    for _ in sys.stdin:
        since = time.perf_counter()
        work = one_round()
        answer({"work": work, "seconds": time.perf_counter() - since})
    answer({"peak": peak(resource.getrusage(resource.RUSAGE_SELF))})


if __name__ == "__main__":
    main()
