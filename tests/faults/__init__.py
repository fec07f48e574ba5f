"""Faults on purpose: every stage as a command at toy size (`python -m tests.faults`)."""
