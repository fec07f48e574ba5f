"""Stage 5: compose songs in the manner of some regions.

reads   weights/lstm.*, weights/vae-<regions>.*
writes  songs/<regions>/001.mid, 001.json, 002.mid …   each song, and beside it what made it

    python generate_song.py                            songs of config.REGIONS: a few seconds
    python generate_song.py --wav --score --page       to hear, to read, and a page: songs/china/index.html
    python generate_song.py --regions deutschl --count 20 --seed 7

A latent is drawn from the VAE, which decodes it to a memory, the memory becomes the state of the network, and the
network composes from there, note by note, until it ends the song. Songs are numbered on from those that are there; a
song follows from its seed and its number, so a second call composes new ones.
"""

import argparse
import json
from pathlib import Path

import config
from melody.atomic import file_lock
from melody.cli import in_range, init_keras, log, parser, positive, progress, run, size, temperature
from melody.errors import UserError
from melody.listen.song_folder import MAX_SONGS, check_page_size, write_folder_page, write_scores
from melody.listen.soundfont import equipment
from melody.song import FASTEST, LARGEST, SLOWEST, SMALLEST, song_from_record, song_record

BLOCK = 512  # songs composed side by side


def main() -> None:
    args = arguments()
    init_keras(args)
    import numpy as np

    from melody import lstm, regions, sampling
    from vae import sample

    if args.wav or args.play:
        log(args, equipment(args.sound_font))
    vae, record = sample.load(args.weights, regions.file_name(args.regions), regions.flag(args.regions))
    trained = lstm.load(args.weights)
    record.check_network(trained.fingerprint)
    player = sampling.Sampler(trained.network, guided=args.guidance != 0)
    name = regions.file_name(args.regions)
    made = {
        "regions": sorted(args.regions), "seed": args.seed, "temperature": args.temperature, "guidance": args.guidance,
        "length": args.length, "note_length": args.note_length, "tempo": args.tempo, "instrument": args.instrument,
        "network": trained.fingerprint, "vae": record.weights,
    }  # fmt: skip
    folder = args.out / name
    with file_lock(folder):
        numbers = free_numbers(folder, args)
        with progress(None, args.quiet, total=args.count, unit="song") as bar:
            for block in (numbers[first : first + BLOCK] for first in range(0, args.count, BLOCK)):
                rngs = [np.random.default_rng([args.seed, number]) for number in block]  # a song is its seed and number
                latents = np.concatenate([vae.sample(1, rng) for rng in rngs])
                for number, latent, notes in zip(
                    block, latents, compose(player, vae, latents, rngs, args), strict=True
                ):
                    write(folder, name, number, trained.vocabulary.decode(notes), latent, made, args)
                    bar.update()
        sound(folder, numbers, args)
        if args.page:
            log(args, f"wrote {write_folder_page(folder, args.data, args.quiet)}")
    log(args, f"wrote {args.count} songs, {midi(folder, numbers[0])} to {midi(folder, numbers[-1]).name}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, data=config.DATA, weights=config.WEIGHTS, out=config.SONGS)
    flags.add_argument("--regions", nargs="*", default=config.REGIONS, metavar="REGION",
                       help=f"of a trained VAE (default: {config.REGIONS})")  # fmt: skip
    numbers = {
        "count": (positive, "songs, written as they are composed"),
        "temperature": (temperature, "below 1 the network ventures less, above 1 more"),
        "guidance": (in_range(0, 100), "push away from what is composed without a memory; 0: none"),
        "length": (size, "notes a song has at most"),
        "note_length": (in_range(SMALLEST, LARGEST), "quarter notes a note lasts"),
        "tempo": (in_range(SLOWEST, FASTEST), "quarter notes a minute"),
        "instrument": (in_range(0, 127, int), "General MIDI program, 0 to 127"),
    }  # fmt: skip
    for name, (kind, meaning) in numbers.items():
        default = getattr(config, name.upper())
        flags.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=default, help=f"{meaning} (default: {default})"
        )
    flags.add_argument("--wav", action="store_true", help="render each song as a WAV file beside it")
    flags.add_argument("--play", action="store_true", help="play the songs when all are composed")
    flags.add_argument("--score", action="store_true", help="write MusicXML, an engraved SVG and kern beside each song")
    flags.add_argument(
        "--page",
        action="store_true",
        help=f"write index.html: all songs of the folder, {MAX_SONGS:,} at most, to hear and see",
    )
    flags.add_argument("--sound-font", default=config.SOUND_FONT, metavar="FILE", help="for --wav and --play")
    flags.add_argument("--overwrite", action="store_true", help="number the songs from 001 again, over those there")
    return flags.parse_args()


def midi(folder: Path, number: int) -> Path:
    """Where a song is written; what else there is of it stands beside."""
    return folder / f"{number:03d}.mid"


def free_numbers(folder: Path, args: argparse.Namespace) -> range:
    """The numbers of the new songs: after those there, or from 1. Raises `Problem` when a page cannot hold so many."""
    there = [] if args.overwrite else [int(file.stem) for file in folder.glob("*.mid") if file.stem.isdecimal()]
    first = max(there, default=0) + 1
    if args.page:
        check_page_size(first - 1 + args.count)
    return range(first, first + args.count)


def compose(player, vae, latents, rngs: list, args: argparse.Namespace) -> list:
    """The songs of some latents, integers of the vocabulary; each draws from its own generator."""
    from melody import memory

    states = memory.unpack(vae.decode(latents), player.shape.states)
    return player.compose(states, rngs, temperature=args.temperature, guidance=args.guidance, length=args.length)


def write(folder: Path, name: str, number: int, pitch: list[str], latent, made: dict, args: argparse.Namespace) -> None:
    """Write what made a song as JSON, its scores when asked for, and last the song: where it is, all of it is."""
    from melody.atomic import write_json
    from melody.formats.write_midi import write_midi

    record = song_record(f"{name} {number:03d}", number, pitch, {**made, "latent": latent.tolist()})
    path = midi(folder, number)
    write_json(path.with_suffix(".json"), record)
    if args.score:
        write_scores(path, record)
    write_midi(path, song_from_record(record), args.tempo, args.instrument, [json.dumps(made)])


def sound(folder: Path, numbers: range, args: argparse.Namespace) -> None:
    """Render and play the songs, as asked; else say how to hear them."""
    from melody.listen.audio import play, write_wav

    for number in progress(numbers, args.quiet, unit="wav") if args.wav else ():
        write_wav(midi(folder, number), midi(folder, number).with_suffix(".wav"), args.sound_font)
    for number in numbers if args.play else ():
        log(args, f"playing {midi(folder, number)}")
        play(midi(folder, number), args.sound_font)
    if not (args.wav or args.play):
        try:
            equipment(args.sound_font)
            log(args, f"to hear a song: python -m melody.listen.audio {midi(folder, numbers[0])} --play")
        except UserError as missing:
            log(args, f"to hear the songs: {missing}")


if __name__ == "__main__":
    run(main)
