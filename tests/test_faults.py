"""What goes wrong for people, a tenth of the full counts, with another seed each time."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_nothing_is_lost(tmp_path):
    """Run with -s to see the seed and the table."""
    command = [sys.executable, "-m", "tests.faults", "--quick", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout)
    assert not done.returncode, done.stdout + done.stderr
