"""A folder of composed songs -> index.html, a page to listen to them and read their scores.

    python -m melody.listen.page songs/china               # writes songs/china/index.html
    python -m melody.listen.page songs/china --data mine   # names the most similar songs of mine/songs.h5
    python -m melody.listen.page songs/* --out all         # writes all/index.html, one page without links to files

Twenty songs take a second.
"""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from melody import dataset
from melody.atomic import load_json
from melody.cli import log, progress, run
from melody.errors import UserError
from melody.flags import ROOT, Flags
from melody.listen.nearest import Collection
from melody.listen.page_html import PageSong, write_page
from melody.song import printable, song_from_record

MAX_SONGS = 1000  # songs per page, which is then 50 MB in the browser
EMPTY = {"regions": "all", "meters": "any"}  # what an empty list of them says
FLAGS = {  # settings in the record of a song, and their flags of generate_song.py; seed and number stand last
    **{name: f"--{name}" for name in "regions name at like mix vary distance".split()},
    **{"continued": "--continue", "keep": "--keep", "meters": "--meter", "asked_key": "--key", "range": "--range"},
    **{"min_length": "--min-length", "max_copy": "--max-copy", "curate": "--curate", "plain": "--plain"},
    **{name: f"--{name}" for name in "temperature guidance length tempo instrument seed number".split()},
}
SHOWN = (  # fields of a record that the page shows
    "regions name at like mix vary distance continued in_style_of seed temperature guidance length meters key "
    "network vae"
).split()


def main() -> None:
    flags = Flags(__doc__)
    flags.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders written by generate_song.py")
    flags.add_setting("DATA", help="folder of songs.h5, the collection of the most similar songs")
    flags.add_argument("--out", type=Path, metavar="DIR", help="write one page of the songs of all folders to this one")
    args = flags.parse_args()
    if args.out:
        songs = [song for folder in args.folders for song in songs_of(folder, collection_of(args.data), args.quiet)]
        check_page_size(len(songs))
        title = f"Songs in the style of {', '.join(folder.resolve().name for folder in args.folders)}"
        return log(args, f"wrote {write_page(args.out, title, [replace(song, files=()) for song in songs])}")
    for folder in args.folders:
        log(args, f"wrote {write_folder_page(folder, args.data, args.quiet)}")


def write_folder_page(folder: Path, data: Path, quiet: bool = False) -> Path:
    """Write index.html for all songs of a folder, with the most similar songs when `data` contains songs.h5.

    Raises `UserError` for a folder without songs or with too many, and for a damaged record.
    """
    songs = songs_of(folder, collection_of(data), quiet)
    return write_page(folder, f"Songs in the style of {folder.resolve().name}", songs)


def collection_of(data: Path) -> Collection | None:
    return Collection(dataset.load(data)) if (data / "songs.h5").exists() else None


def songs_of(folder: Path, collection: Collection | None, quiet: bool) -> list[PageSong]:
    """The songs of a folder with their files and commands. Raises `UserError` as `write_folder_page`."""
    records = [path for path in folder.glob("*.json") if path.stem.isdecimal()]
    command, songs = f"python generate_song.py --out {shlex.quote(str(folder.parent))}", []
    if not records:
        raise UserError(f"{folder} contains no songs; compose some with: {command}")
    check_page_size(len(records))
    for path in progress(sorted(records, key=lambda path: int(path.stem)), quiet, desc="page", unit="song"):
        record = load_json(path, command)
        files = sorted(file.name for file in folder.glob(f"{path.stem}.*"))
        song = page_song(record, path, files, collection)
        songs.append(replace(song, command=song_command(record, folder, files)))
    return songs


def page_song(record: dict, source: object, files: Sequence[str], collection: Collection | None) -> PageSong:
    """A song of the page from its record. Raises `UserError`, which names `source`, if the record is damaged."""
    song = song_from_record(record, source)
    nearest = collection.nearest(song.pitch) if collection else None
    return PageSong(song, float(record["tempo"]), files, shown_settings(record), nearest, record.get("plain") is True)


def check_page_size(songs: int) -> None:
    """Raise `UserError` when a page cannot show that many songs."""
    if songs > MAX_SONGS:
        limit = f"a page shows {MAX_SONGS:,} songs at most, not {songs:,}"
        raise UserError(f"{limit}; omit --page, or write to another folder with --out")


def shown_settings(record: Mapping[str, object]) -> dict[str, object]:
    """The settings of a song that its page and its scores show."""
    shown = {name: record[name] for name in SHOWN if name in record}
    for name, value in shown.items():
        if isinstance(value, list):
            shown[name] = " ".join(map(str, value)) or EMPTY.get(name)
        elif isinstance(value, dict):
            shown[name] = ", ".join(f"{song} {share}" for song, share in value.items())
    return shown


def song_command(record: Mapping[str, object], folder: Path, files: Sequence[str]) -> str:
    """The command that composes a song of the folder again, its files and this page; seed and number stand last.

    It is for the folder of generate_song.py. Settings that the record lacks are left out.
    """
    out = folder.resolve().parent
    out = out.relative_to(ROOT) if out.is_relative_to(ROOT) else out
    suffixes = {Path(name).suffix for name in files}
    words = ["python", "generate_song.py", "--out", str(out), "--page"]
    words += [flag for flag, suffix in (("--wav", ".wav"), ("--score", ".musicxml")) if suffix in suffixes]
    for name, flag in FLAGS.items():
        value = record.get(name)
        if value is None or value is False or (value == [] and name != "regions"):
            continue
        values = value if isinstance(value, list) else [value] * (value is not True)
        words += [flag, *map(str, values)]
    return printable(shlex.join(words))


if __name__ == "__main__":
    run(main)
