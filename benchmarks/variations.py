"""A collection as large as one likes: copies of kern files under other names, whose melodies are not near-duplicates.

    python -m benchmarks.variations essen-folksong-collection out --songs 100000

Every note of a copy is moved by a random number of diatonic steps, so that rhythm, bars and phrases are those of real
songs, and hardly eight intervals in a row are those of the original. A thousand songs lie in a folder.
"""

import argparse
import re
from pathlib import Path

import numpy as np

from benchmarks.context import song_files
from melody.cli import log, progress, run
from melody.errors import UserError
from melody.flags import in_range, parser

MOST_STEPS = 3  # that a note is moved
LOWEST, HIGHEST = 14, 42  # diatonic steps, C2 to C6; C4 is 28
NOTE = re.compile(r"([A-Ga-g])\1*[#n-]*")
LETTERS = "cdefgab"


def varied(kern: str, rng: np.random.Generator) -> str:
    """A kern file whose notes are moved at random."""
    steps = iter(rng.integers(-MOST_STEPS, MOST_STEPS + 1, len(kern)).tolist())

    def moved(match: re.Match) -> str:
        letter, count = match[1], len(match[0].rstrip("#n-"))
        octave = 3 + count if letter.islower() else 4 - count
        step = 7 * octave + LETTERS.index(letter.lower()) + next(steps)
        octave, letter = divmod(min(max(step, LOWEST), HIGHEST), 7)
        return LETTERS[letter] * (octave - 3) if octave > 3 else LETTERS[letter].upper() * (4 - octave)

    lines = (line if line[:1] in "*!=" else NOTE.sub(moved, line) for line in kern.splitlines())
    return "\n".join(lines) + "\n"


def write_variations(source: Path, folder: Path, songs: int, seed: int, quiet: bool = False) -> None:
    """Write so many copies of the kern files of `source`, each of another melody, into `folder`."""
    texts = [path.read_text(encoding="latin-1") for path in map(Path, song_files(source)) if path.suffix == ".krn"]
    if not texts:
        raise UserError(f"no kern files in {source}")
    numbers = progress(range(songs), quiet, unit="song")
    for number in numbers:
        path = folder / f"{number // 1000:04d}" / f"tune{number:08d}.krn"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(varied(texts[number % len(texts)], np.random.default_rng([seed, number])), encoding="latin-1")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__)
    flags.add_argument("source", type=Path, help="folder of kern files")
    flags.add_argument("folder", type=Path, help="that is written")
    flags.add_argument("--songs", type=in_range(1, 100_000_000, int), required=True, help="copies")
    return flags.parse_args()


def main() -> None:
    args = arguments()
    write_variations(args.source, args.folder, args.songs, args.seed, args.quiet)
    log(args, f"wrote {args.songs:,} songs to {args.folder}")


if __name__ == "__main__":
    run(main)
