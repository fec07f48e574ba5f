"""Composed songs -> an HTML page to listen to them and read their scores, one file that works offline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import quote

import numpy as np

from melody.atomic import atomic_write
from melody.formats.write_midi import LENGTHENING
from melody.listen import engraving
from melody.listen.nearest import NearestSong
from melody.meter import bar_length
from melody.song import Song, exact, onsets
from melody.vocabulary import Spelling

TEMPLATE, STYLE, PLAYER = (Path(__file__).with_name(name) for name in ("page.html", "page.css", "player.js"))
SCALE = 0.54  # of the engraved score on the page
SMALLEST = 0.6  # of that size, on a phone; a wider score is scrolled
GAP = 0.08  # quarter notes between two notes in the piano roll, so that repeated notes are seen
LINK_TEXTS = {
    ".mid": "MIDI",
    ".wav": "Sound (WAV)",
    ".musicxml": "Score (MusicXML)",
    ".svg": "Score (SVG)",
    ".krn": "Kern",
    ".abc": "ABC",
    ".json": "Settings (JSON)",
    ".zip": "All (ZIP)",
}


@dataclass(frozen=True)
class PageSong:
    """One song of the page."""

    song: Song
    tempo: float  # quarter notes per minute
    files: Sequence[str] = ()  # names relative to the page's folder; the page plays the .wav among them
    settings: Mapping[str, object] = field(default_factory=dict)
    nearest: NearestSong | None = None
    plain: bool = False  # played without longer phrase endings
    command: str = ""  # composes the song again; ends in "--seed N --number K"
    warnings: Sequence[str] = ()


def write_page(folder: Path, title: str, songs: Sequence[PageSong], more: str = "", name: str = "index.html") -> Path:
    """Write the page to the folder and return its path; `more` is HTML after the songs."""
    path = Path(folder) / name
    with atomic_write(path) as temporary:
        temporary.write_text(page(title, songs, more), encoding="utf-8", newline="\n")
    return path


def page(title: str, songs: Sequence[PageSong], more: str = "") -> str:
    """The page as HTML, deterministic. Titles and names may contain any text, which is escaped."""
    articles = [article(song, number) for number, song in enumerate(songs, start=1)]
    about = f"{len(songs)} song{'s' * (len(songs) != 1)}"
    template, style, script = (path.read_text(encoding="utf-8") for path in (TEMPLATE, STYLE, PLAYER))
    parts = {"title": escape(title), "about": about, "songs": "\n".join(articles), "more": more}
    text = Template(template).substitute(parts, style=style, script=script)
    return text.encode("utf-8", "replace").decode("utf-8")


def article(page_song: PageSong, number: int) -> str:
    """A song of the page as HTML; `number` is its place on the page."""
    song, files = page_song.song, page_song.files
    title = escape(song.title or song.name or f"Song {number}")
    wav = next((f' data-wav="{_url(name)}"' for name in files if name.lower().endswith(".wav")), "")
    heard = song if page_song.plain else performed(song)
    end = edges(heard)[-1]
    seconds = end * 60 / page_song.tempo
    return f"""<article id="song-{number}" data-tempo="{page_song.tempo:g}" data-quarters="{end:.6g}"{wav}>
