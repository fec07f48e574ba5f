"""A folder of songs -> a page to hear and see them, in one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import NotRequired, TypedDict
from urllib.parse import quote

from melody.atomic import atomic_write
from melody.listen import engraving
from melody.song import Song, check_song, onsets
from melody.vocabulary import Spelling

TEMPLATE = Path(__file__).with_name("page.html")
SCALE = 0.54  # of the engraved score on the page
FILES = {  # what a link to a file says
    ".mid": "MIDI",
    ".wav": "Sound (WAV)",
    ".musicxml": "Score (MusicXML)",
    ".svg": "Score (SVG)",
    ".krn": "Kern",
    ".json": "What made it (JSON)",
}


class Nearest(TypedDict):
    """The song of the collection that is most like the one composed."""

    name: str
    title: str
    shared_run_notes: int  # notes in a row that both have, in any key


class Entry(TypedDict):
    """One song of the page."""

    song: Song
    tempo: float  # quarter notes a minute
    files: NotRequired[Sequence[str]]  # names relative to the folder; a .wav among them is what is played
    settings: NotRequired[Mapping[str, object]]
    nearest: NotRequired[Nearest | None]


def write_page(folder: Path, title: str, songs: Sequence[Entry], about: str = "") -> Path:
    """Write `index.html` into the folder and return its path; `about` is a line below the title."""
    path = Path(folder) / "index.html"
    with atomic_write(path) as beside:
        beside.write_text(page(title, songs, about), encoding="utf-8", newline="\n")
    return path


def page(title: str, songs: Sequence[Entry], about: str = "") -> str:
    """The page as HTML, the same for the same songs. Titles and names may hold any text: it is escaped."""
    articles = [_article(entry, number) for number, entry in enumerate(songs, start=1)]
    about = about or f"{len(songs)} song{'s' * (len(songs) != 1)}"
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    text = template.substitute(title=escape(title), about=escape(about), songs="\n".join(articles))
    return text.encode("utf-8", "replace").decode("utf-8")


def _article(entry: Entry, number: int) -> str:
    song, files = entry["song"], entry.get("files", ())
    check_song(song)
    title = escape(song.title or song.name or f"Song {number}")
    wav = next((f' data-wav="{_address(name)}"' for name in files if name.lower().endswith(".wav")), "")
    end = onsets(song)[-1][1] if song.pitch else 0.0
    seconds = end * 60 / entry["tempo"]
    return f"""<article id="song-{number}" data-tempo="{entry["tempo"]:g}"{wav}>
<div class="top">
<button class="play" type="button" aria-label="Play {title}" data-play="Play {title}" data-pause="Pause {title}">
<svg class="start" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4v16l13-8z"/></svg>
<svg class="pause" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4h4v16H6zM14 4h4v16h-4z"/></svg>
</button>
<div><h2>{title}</h2><p>{_summary(song)}</p></div>
</div>
<div class="roll">{_roll(song, end)}<div class="head"></div>
<input type="range" min="0" max="{seconds:.2f}" step="0.01" value="0" aria-label="Place in {title}"></div>
<div class="times"><span class="at">0:00</span><span>{_clock(seconds)}</span></div>
<figure class="score" role="img" aria-label="Score of {title}">{_score(song)}</figure>
{_nearest(entry.get("nearest"))}{_settings(entry.get("settings", {}))}{_links(files)}
</article>"""


def _summary(song: Song) -> str:
    if not song.pitch:
        return "no notes"
    spans = sorted((Spelling(name).midi, name) for name in song.pitch)
    low, high = (name.replace("#", "♯").replace("-", "♭") for _, name in (spans[0], spans[-1]))
    return f"{len(song.pitch)} notes, {low} to {high}"


def _roll(song: Song, end: float) -> str:
    """The notes as bars: to the right quarter notes, upwards MIDI numbers."""
    numbers = [Spelling(name).midi for name in song.pitch]
    top, rows = max(numbers, default=60) + 1, max(numbers, default=60) - min(numbers, default=60) + 3
    bars = "".join(
        f'<rect x="{begin:.6g}" y="{top - number}" width="{stop - begin:.6g}" height="0.9" data-midi="{number}"/>'
        for number, (begin, stop) in zip(numbers, onsets(song), strict=True)
    )
    return f'<svg viewBox="0 0 {end or 1:.6g} {rows}" preserveAspectRatio="none" aria-hidden="true">{bars}</svg>'


def _score(song: Song) -> str:
    picture = engraving.svg(song, title=False)
    width = float(picture.split('viewBox="0 0 ', 1)[1].split()[0])
    return picture.replace("<svg ", f'<svg width="{width * SCALE:.0f}" aria-hidden="true" ', 1)


def _nearest(nearest: Nearest | None) -> str:
    if not nearest:
        return ""
    run = nearest["shared_run_notes"]
    named = f'<span class="name">{escape(nearest["name"])}</span>'
    title = f"<cite>{escape(nearest['title'])}</cite> " if nearest["title"] else ""
    shared = f"they share {run} notes in a row" if run > 1 else "they share no two notes in a row"
    return f'<p class="nearest">Nearest in the collection: {title}{named}; {shared}.</p>'


def _settings(settings: Mapping[str, object]) -> str:
    rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(_said(value))}</dd>" for name, value in settings.items())
    return f"<details><summary>How it was made</summary><dl>{rows}</dl></details>" if rows else ""


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _links(files: Sequence[str]) -> str:
    items = [
        f'<li><a href="{_address(name)}">{escape(FILES.get(Path(name).suffix.lower(), name))}</a></li>'
        for name in files
    ]
    return f'<ul class="files">{"".join(items)}</ul>' if items else ""


def _address(name: str) -> str:
    """A file's name as a relative address; `./` keeps a name such as `javascript:x` a name."""
    return "./" + quote(Path(name).as_posix(), errors="replace")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
