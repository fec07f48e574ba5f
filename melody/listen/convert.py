"""Converts one file after another and goes on after those that cannot be read."""

import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from melody.cli import progress
from melody.errors import UserError, print_error

Item = TypeVar("Item")


def convert_all(items: Iterable[Item], convert: Callable[[Item], None], quiet: bool) -> None:
    """Call `convert` with each item. Those that raise `UserError` are listed at the end, with exit status 1."""
    failures = []
    for item in progress(items, quiet, unit="file"):
        try:
            convert(item)
        except UserError as error:
            failures.append(error)
    for error in failures:
        print_error(f"error: {error}")
    if failures:
        sys.exit(1)
