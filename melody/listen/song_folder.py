"""A folder of composed songs: the scores beside each song, and the page on which all of them are heard and seen.

python -m melody.listen.song_folder songs/china               # writes songs/china/index.html
python -m melody.listen.song_folder songs/china --data data   # the same, naming the nearest song of the collection there
"""

from __future__ import annotations

import argparse
from pathlib import Path

from melody.atomic import load_json
from melody.cli import Flags, log, progress, run
from melody.errors import UserError
from melody.song import Song, song_from_record

MAX_SONGS = 1000  # songs of a page, which is then 50 MB that a browser has to hold
SETTINGS = ("regions", "seed", "temperature", "guidance", "length", "network", "vae")  # of a song's record, to be shown


def write_scores(path: Path, record: dict) -> None:
    """Write the song of a record as MusicXML, engraved (SVG) and as kern, beside its MIDI file `path`."""
    from melody.formats.write_kern import write_kern
    from melody.formats.write_musicxml import write_musicxml
    from melody.listen.engraving import write_svg

    song = song_from_record(record)
    write_musicxml(path.with_suffix(".musicxml"), song, shown(record))
    write_svg(path.with_suffix(".svg"), song)
    write_kern(path.with_suffix(".krn"), song, {"OTL": song.title, **shown(record)})


def shown(record: dict) -> dict:
    """What a reader wants to know of how a song was made."""
    told = {name: record[name] for name in SETTINGS if name in record}
    return told | {"regions": " ".join(record["regions"]) or "all"} if "regions" in told else told


def check_page_size(songs: int) -> None:
    """Raises `Problem` when so many songs are too many for a page."""
    if songs > MAX_SONGS:
        raise UserError(
            f"a page shows {MAX_SONGS:,} songs at most, here are {songs:,}; leave out --page, or use more folders"
        )


def write_folder_page(folder: Path, data: Path, quiet: bool = False) -> Path:
    """Write index.html for all songs of a folder; their nearest songs are named when `data` holds songs.h5.

    Raises `Problem` for a folder without songs, or with too many.
    """
    from melody.listen.page import write_page

    records = sorted(path for path in folder.glob("*.json") if path.stem.isdigit())
    if not records:
        raise UserError(f"{folder} has no songs; compose some with: python generate_song.py")
    check_page_size(len(records))
    collection = _collection(data)
    entries = []
    for path in progress(records, quiet, desc="page", unit="song"):
        record = load_json(path, "python generate_song.py")
        song = song_from_record(record, path)
        files = sorted(file.name for file in folder.glob(f"{path.stem}.*"))
        entries.append({"song": song, "tempo": float(record["tempo"]), "files": files, "settings": shown(record),
                        "nearest": _nearest(collection, song)})  # fmt: skip
    return write_page(folder, f"Songs in the manner of {folder.name}", entries)


def _collection(data: Path):
    from melody import dataset
    from melody.listen.nearest import Collection

    return Collection(dataset.load(data)) if (data / "songs.h5").exists() else None


def _nearest(collection, song: Song) -> dict | None:
    if collection is None or not set(song.pitch) <= set(collection.songs.vocabulary.names):
        return None
    place, notes = collection.nearest(collection.songs.vocabulary.encode(song.pitch))
    if not notes:
        return None
    return {"name": collection.songs.name[place], "title": collection.songs.title[place], "shared_run_notes": notes}


def main() -> None:
    flags = Flags(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="folders that generate_song.py wrote")
    flags.add_argument("--data", type=Path, default=Path("data"), metavar="DIR", help="the collection (default: data)")
    flags.add_argument("--quiet", action="store_true", help="say nothing but errors")
    args = flags.parse_args()
    for folder in args.folders:
        log(args, f"wrote {write_folder_page(folder, args.data, args.quiet)}")


if __name__ == "__main__":
    run(main)
