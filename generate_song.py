"""Stage 5: compose songs in the style of some regions, or of songs that you give.

reads   weights/lstm.*, weights/vae-<name>.*; with --like and --continue also your songs
writes  songs/<name>/001.mid, 001.json, 002.mid ...    each song, and its settings, latent, notes and rhythm

    python generate_song.py                            8 songs of config.REGIONS
    python generate_song.py --wav --score --page       also sound, scores and a page: songs/china/index.html
    python generate_song.py --regions deutschl --count 20 --seed 7 --instrument violin
    python generate_song.py --meter 3/4 6/8 --key d --range C4 D5    in 3/4 or 6/8, in D minor, from C4 to D5
    python generate_song.py --number 6                 only song 6, the same as in a run of many songs
    python generate_song.py --name irish               in the style of songs of your own, from their VAE
    python generate_song.py --like tune.mid more.abc   after reading these songs, without a VAE
    python generate_song.py --mix china=0.7 deutschl=0.3       from the weighted sum of memories
    python generate_song.py --vary songs/china/006.json --distance 1    near the memory of that song
    python generate_song.py --continue tune.abc --keep         continues a tune, and writes it as well

A latent sampled from the VAE is decoded to a memory, which is the initial state of the network; the network then
composes note by note until it ends the song; a song that --length cuts ends with a full bar. A song that is not as
--key, --range, --min-length and --max-copy ask is transposed or composed again. A song depends on its settings, seed
and number alone. New songs take the lowest numbers that are free, so a second run composes new ones.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from melody import copies, curation, regions, selection
from melody.atomic import file_lock
from melody.cli import init_keras, log, progress, run
from melody.copies import CopyIndex
from melody.dataset import Dataset
from melody.errors import UserError
from melody.flags import add_cluster, in_range, parser, positive
from melody.formats.song_files import find_songs
from melody.listen.audio import play, write_wav
from melody.listen.page import MAX_SONGS, check_page_size, write_folder_page
from melody.listen.soundfont import check_synthesizer
from melody.song import song_record
from melody.song_folder import SongFolder
from melody.source_flags import add_sources, note, source_settings, with_title
from melody.vocabulary import Spelling

if TYPE_CHECKING:
    from melody.composer import ComposedSong
    from melody.lstm import TrainedNetwork
    from melody.models import Models

BLOCK = 512  # songs composed at once
ATTEMPTS = 64  # at a song that passes all checks
CANDIDATES = 3  # composed for each song with --curate
SETTINGS = {name: name for name in "seed temperature guidance length tempo instrument plain".split()}
SETTINGS |= {"meters": "meter", "asked_key": "key"}  # of a song, besides its models: fields of its record, and flags
OPTIONS = {"temperature": "temperature", "guidance": "guidance", "length": "length", "meters": "meter"}  # of sampling
CURATED_COPY = 12  # notes in a row that a song of --curate may share with another
OPTIONAL = ("min_length", "range", "max_copy", "curate")  # settings that a record has only if they were asked for
LOOPING, RANDOM, STRONG = 0.5, 2.0, 10.0  # temperatures and guidance with unusual songs, as `warnings` says


def main() -> None:
    args = arguments()
    if args.wav or args.play:
        log(args, check_synthesizer(args.sound_font))
    init_keras(args)
    for warning in warnings(args):
        log(args, f"warning: {warning}")
    compose, settings = load_composer(args)
    folder = SongFolder(args.out / args.title, settings)
    with file_lock(folder.path):
        numbers = choose_numbers(folder, args)
        paths = [folder.midi(number) for number in numbers]
        compose_songs(compose, folder, numbers, args)
        for path in progress(paths, args.quiet, unit="wav") if args.wav else ():
            write_wav(path, path.with_suffix(".wav"), args.sound_font)
        if args.page:
            log(args, f"wrote {write_folder_page(folder.path, args.data, args.quiet)}")
    for path in paths if args.play else ():
        log(args, f"playing {path}")
        play(path, args.sound_font)
    if not (args.wav or args.play):
        log(args, listening_advice(paths[0], args.sound_font))
    log(args, summary(paths))


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of the command line, or of `words`; for these an invalid one raises `UserError` or `ArgumentError`."""
    music = "temperature guidance length key tempo instrument sound_font memory_songs memory_similar memory_notes"
    flags = parser(__doc__, "data", "weights", "count", *music.split(), out="SONGS", meter="METERS")
    flags.exit_on_error = words is None
    add_sources(flags)
    flags.add_argument("--min-length", type=positive, metavar="N", help="fewest notes of a song")
    flags.add_argument("--range", nargs=2, type=note, metavar="NOTE", help="lowest and highest note, such as C4 A5")
    most = in_range(copies.GRAM - 1, 1000, int)
    copied = "most notes in a row that a song may share with one of the collection, or of the songs that you show"
    flags.add_argument("--max-copy", type=most, metavar="N", help=f"{copied}; longer: it is composed again")
    curate = f"compose {CANDIDATES} songs for each and keep the best: cadence, repetition and range like real songs; "
    curate += f"--max-copy {CURATED_COPY} unless another is given"
    flags.add_argument("--curate", action="store_true", help=curate)
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
    add_cluster(flags)
    args = with_title(flags, flags.parse_args(words))
    if args.range and Spelling(args.range[0]).midi > Spelling(args.range[1]).midi:
        flags.error(f"--range {' '.join(args.range)}: the lowest note comes first")
    if (args.min_length or 0) > args.length:
        flags.error(f"--min-length {args.min_length} is more than --length {args.length}")
    if args.keep and (args.max_copy or args.curate):
        flags.error("with --keep a song has the notes of the tune; leave out --max-copy and --curate")
    if args.continued and args.meter:
        flags.error("--continue goes on in the meter of the tune; leave out --meter")
    return args


