"""Stage 5: compose songs in the style of some regions.

reads   weights/lstm.*, weights/vae-<name>.*
writes  songs/<name>/001.mid, 001.json, 002.mid ...    each song, and its settings, latent, notes and rhythm

    python generate_song.py                            8 songs of config.REGIONS in 7 seconds
    python generate_song.py --wav --score --page       also sound, scores and a page: songs/china/index.html
    python generate_song.py --regions deutschl --count 20 --seed 7 --instrument violin
    python generate_song.py --name irish               in the style of songs of your own
    python generate_song.py --meter 3/4 6/8 --key d    songs in 3/4 or 6/8, in D minor
    python generate_song.py --number 6                 only song 6, the same as in a run of many songs

A latent sampled from the VAE is decoded to a memory, which is the initial state of the network; the network then
composes note by note until it ends the song; a song that --length cuts ends with a full bar. A song in the other mode
than that of --key is composed again. A song depends on its settings, seed and number alone. New songs take the lowest
numbers that are free, so a second run composes new ones.
"""

import argparse
import json
import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np

from melody import regions
from melody.atomic import file_lock, load_json, write_json
from melody.cli import init_keras, log, progress, run
from melody.errors import UserError
from melody.flags import add_regions, parser, positive
from melody.formats.write_midi import write_midi
from melody.key import KEYS, notated_key, transposed
from melody.listen.audio import play, write_wav
from melody.listen.engraving import write_scores
from melody.listen.page import MAX_SONGS, check_page_size, shown_settings, write_folder_page
from melody.listen.soundfont import check_synthesizer
from melody.song import Song, song_from_record, song_record

BLOCK = 512  # songs composed at once
ATTEMPTS = 64  # at a song in the mode of --key
SETTINGS = {name: name for name in "seed temperature guidance length tempo instrument plain".split()}
SETTINGS |= {"meters": "meter", "asked_key": "key"}  # of a song, besides its models: fields of its record, and flags
LOOPING, RANDOM, STRONG = 0.5, 2.0, 10.0  # temperatures and guidance with unusual songs, as `warn` says


def main() -> None:
    args = arguments()
    if args.wav or args.play:
        log(args, check_synthesizer(args.sound_font))
    init_keras(args)
    warn(args)
    compose, settings = load_composer(args)
    folder = args.out / args.name
    with file_lock(folder):
        numbers = choose_numbers(folder, settings, args)
        paths = [midi_path(folder, number) for number in numbers]
        compose_songs(compose, folder, numbers, settings, args)
        for path in progress(paths, args.quiet, unit="wav") if args.wav else ():
            write_wav(path, path.with_suffix(".wav"), args.sound_font)
        if args.page:
            log(args, f"wrote {write_folder_page(folder, args.data, args.quiet)}")
    for path in paths if args.play else ():
        log(args, f"playing {path}")
        play(path, args.sound_font)
    if not (args.wav or args.play):
        log(args, listening_advice(paths[0], args.sound_font))
    log(args, summary(paths))


def arguments() -> argparse.Namespace:
    music = "temperature guidance length key tempo instrument sound_font".split()
    flags = parser(__doc__, "data", "weights", "count", *music, out="SONGS", meter="METERS")
    add_regions(flags, "regions of a trained VAE")
    number = "compose only the song of this number, instead of --count new ones"
    flags.add_argument("--number", type=positive, help=number)
    flags.add_argument("--wav", action="store_true", help="render each song as a WAV file beside it")
    flags.add_argument("--play", action="store_true", help="play the songs when all are composed")
    plain = "play every note as loud as the others and in strict time: MIDI files that are the exact score"
    flags.add_argument("--plain", action="store_true", help=plain)
    flags.add_argument("--score", action="store_true", help="write MusicXML, SVG, ABC and kern beside each song")
    page = f"write index.html, a page to listen to all songs of the folder, at most {MAX_SONGS:,}"
    flags.add_argument("--page", action="store_true", help=page)
    flags.add_argument("--overwrite", action="store_true", help="replace songs; number from 001 again")
    return flags.parse_args()


def warn(args: argparse.Namespace) -> None:
    """Warn of settings whose songs are unusual; the figures are from 48 songs of China for each value."""
    if args.temperature <= LOOPING:
        log(args, f"warning: at temperatures up to {LOOPING:g} a third of the songs mostly repeat the same notes")
    if args.temperature >= RANDOM:
        log(args, f"warning: at temperatures from {RANDOM:g} notes are nearly random, 1 step in 20 over an octave")
    if args.guidance >= STRONG:
        log(args, f"warning: with guidance from {STRONG:g} songs are a third shorter than with the default")


