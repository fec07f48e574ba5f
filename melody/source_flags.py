"""The flags of generate_song.py that say where memories come from, and what they mean for names and records."""

import argparse
import re
from pathlib import Path

from melody.errors import UserError
from melody.flags import Flags, add_regions, in_range
from melody.song import HIGHEST, LOWEST
from melody.vocabulary import Spelling

FARTHEST = 6  # standard deviations from the mean of the latent plane


def add_sources(flags: Flags) -> None:
    """Add `--regions`, `--name`, `--like`, `--mix` and `--vary`, of which one may be given, `--at` and `--continue`."""
    one = add_regions(flags, "regions of a trained VAE")
    like = "files, folders or patterns of songs, which the network reads before it composes; no VAE is needed"
    one.add_argument("--like", nargs="+", metavar="PATH", help=like)
    mix = "weighted sum of memories, each of a VAE (its region or name) or of files; the weights may have any sum"
    one.add_argument("--mix", nargs="+", type=mixture_part, metavar="NAME=WEIGHT", help=mix)
    vary = "a composed song (001.json), whose memory is used again"
    one.add_argument("--vary", type=Path, metavar="SONG", help=vary)
    at = f"a point of the latent plane of the VAE: both coordinates in standard deviations, up to {FARTHEST}"
    flags.add_argument("--at", nargs=2, type=in_range(-FARTHEST, FARTHEST), metavar=("X", "Y"), help=at)
    distance = "with --vary: distance from that memory, in standard deviations of the latent space (default: 0)"
    flags.add_argument("--distance", type=_distance, metavar="N", help=distance)
    continued = "a tune, read after the memory, which the songs go on from"
    flags.add_argument("--continue", dest="continued", metavar="PATH", help=continued)
    keep = "with --continue: write the notes of the tune as well"
    flags.add_argument("--keep", action="store_true", help=keep)


def mixture_part(text: str) -> str:
    """The type of `--mix`: a name, = and a weight."""
    split_part(text)
    return text


def split_part(text: str) -> tuple[str, float]:
    """
    >>> split_part("china=0.7")
    ('china', 0.7)
    """
    name, _, weight = text.rpartition("=")
    if not name or not re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", weight) or abs(float(weight)) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a name and a weight up to 100, such as china=0.7")
    return name, float(weight)


def note(text: str) -> str:
    """The type of a note name, of a note that can be read again."""
    try:
        midi = Spelling(text).midi
    except UserError as mistake:
        raise argparse.ArgumentTypeError(str(mistake)) from None
    if not LOWEST <= midi <= HIGHEST:
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a note from C1 to G9")
    return text


def _distance(text: str) -> float:
    if not re.fullmatch(r"\d+\.?\d*|\.\d+", text) or float(text) > 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 100")
    return float(text)


def with_title(flags: Flags, args: argparse.Namespace) -> argparse.Namespace:
    """The parsed flags with a `title`, which names the folder of the songs and begins their titles.

    It is the region's or the user's name, or says what the songs are made from: `like-tune`, `mix-china-deutschl`.
    """
    if args.distance is not None and not args.vary:
        flags.error("--distance goes with --vary SONG")
    if args.keep and not args.continued:
        flags.error("--keep goes with --continue PATH")
    if args.at and (args.like or args.mix or args.vary):
        flags.error("--at goes with --regions or --name: one VAE")
    words = [args.name]
    if args.like:
        words = ["like", *(Path(path).stem for path in args.like)]
    elif args.mix:
        words = ["mix", *(Path(split_part(part)[0]).stem for part in args.mix)]
    elif args.vary:
        words = ["vary", args.vary.resolve().parent.name, args.vary.stem]
    if len(words) > 1:
        args.regions = args.name = None
    if args.continued:
        words += ["continue", Path(args.continued).stem]
    title = words[0] if len(words) == 1 else re.sub(r"[^\w+]+", "-", "-".join(words)).strip("-")[:80]
    args.title = title
    return args


def source_settings(args: argparse.Namespace) -> dict[str, object]:
    """What the record of a song says of these flags."""
    given = {"like": args.like, "mix": args.mix, "vary": args.vary and str(args.vary), "distance": args.distance}
    given |= {
        "at": args.at,
        "continued": args.continued,
        "keep": args.keep or None,
        "name": (args.regions is None and args.name) or None,
    }
    given |= {"regions": None if args.regions is None else sorted(args.regions)}
    return {name: value for name, value in given.items() if value is not None}
