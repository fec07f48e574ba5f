"""The pages: short, in plain words, with links and commands that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data/README.md", ROOT / "weights/README.md"]
COMMANDS = re.compile(r"^(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?python3? (.*?)(?: +#.*)?$", re.MULTILINE)
FLAG = re.compile(r"--[a-z][a-z-]*")
BANNED = re.compile(
    r"\b(manner|foretell\w*|foretold|zero state|metre|region token|caricature|told apart|index-url|localhost)\b"
    r"|(?<![\w.])/(work|tmp|home|root)/|\| *(must|aim|holds) *\|",
    re.IGNORECASE,
)


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def code_blocks(page: Path) -> str:
    return "\n".join(re.findall(r"^```\n(.*?)^```$", text(page), re.MULTILINE | re.DOTALL))


def commands() -> list[tuple[str, str]]:
    """(script or `-m module`, all its flags) of the commands in code blocks, each script once."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for command in COMMANDS.findall(code_blocks(page)):
            words = shlex.split(command)
            if words[0] == "-m" and words[1] in ("venv", "pytest"):
                continue
            script = " ".join(words[:2] if words[0] == "-m" else words[:1])
            found.setdefault(script, set()).update(FLAG.findall(" ".join(words)))
    return [(script, " ".join(sorted(flags))) for script, flags in sorted(found.items())]


def test_readme_has_at_most_130_lines():
    assert len(text(ROOT / "README.md").splitlines()) <= 130


def test_set_up_commands_are_those_of_ci():
    tested = (ROOT / ".ci/run").read_text(encoding="utf-8").replace(" -q ", " ")
    block = code_blocks(ROOT / "README.md").splitlines()[:2]
    assert [line for line in block if line.startswith(("python3 -m venv", ".venv/bin/pip"))] == block
    assert all(line in tested for line in block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_point_to_files(page):
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"", text(page))
    for link in map("".join, links):
        assert re.match(r"https?://|#", link) or (page.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_plain_words(page):
    assert not BANNED.search(text(page))


@pytest.mark.parametrize("script, flags", commands(), ids=lambda words: words or "no flags")
def test_commands_and_their_flags_exist(script, flags):
    command = [sys.executable, *script.split(), "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(flags.split()) <= set(FLAG.findall(done.stdout))


def test_each_page_of_docs_opens_with_what_it_answers():
    for page in (ROOT / "docs").glob("*.md"):
        title, opening, *_ = text(page).split("\n\n")
        assert title.startswith("# ") and "?" in opening, page