def load_composer(args: argparse.Namespace) -> tuple[Callable, dict]:
    """A function that composes songs, `compose(numbers, on_song)`, and the settings for their records.

    `on_song(number, latent, song)` is called as soon as a song has ended; its key is the one found from its notes, or
    `args.key`. A song in the other mode is composed again, with a new latent.
    """
    # Late: Keras takes 4 seconds to import, which `--help` and errors in flags need not wait for.
    from melody import encoding, lstm, memory, sampling
    from vae import sample

    vae, record = sample.load(args.weights, args.name, regions.flag(args.regions, args.name))
    trained = lstm.load(args.weights)
    record.check_network(trained.fingerprint)
    if record.reach:
        log(args, record.reach.text(args.name, args.regions is None))
    sampler = sampling.Sampler(trained.network, trained.vocabulary, guided=args.guidance != 0)

    def compose(numbers: list[int], on_song: Callable[[int, np.ndarray, Song], None], attempt: int = 0) -> None:
        # [seed, number, 0] gives the random numbers of [seed, number]
        rngs = [np.random.default_rng([args.seed, number, attempt]) for number in numbers]
        latents, rejected = np.concatenate([vae.sample(1, rng) for rng in rngs]), []

        def on_end(index: int, encoded: encoding.EncodedSong) -> None:
            number = numbers[index]
            song = encoding.decode(encoded, trained.vocabulary, f"{args.name} {number:03d}")
            song = replace(song, key=notated_key(song.pitch, song.duration))
            song = in_key(song, args.key, attempt == ATTEMPTS - 1) if args.key else song
            if song:
                on_song(number, latents[index], song)
            else:
                rejected.append(number)

        sampler.compose(
            memory.unpack(vae.decode(latents), sampler.shape.states),
            rngs,
            temperature=args.temperature,
            guidance=args.guidance,
            length=args.length,
            meters=args.meter,
            on_song=on_end,
        )
        if rejected:
            compose(rejected, on_song, attempt + 1)

    return compose, settings_of(args) | {"network": trained.fingerprint, "vae": record.weights}


def settings_of(args: argparse.Namespace) -> dict:
    """The settings for the records of songs, without their models."""
    source = {"name": args.name} if args.regions is None else {"regions": sorted(args.regions)}
    return {**source, **{name: getattr(args, flag) for name, flag in SETTINGS.items()}}


def in_key(song: Song, key: str, last: bool) -> Song | None:
    """The song transposed to a key; None if that is impossible, for its mode is another.

    At the last attempt a song in the other mode is transposed to that mode on the same tonic, as far as possible.
    """
    for target in (key, key.swapcase())[: 1 + last]:
        if target in KEYS:
            with suppress(UserError):
                return transposed(song, target)
    return song if last else None


def choose_numbers(folder: Path, settings: dict, args: argparse.Namespace) -> list[int]:
    """The numbers of the songs to compose: `--number`, or the lowest that are free.

    Raises `UserError` when `--number` would replace another song, and when a page cannot show all songs.
    """
    used = {int(file.stem) for file in folder.glob("*.mid") if file.stem.isdecimal()}
    if args.number and not args.overwrite:
        check_same_song(midi_path(folder, args.number), settings)
    free = (number for number in count(1) if args.overwrite or number not in used)
    numbers = [args.number] if args.number else list(islice(free, args.count))
    if args.page:
        check_page_size(len(used.union(numbers)))
    return numbers


def check_same_song(path: Path, settings: dict) -> None:
    """Raise `UserError` when a MIDI file exists that was not composed with these settings."""
    if not path.exists():
        return
    record = path.with_suffix(".json")
    made = load_json(record, "the same command and --overwrite") if record.exists() else {}
    for name, value in settings.items():
        if made.get(name) != value:
            other = f"{path} is another song ({name} {made.get(name, 'unknown')}, not {value})"
            raise UserError(f"{other}; replace it with --overwrite, or write to another folder with --out")


def compose_songs(
    compose: Callable, folder: Path, numbers: list[int], settings: dict, args: argparse.Namespace
) -> None:
    """Compose songs and write each as soon as it has ended. Ctrl-C says how many are written."""
    with progress(None, args.quiet, total=len(numbers), unit="song") as bar:
        written, others = [], []

        def on_song(number: int, latent: np.ndarray, song: Song) -> None:
            record = song_record(song, number, {**settings, "latent": latent.tolist()})
            write_song(midi_path(folder, number), record, settings, args.score)
            written.append(number)
            others.extend([f"{number:03d} ({song.key})"] * (args.key not in (None, song.key)))
            bar.update()

        try:
            for first in range(0, len(numbers), BLOCK):
                compose(numbers[first : first + BLOCK], on_song)
        except KeyboardInterrupt:
            done = f"{len(written)} of {len(numbers)} songs are written to {folder}"
            raise KeyboardInterrupt(f"stopped; {done}; the same command composes further songs") from None
    if others:
        mode = "minor" if args.key.islower() else "major"
        log(args, f"no song in {mode} was found in {ATTEMPTS} attempts for {', '.join(sorted(others))}")


def write_song(path: Path, record: dict, settings: dict, score: bool) -> None:
    """Write the record of a song as JSON, its scores if asked for, and last its MIDI file: it marks a complete song."""
    song = song_from_record(record)
    write_json(path.with_suffix(".json"), record)
    if score:
        write_scores(path, song, shown_settings(record), record["tempo"])
    write_midi(path, song, record["tempo"], record["instrument"], [json.dumps(settings)], record["plain"])


def midi_path(folder: Path, number: int) -> Path:
    return folder / f"{number:03d}.mid"


def summary(paths: list[Path]) -> str:
    """`wrote 8 songs, songs/china/001.mid to 008.mid`; the last line of a run."""
    return (
        f"wrote {len(paths)} songs, {paths[0]} to {paths[-1].name}" if len(paths) > 1 else f"wrote 1 song, {paths[0]}"
    )


def listening_advice(path: Path, sound_font: str | None) -> str:
    """The command that plays a song, or what to install for it."""
    try:
        check_synthesizer(sound_font)
    except UserError as missing:
        return f"to listen to the songs: {missing}"
    font = ["--sound-font", str(sound_font)] if sound_font else []
    return "to listen to a song: " + shlex.join(["python", "-m", "melody.listen.audio", str(path), "--play", *font])


if __name__ == "__main__":
    run(main)