<div class="top">
<button class="play" type="button" aria-label="Play {title}" data-play="Play {title}" data-pause="Pause {title}">
<svg class="start" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4v16l13-8z"/></svg>
<svg class="pause" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4h4v16H6zM14 4h4v16h-4z"/></svg>
</button>
<div><h2>{title}</h2><p>{_summary(song)}</p></div>
</div>
<div class="roll">{_roll(song, heard)}<div class="head"></div>
<input type="range" min="0" max="{seconds:.2f}" step="0.01" value="0" aria-label="Position in {title}"></div>
<div class="times"><span class="at">0:00</span><span>{_clock(seconds)}</span></div>
<figure class="score" role="img" aria-label="Score of {title}">{_score(song)}</figure>
{_warnings(page_song.warnings)}{_nearest(page_song.nearest)}{_settings(page_song.settings)}{_links(files)}
{_command(page_song.command, title)}
</article>"""


def _summary(song: Song) -> str:
    if not song.pitch:
        return "no notes"
    spans = sorted((Spelling(name).midi, name) for name in song.pitch)
    low, high = (name.replace("#", "♯").replace("-", "♭") for _, name in (spans[0], spans[-1]))
    meter = song.meter if bar_length(song.meter) else "free meter"
    pickup = f" with a pickup of {exact(song.pickup) / 4}" if song.pickup else ""
    phrases = f", {sum(song.phrase)} phrases" if sum(song.phrase) > 1 else ""
    return f"{escape(meter)}{pickup}, {len(song.pitch)} notes{phrases}, {low} to {high}"


def performed(song: Song) -> Song:
    """The song with the durations that its MIDI file has without `--plain`: the last note of a phrase is longer."""
    if not any(song.phrase):
        return song
    ends = [*song.phrase[1:], True]
    return replace(song, duration=[d * LENGTHENING if end else d for d, end in zip(song.duration, ends, strict=True)])


def edges(song: Song) -> list[float]:
    """The start of the song, start and end of each note in turn, and the end of the song, in quarter notes."""
    times = [0.0, *(time for span in onsets(song) for time in span)]
    return [*times, times[-1] + song.rest_after]


def _roll(song: Song, heard: Song) -> str:
    """The notes that are `heard` as a piano roll, and behind them the bar lines and beats of the song.

    Quarter notes at the song's tempo lead to the right, MIDI numbers upwards.
    """
    numbers = [Spelling(name).midi for name in song.pitch]
    top, rows = max(numbers, default=60) + 1, max(numbers, default=60) - min(numbers, default=60) + 3
    written, played = edges(song), edges(heard)
    lines = "".join(
        f'<path class="{name}" d="{"".join(f"M{time:.6g} 0v{rows}" for time in np.interp(times, written, played))}"/>'
        for name, times in grid(song, written[-1]).items()
    )
    notes = "".join(
        f'<rect x="{begin:.6g}" y="{top - number}" width="{max(0.9 * length, length - GAP):.6g}" height="0.9"'
        f' data-midi="{number}" data-quarters="{length:.6g}"/>'
        for number, begin, length in zip(numbers, played[1:-1:2], heard.duration, strict=True)
    )
    box = f'viewBox="0 0 {played[-1] or 1:.6g} {rows}" preserveAspectRatio="none"'
    return f'<svg {box} aria-hidden="true">{lines}{notes}</svg>'


def grid(song: Song, end: float) -> dict[str, list[float]]:
    """Times of the beats and of the bar lines before `end`, in quarter notes; nothing in free meter.

    A compound time signature such as 6/8 has dotted beats.

    >>> grid(Song("", ["G4", "C5"], [1, 2], [0, 0], [True, False], meter="3/4", pickup=1), 3)
    {'beat': [1.0, 2.0], 'bar': [1.0]}
    """
    bar = float(bar_length(song.meter))
    if not bar:
        return {}
    count, value = map(int, song.meter.split("/"))
    beat = 4 / value * (3 if count > 3 and count % 3 == 0 else 1)
    steps = {"beat": beat, "bar": bar}
    return {
        name: [time for time in np.arange(song.pickup % step, end, step).tolist() if time]
        for name, step in steps.items()
    }


def _score(song: Song) -> str:
    picture = engraving.svg(song, title=False)
    width = SCALE * float(picture.split('viewBox="0 0 ', 1)[1].split()[0])
    size = f'width="{width:.0f}" style="min-width: {SMALLEST * width:.0f}px"'
    return picture.replace("<svg ", f'<svg {size} aria-hidden="true" ', 1)


def _warnings(warnings: Sequence[str]) -> str:
    return "".join(f'<p class="warning">{escape(warning)}</p>' for warning in warnings)


def _nearest(nearest: NearestSong | None) -> str:
    if not nearest:
        return ""
    title = f"<cite>{escape(nearest.title)}</cite> " if nearest.title else ""
    name = f'<span class="name">{escape(nearest.name)}</span>'
    shared = f"they share {nearest.shared_notes} notes in a row, in any key"
    return f'<p class="nearest">Most similar song of the collection: {title}{name}; {shared}.</p>'


def _settings(settings: Mapping[str, object]) -> str:
    rows = "".join(f"<dt>{escape(str(name))}</dt><dd>{escape(_text(value))}</dd>" for name, value in settings.items())
    return f"<details><summary>Settings</summary><dl>{rows}</dl></details>" if rows else ""


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _links(files: Sequence[str]) -> str:
    items = [
        f'<li><a href="{_url(name)}">{escape(LINK_TEXTS.get(Path(name).suffix.lower(), name))}</a></li>'
        for name in files
    ]
    return f'<ul class="files">{"".join(items)}</ul>' if items else ""


def _command(command: str, title: str) -> str:
    if not command:
        return ""
    return f"""
<div class="compose" role="group" aria-label="Compose again: {title}">
<button type="button">Again with this seed</button>
<button type="button">Shuffle the seed</button>
<textarea readonly hidden rows="3" spellcheck="false" aria-label="Command">{escape(command)}</textarea>
<p role="status"></p>
</div>"""


def _url(name: str) -> str:
    """A file name as a relative URL; after `./` a name such as `javascript:x` is not taken for a scheme."""
    return "./" + quote(Path(name).as_posix(), errors="replace")


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
