"""Composes the songs of a request: the flags of generate_song.py that its settings mean, and what the page shows."""

from __future__ import annotations

import argparse
import shlex
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

import generate_song
from melody import copies, records
from melody.composer import ComposedSong
from melody.errors import UserError
from melody.formats.write_abc import abc
from melody.listen.page import collection_of, page_song, song_command
from melody.listen.page_html import article
from melody.models import Models
from melody.records import VaeRecord, vae_commands
from melody.regions import ALL
from melody.song import Song, song_record
from playground.reader import Reader
from playground.settings import DEEPEST, MOST_NOTES, MOST_SONGS, RequestError, Settings, abc_tune
from playground.store import Store
from vae import sample

REMEMBERED = 500  # songs, for their downloads
COPIED = 12  # notes in a row shared with a training song that are worth a warning
FILES = (".mid", ".musicxml", ".abc", ".krn", ".svg", ".json", ".zip")  # that each song can be downloaded as
CONTROLS = {"too few to compose in it": "meter", "continue": "notes"}  # by words of a message


class StoredSong(NamedTuple):
    """A composed song: its record, and the settings that its files hold."""

    record: dict
    settings: dict


class Cancelled(Exception):
    """Nobody waits for the song any more."""


class SongService:
    """Composes songs with models that are loaded once. `args` are the flags of serve.py."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.store, self.models = args, Store(args.out / "playground"), Models(args.weights, sample.load)
        self.reader = Reader(self.models.trained.vocabulary)
        self.models.read = self.reader.read
        self.songs: OrderedDict[str, StoredSong] = OrderedDict()
        self.places = count(1)
        split = {"split": self.models.trained.record.settings.get("split")}
        self.copied = copies.load(copies.path_of(args.weights), f"{copies.COMMAND} --overwrite", split)
        self.collection = collection_of(args.data)
        self.sources = dict(self._sources())

    def _sources(self) -> Iterator[tuple[str, list[str]]]:
        """The name of each VAE, and the flags that select it. Raises `UserError` if there is none."""
        paths = sorted(self.args.weights.glob("vae-*.json"), key=lambda path: (path.stem == f"vae-{ALL}", path))
        if not paths:
            raise UserError(f"no VAE in {self.args.weights}; make one with: {vae_commands('--regions china')}")
        for path in paths:
            name = path.stem.removeprefix("vae-")
            chosen = records.load(VaeRecord, path, vae_commands("--regions REGION")).memories["regions"]
            yield name, ["--name", name] if chosen is None else ["--regions", *chosen]

    # Settings -> flags

    def flags(self, settings: Settings, depth: int = 0) -> argparse.Namespace:
        """The flags of generate_song.py. Raises `RequestError`, which names the control, if a setting is not valid."""
        words = [*self._source(settings, depth), *settings.words(), *self._notes(settings)]
        folders = ["--data", str(self.args.data), "--weights", str(self.args.weights), "--quiet"]
        try:
            args = generate_song.arguments([*words, *folders])
        except argparse.ArgumentError as mistake:
            raise RequestError(mistake.message, (mistake.argument_name or "").strip("-")) from None
        except UserError as mistake:
            raise RequestError(str(mistake), _control(str(mistake), settings)) from None
        for control, most in (("count", MOST_SONGS), ("length", MOST_NOTES)):
            if getattr(args, control) > most:
                raise RequestError(f"at most {most} here", control)
        return args

    def _source(self, settings: Settings, depth: int) -> list[str]:
        """The flags of where memories come from."""
        if "vary" in settings.values:
            return ["--vary", str(self._varied(Settings.parse(settings.values["vary"]), depth))]
        folders = {"own": self._own(settings)} if "own" in settings.values else {}
        parts = settings.parts() or [("own", "1") if folders else (next(iter(self.sources)), "1")]
        for name, _ in parts:
            if name not in self.sources and name not in folders:
                ready = ", ".join([*self.sources, *folders])
                raise RequestError(f"{name[:40]!r} is not ready to compose from; choose from: {ready}", "mix")
        if len(parts) == 1:
            ((name, _),) = parts
            return ["--like", folders[name]] if name in folders else self.sources[name]
        return ["--mix", *(f"{folders.get(name, name)}={weight}" for name, weight in parts)]

    def _own(self, settings: Settings) -> str:
        folder = self.store.own(settings.values["own"])
        if not folder:
            raise RequestError("these songs are not on this machine any more; upload them again", "own")
        return str(folder)

    def _varied(self, settings: Settings, depth: int) -> Path:
        """The file of the song that is varied, which is composed if it is not remembered."""
        if depth >= DEEPEST:
            raise RequestError(f"a song can be varied {DEEPEST} times in a row; keep it and begin anew", "vary")
        if not {"seed", "number"} <= settings.values.keys() or "count" in settings.values:
            raise RequestError("the song to vary is not named by its seed and number", "vary")
        args = self.flags(settings, depth + 1)
        id = settings.of_song(args.number, args.seed).id
        if id not in self.songs:
            self._compose(settings, args, lambda number, stored, missed: None)
        return self.store.composed(id, title_of(self.songs[id].record), self.songs[id].record)

    def _notes(self, settings: Settings) -> list[str]:
        """The flag of the tune that is continued."""
        values = settings.values
        if "notes" not in values:
            return []
        text = abc_tune(values["notes"], values.get("meter", "").split(" ")[0], values.get("key", ""))
        try:
            return ["--continue", str(self.store.tune(self.reader.tune("abc", text.encode())))]
        except UserError as reason:
            raise RequestError(str(reason), "notes") from None

    # Songs

    def compose(self, settings: Settings, emit: Callable[[dict], None], is_cancelled: Callable[[], bool]) -> None:
        """Compose the songs of a request; `emit` takes an event for each, as soon as it has ended.

        Raises `RequestError` if a setting is not valid, and `Cancelled` soon after the request is cancelled.
        """

        def check(song: Song) -> tuple[Song, str]:
            if is_cancelled():
                raise Cancelled
            return song, ""

        args = self.flags(settings)
        emit({"songs": 1 if args.number else args.count, "warnings": list(generate_song.warnings(args))})

        def on_song(number: int, stored: StoredSong, missed: list[str]) -> None:
            emit(self.shown(settings.of_song(number, args.seed), stored, missed))

        self._compose(settings, args, on_song, [check])

    def _compose(self, settings: Settings, args: argparse.Namespace, on_song: Callable, further=()) -> None:
        """Compose and remember songs."""
        try:
            compose, of_songs = generate_song.load_composer(args, self.models, further)

            def remember(number: int, composed: ComposedSong) -> None:
                stored = StoredSong(song_record(composed.song, number, of_songs | composed.record), of_songs)
                self.songs[settings.of_song(number, args.seed).id] = stored
                while len(self.songs) > REMEMBERED:
                    self.songs.popitem(last=False)
                on_song(number, stored, composed.missed)

            compose([args.number] if args.number else range(1, args.count + 1), remember)
        except RequestError:
            raise
        except UserError as mistake:
            raise RequestError(str(mistake), _control(str(mistake), settings)) from None

    def shown(self, settings: Settings, stored: StoredSong, missed: list[str]) -> dict:
        """The event of a song: its article, the settings that compose it again, and what can be done with it."""
        record, title = stored.record, title_of(stored.record)
        suffixes = [*FILES, *([".wav"] if self.args.sound else [])]
        files = [f"songs/{settings.id}{suffix}" for suffix in suffixes]
        entry = page_song(record, record["title"], files, self.collection)
        longest = self.copied.longest(entry.song)
        attempts = f"after {generate_song.ATTEMPTS} attempts: {', '.join(missed)}"
        warnings = [f"Not as asked for, {attempts}."] if missed else []
        if longest > COPIED:
            shared = f"{longest} notes in a row are those of songs that the network was trained on"
            warnings.append(f"Perhaps a copy: {shared}, in any key.")
        command = song_command(record, self.args.out / title, [])
        return {
            "id": settings.id,
            "settings": settings.query(),
            "seed": record["seed"],
            "number": record["number"],
            "title": record["title"],
            "command": shlex.join([*shlex.split(command), *self.args.given]),
            "abc": abc(entry.song),
            "varies": "latent" in record,
            "html": article(replace(entry, warnings=warnings), next(self.places)),
        }


def title_of(record: dict) -> str:
    """The title of a song without its number."""
    return record["title"].rpartition(" ")[0]


def _control(message: str, settings: Settings) -> str:
    """The control that a message is about: one whose flag it names, or one that its words tell."""
    for name in settings.values:
        if f"--{name}" in message:
            return name
    return next((control for words, control in CONTROLS.items() if words in message), "")
