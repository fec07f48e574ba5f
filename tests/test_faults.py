"""What goes wrong for people: what the README says of it, and a tenth of the full counts, with new seeds each time."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import table

ROOT = Path(__file__).parents[1]


def test_the_readme_tells_what_was_tried_and_lost():
    record = json.loads((ROOT / "results/faults.json").read_text())
    assert table(record) in (ROOT / "docs/robustness.md").read_text()


@pytest.mark.slow
def test_nothing_is_lost(tmp_path):
    """Run with -s to see the seed and the table."""
    command = [sys.executable, "-m", "tests.faults", "--quick", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(done.stdout)
    assert not done.returncode, done.stdout + done.stderr
