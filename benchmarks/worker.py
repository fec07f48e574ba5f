"""A measured program in a process of its own: it is set up once, then runs one round per line of standard input.

    python -m benchmarks.worker adapters.sampling '{"songs": 256, …}'

It replies with one line of JSON per line read. The first reply comes after a warm-up round; the last, when the input
ends, is the peak memory.
"""

import importlib
import json
import os
import resource
import sys
import time

OPTIONAL = ("jax", "torch")  # not among the requirements
KILOBYTE = 1 if sys.platform == "darwin" else 1024  # bytes per unit of ru_maxrss


def peak_mb(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * KILOBYTE / 1e6


def main() -> None:
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # other output goes to standard error

    def reply(content: object) -> None:
        print(json.dumps(content), file=replies, flush=True)

    program, settings = sys.argv[1:]
    module, name = program.split(".")
    try:
        run_round = getattr(importlib.import_module(f"benchmarks.{module}"), name)(**json.loads(settings))
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        return reply({"missing": error.name})
    run_round()
    reply({"remark": getattr(run_round, "remark", "")})
    for _ in sys.stdin:
        start = time.perf_counter()
        work = run_round()
        reply({"work": work, "seconds": time.perf_counter() - start})
    reply({"peak_mb": peak_mb(resource.getrusage(resource.RUSAGE_SELF))})


if __name__ == "__main__":
    main()
