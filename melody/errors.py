"""The error that a user can correct."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can correct; the message says what is wrong and what to do."""
