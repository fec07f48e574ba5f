"""Robustness: the page shows the results file, and a twentieth of the full counts with a new seed loses nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import CAMPAIGNS, table

ROOT = Path(__file__).parents[1]


def test_the_page_shows_the_results_file():
    record = json.loads((ROOT / "results/faults.json").read_text())
    assert f"\n{table(record)}\n" in (ROOT / "docs/robustness.md").read_text()
    assert {row["campaign"] for row in record["rows"]} == set(CAMPAIGNS), "every campaign is in the results file"


@pytest.mark.slow
def test_nothing_is_lost(tmp_path):
    """Run with -n 0 -s to see the seed and the table."""
    command = [sys.executable, "-m", "tests.faults", "--quick", "--out", tmp_path]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    print(result.stdout)
    assert not result.returncode, result.stdout + result.stderr
