"""Speed and memory of every stage, compared with what a user would run instead: `python -m benchmarks.run`."""

from collections.abc import Callable

Round = Callable[[], float]  # runs one round of a benchmark program and returns the work done
REGION = "deutschl"  # region of the synthetic songs
