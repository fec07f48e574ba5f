"""Stage 2: train the network on the training songs of the collection, or go on with a network on songs of your own.

reads   data/songs.h5, data/vocabulary.json, data/split.json
        with --from also the network's weights/lstm.*, and kern, MIDI, ABC and MusicXML files
writes  weights/lstm.weights.h5     the best weights, by bits per note on validation songs
        weights/lstm.json           vocabulary, settings, versions, history
        weights/lstm-copies.h5      hashes of the training songs, see melody/copies.py
        weights/lstm-history.csv    and .png, .svg: bits per note, epoch by epoch
        weights/lstm-checkpoint.weights.h5   the state of the training, for --resume
        with --from these files in a folder of their own, weights/<name>

    python train_lstm.py            a new network: one to two hours on two cores
    python train_lstm.py --resume   continues after the last complete epoch
    KERAS_BACKEND=jax python train_lstm.py --processes 2 --address HOST:8476 --process 0   on two machines, see
                                    docs/scaling.md; the other one is process 1
    python train_lstm.py --from weights --songs tunes --name irish   fine-tuning: minutes; --from DIR --help: its flags

Fine-tuning mixes songs of your own with the collection, so that the network forgets little of it. One in ten of ten
songs or more is held out: these songs choose the weights, and what they need before and after is printed.
"""

import argparse
import shlex
from functools import partial
from pathlib import Path

from melody import dataset, distribution, own_songs, training_settings
from melody.cli import init_keras, log, run, with_given_folders
from melody.errors import UserError
from melody.flags import add_pitch_only, add_training_start, parser, songs_name
from melody.formats.song_files import find_songs
from melody.provenance import files_fingerprint

COMMAND = "python train_lstm.py"
FEWEST_SONGS = 5  # to go on with


def main() -> None:
    args = arguments()
    if args.network:
        init_keras(args)
        return fine_tune(args)
    with distribution.joined(args):
        init_keras(args)
        from melody.training import train  # Keras takes 5 s to load, which --help need not wait for

        train(args, "lstm", COMMAND, training_settings.training(args))


def arguments() -> argparse.Namespace:
    """The flags of a training, or with --from those of fine-tuning, some of which have other defaults."""
    start = argparse.ArgumentParser(add_help=False)
    start.add_argument("--from", dest="network", nargs="?")
    if start.parse_known_args()[0].network is None:
        flags = parser(__doc__, "data", "weights", *training_settings.SHAPE, *training_settings.TRAINING)
        add_pitch_only(flags)
        distribution.add_processes(flags)
    else:
        flags = parser(__doc__, "data", "weights", "jobs", *training_settings.SHARED, **training_settings.OWN)
    add_training_start(flags)
    own = flags.add_argument_group("fine-tuning")
    own.add_argument("--from", dest="network", type=Path, metavar="DIR", help="folder of the network to go on with")
    own.add_argument("--songs", nargs="+", metavar="PATH", help="songs of your own: folders, files or patterns")
    own.add_argument("--name", type=songs_name, help="of these songs; the network is written to --weights/NAME")
    args = flags.parse_args()
    if len({args.network is None, args.songs is None, args.name is None}) > 1:
        flags.error("--from, --songs and --name go together: --from weights --songs tunes --name irish")
    return args


def fine_tune(args: argparse.Namespace) -> None:
    """Go on with a network on songs of the user's own, and say how to compose with what it becomes."""
    from melody import fine_tuning, lstm

    if not (args.network / "lstm.json").exists():
        raise UserError(f"--from {args.network}: there is no network in this folder; the shipped one is in weights")
    folder = args.weights / args.name
    if args.network.resolve() == folder.resolve():
        raise UserError(f"{folder} is what --from goes on with; write to another folder with another --name")
    files, trained = find_songs(args.songs), lstm.load(args.network)
    found = own_songs.read(files, trained.vocabulary, partial(log, args), args.jobs, args.quiet)
    if len(found) < FEWEST_SONGS:
        raise UserError(f"{len(found)} songs are too few to go on with; give {FEWEST_SONGS} or more")
    own = dataset.dataset_of(found, trained.vocabulary)
    parts = fine_tuning.hold_out(own, range(len(own)), args.seed)
    log(args, f"{len(own):,} songs of {args.name}, {len(own.pitch):,} notes; {len(parts['validation'])} are held out")
    settings = training_settings.fine_tuning(args, trained.record.settings)
    settings |= {"name": args.name, "files": files_fingerprint(files)}
    fine_tuning.fine_tune(args, folder, trained, own, parts, settings, COMMAND)
    log(args, with_given_folders(f"compose with:\n{next_steps(args, folder)}"))


def next_steps(args: argparse.Namespace, folder: Path) -> str:
    """The commands that compose with the network in `folder`."""
    again = ["--overwrite"] if (args.data / "memories" / f"{args.name}.h5").exists() else []
    flags = ["--name", args.name, "--weights", str(folder)]
    steps = (["generate_memories.py", "--songs", *args.songs, *flags, *again], ["-m", "vae.train", *flags])
    return "\n".join(f"  python {shlex.join(step)}" for step in (*steps, ["generate_song.py", *flags]))


if __name__ == "__main__":
    run(main)
