"""Songs of the user's own, read directly for a network: files of any format, transposed where its notes ask for it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from melody.errors import UserError
from melody.formats.corpus import read_all
from melody.key import fitted
from melody.song import Song
from melody.vocabulary import Vocabulary

MOST_SKIPPED = 10  # of the songs that are left out are named


def read(
    files: Sequence[tuple[Path, Path]],
    vocabulary: Vocabulary,
    log: Callable[[str], None],
    jobs: int = -1,
    quiet: bool = False,
) -> list[Song]:
    """The songs of some files (see `find_songs`), in notes of the vocabulary. Logs what was left out and changed.

    A song with notes that the vocabulary lacks is transposed by as few semitones as possible to where it knows all of
    them. Raises `UserError` if no song remains.
    """
    found, skipped = read_all(list(files), jobs, quiet)
    fitting = {song.name: fitted(song, vocabulary.index.__contains__) for song in found}
    skipped += [(name, f"in no key all of its notes are known ({vocabulary})") for name in fitting if not fitting[name]]
    for file, reason in skipped[:MOST_SKIPPED]:
        log(f"left out: {file}: {reason}")
    if skipped[MOST_SKIPPED:]:
        log(f"left out: {len(skipped) - MOST_SKIPPED:,} more; python preprocess.py --songs lists all of them")
    moves = [semitones for _, semitones in filter(None, fitting.values()) if semitones]
    if moves:
        most = max(map(abs, moves))
        log(f"songs transposed to known notes: {len(moves):,} (by {most} semitones at most)")
    chords = sum(song.chords > 0 for song in found)
    if chords:
        log(f"songs with chords, of which the highest notes are read: {chords:,}")
    parts = sum(song.parts > 1 for song in found)
    if parts:
        log(f"songs with further parts, which are left out: {parts:,}")
    songs = [one[0] for one in fitting.values() if one]
    if not songs:
        raise UserError(f"none of {len(found):,} songs can be read by the network, which knows {vocabulary}")
    return songs
