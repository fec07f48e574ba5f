"""Our speed beside what a user would run instead, in one run on one machine: `python -m benchmarks.run`."""

REGION = "deutschl"  # that the invented songs are from
