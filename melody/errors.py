"""Errors that a user can correct, and how they are printed."""

import sys
from contextlib import suppress


class UserError(Exception):
    """Something the user can correct; the message says what is wrong and what to do."""


def print_error(message: str) -> None:
    """Print a message on stderr as one line."""
    with suppress(OSError):  # nobody reads it
        print(" ".join(message.split()), file=sys.stderr)