def warnings(args: argparse.Namespace) -> Iterator[str]:
    """What is unusual about songs with these settings; the figures are from 48 songs of China for each value."""
    if args.temperature <= LOOPING:
        yield f"at temperatures up to {LOOPING:g} a third of the songs mostly repeat the same notes"
    if args.temperature >= RANDOM:
        yield f"at temperatures from {RANDOM:g} notes are nearly random, 1 step in 20 over an octave"
    if args.guidance >= STRONG:
        yield f"with guidance from {STRONG:g} songs are a third shorter than with the default"


def load_composer(
    args: argparse.Namespace, models: Models | None = None, further: Sequence[selection.Check] = ()
) -> tuple[Callable, dict]:
    """`Composer.compose` with these flags, and the settings of its songs for their records. `models` are those of
    `args.weights`, if they are loaded; `further` checks come before those of the flags."""
    # Late: Keras takes 4 seconds to import, which `--help` and errors in flags need not wait for.
    from melody import sources
    from melody.composer import Composer, compose_on_workers
    from melody.continuation import Continuation
    from melody.models import Models
    from vae import sample

    models = models or Models(args.weights, sample.load)
    trained, sampler = models.trained, models.sampler(args.guidance != 0)
    source, fingerprints = sources.load(args, models)
    continuation = None
    if args.continued:
        tunes = models.read(find_songs([args.continued]), trained.vocabulary, partial(log, args), quiet=args.quiet)
        continuation = Continuation(tunes, sampler, models.encoder, trained.vocabulary, args.keep)
    composer = Composer(
        sampler,
        source,
        trained.vocabulary,
        args.title,
        args.seed,
        {name: getattr(args, flag) for name, flag in OPTIONS.items()},
        [*further, *checks(args, copy_indexes(args, trained, source.shown))],
        ATTEMPTS,
        continuation,
        **({"candidates": CANDIDATES, "score": curation.score} if args.curate else {}),
    )
    compose = partial(compose_on_workers, args, "generate_song:load_composer") if args.cluster else composer.compose
    return compose, settings_of(args) | {"network": trained.fingerprint} | fingerprints


def copy_indexes(args: argparse.Namespace, trained: TrainedNetwork, shown: Sequence[Dataset]) -> list[CopyIndex]:
    """The songs that none may copy: those that the network was trained on, and that the user shows; see --max-copy."""
    if not (args.max_copy or args.curate):
        return []
    split = {"split": trained.record.settings.get("split")}
    found = [copies.load(copies.path_of(args.weights), f"{copies.COMMAND} --overwrite", split)]
    path = args.data / "memories" / f"{args.name}.h5"
    if args.regions is None and args.name and path.exists():
        command = f"{regions.memories_command(regions.flag(None, args.name))} --overwrite"
        found.append(copies.load(path, command, {"network": trained.fingerprint}))
    return found + [CopyIndex.of(songs, range(len(songs)), found[0].rhythm) for songs in shown]


def checks(args: argparse.Namespace, indexes: Sequence[CopyIndex]) -> list[selection.Check]:
    """What is asked of each song."""
    asked = [selection.at_least(args.min_length or 1)]
    asked += [copies.no_copy(indexes, args.max_copy or CURATED_COPY)] if indexes else []
    asked += [selection.in_key(args.key)] if args.key else []
    return asked + ([selection.in_range(*args.range, same_key=bool(args.key))] if args.range else [])


def settings_of(args: argparse.Namespace) -> dict:
    """The settings for the records of songs, without their models."""
    optional = {name: getattr(args, name) for name in OPTIONAL if getattr(args, name)}
    return source_settings(args) | {name: getattr(args, flag) for name, flag in SETTINGS.items()} | optional


def choose_numbers(folder: SongFolder, args: argparse.Namespace) -> list[int]:
    """The numbers of the songs to compose: `--number`, or the lowest that are free.

    Raises `UserError` when `--number` would replace another song, and when a page cannot show all songs.
    """
    if args.number and not args.overwrite:
        folder.check_same(args.number)
    numbers = [args.number] if args.number else folder.free_numbers(args.count, args.overwrite)
    if args.page:
        check_page_size(len(folder.used().union(numbers)))
    return numbers


def compose_songs(compose: Callable, folder: SongFolder, numbers: list[int], args: argparse.Namespace) -> None:
    """Compose songs and write each as soon as it has ended. Ctrl-C says how many are written."""
    with progress(None, args.quiet, total=len(numbers), unit="song") as bar:
        written, missed = [], []

        def on_song(number: int, composed: ComposedSong) -> None:
            song = composed.song
            folder.write(song_record(song, number, folder.settings | composed.record), args.score)
            written.append(number)
            missed.extend([f"{number:03d} ({', '.join(composed.missed)})"] * bool(composed.missed))
            bar.update()

        try:
            block = len(numbers) if args.cluster else BLOCK
            for first in range(0, len(numbers), block):
                compose(numbers[first : first + block], on_song)
        except KeyboardInterrupt:
            done = f"{len(written)} of {len(numbers)} songs are written to {folder.path}"
            raise KeyboardInterrupt(f"stopped; {done}; the same command composes further songs") from None
    if missed:
        log(args, f"{ATTEMPTS} attempts were not enough for {', '.join(sorted(missed))}; the last song is kept")


def summary(paths: list[Path]) -> str:
    """`wrote 8 songs, songs/china/001.mid to 008.mid`; the last line of a run."""
    return f"wrote {len(paths)} songs, {paths[0]} to {paths[-1].name}" if paths[1:] else f"wrote 1 song, {paths[0]}"


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
