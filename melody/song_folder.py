"""The folder that composed songs are written to: their numbers and files."""

import json
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from melody.atomic import load_json, write_json
from melody.errors import UserError
from melody.formats.write_midi import write_midi
from melody.listen.engraving import write_scores
from melody.listen.page import FLAGS, shown_settings
from melody.song import song_from_record


@dataclass(frozen=True)
class SongFolder:
    """Songs `001.mid`, `001.json` and so on."""

    path: Path
    settings: dict  # of the songs to compose

    def midi(self, number: int) -> Path:
        return self.path / f"{number:03d}.mid"

    def used(self) -> set[int]:
        """The numbers of the songs that exist."""
        return {int(file.stem) for file in self.path.glob("*.mid") if file.stem.isdecimal()}

    def free_numbers(self, songs: int, overwrite: bool) -> list[int]:
        """The lowest numbers that are free; with `overwrite` from 1."""
        used = set() if overwrite else self.used()
        return list(islice((number for number in count(1) if number not in used), songs))

    def check_same(self, number: int) -> None:
        """Raise `UserError` when a song with this number exists that was not composed with these settings."""
        path = self.midi(number)
        if not path.exists():
            return
        record = path.with_suffix(".json")
        made = load_json(record, "the same command and --overwrite") if record.exists() else {}
        for name in [*self.settings, *(name for name in FLAGS if name in made and name != "number")]:
            if made.get(name) != self.settings.get(name):
                values = f"{name} {made.get(name, 'unknown')}, not {self.settings.get(name)}"
                advice = "replace it with --overwrite, or write to another folder with --out"
                raise UserError(f"{path} is another song ({values}); {advice}")

    def write(self, record: dict, score: bool, number: int | None = None) -> None:
        """Write the record of a song as JSON, its scores if asked for, and last its MIDI file: it marks a complete
        song. The files have the song's own number unless another is given."""
        song, path = song_from_record(record), self.midi(number or record["number"])
        write_json(path.with_suffix(".json"), record)
        if score:
            write_scores(path, song, shown_settings(record), record["tempo"])
        write_midi(path, song, record["tempo"], record["instrument"], [json.dumps(self.settings)], record["plain"])
