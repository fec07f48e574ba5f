"""Stage 4: train a VAE on memories.

reads   data/memories/<name>.h5, weights/lstm.*
writes  weights/vae-<name>.weights.h5      the weights after the last epoch
        weights/vae-<name>.json            sizes, settings, settings of the memories, reach, versions, history
        weights/vae-<name>-history.csv     and .png, .svg
        weights/vae-<name>-checkpoint.weights.h5   what --resume needs

    python -m vae.train                        memories of config.REGIONS: a minute on two cores
    python -m vae.train --regions han shanxi   memories that generate_memories.py made of these
    python -m vae.train --name irish           memories of songs of your own
    python -m vae.train --regions-file regions.txt --cluster tcp://10.0.0.1:8786   many VAEs, one a line

A tenth of the memories is held out for validation. They were read from the same songs as the training memories, in
other combinations; so validation says how well unseen memories of these songs are reconstructed, not those of other
songs. At the end the network composes songs from memories of the VAE, and one line says whether they reach the songs
that were read; see `melody.reach`.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

if not __package__:  # run as a file, so that the project's packages cannot be imported
    sys.exit("error: run this in the project's folder as: python -m vae.train")

import numpy as np

from melody import cluster, memory, reach, regions
from melody.cli import init_keras, log, progress, run
from melody.errors import UserError
from melody.flags import add_cluster, add_regions, add_training_start, parser

VALIDATION_FRACTION = 0.1  # of the memories
MAX_ERROR = 0.6  # squared error of a good reconstruction; the shipped VAEs have .2 to .3
MAX_GAP = 1.5  # validation error over training error, above which the VAE has learned its memories by heart
SETTINGS = {  # flag: its name in config.py
    **{flag: flag.upper() for flag in ("latent", "hidden", "mixture", "beta")},
    **{flag: f"VAE_{flag.upper()}" for flag in ("epochs", "batch", "learning_rate")},
}

COMPOSING = ("temperature", "guidance", "length")  # flags of the songs that are composed to measure reach


def main() -> None:
    args = arguments()
    init_keras(args)
    runs = [args.regions]
    if args.regions_file:
        runs = regions.load(args.regions_file)
    if args.cluster:
        found = cluster.results(args.cluster, "vae.train:train", runs, args)
    else:
        found = (train(args, chosen) for chosen in runs)
    for lines in progress(found, args.quiet or len(runs) == 1, total=len(runs), unit="VAE"):
        log(args, lines)


def train(args: argparse.Namespace, chosen: list[str] | None) -> str:
    """Train the VAE of the chosen regions, or with None of --name; the lines that say how good it is."""
    import keras  # late: it takes 5 s to load, which --help need not wait for

    from melody.training_run import TrainingRun, same_command

    keras.utils.clear_session(free_memory=False)  # so that names do not depend on the regions before
    name = args.name if chosen is None else regions.file_name(chosen)
    memories, descriptions, memory_settings = memory.load(args.data, name, chosen)
    settings = {flag: getattr(args, flag) for flag in (*SETTINGS, "seed")} | {"memories": memory_settings}
    trainer = Trainer(memories, settings)
    training = TrainingRun(
        args.weights,
        f"vae-{name}",
        model=trainer.vae,
        eval_model=trainer.vae,
        monitor="validation_loss",
        save_best=False,
        settings=settings,
        record={"memory": memories.shape[1]},
        command=same_command("python -m vae.train"),
    )
    with training.lock():
        done = training.start(args.resume, args.overwrite)
        network = reach.load_network(args.weights, memory_settings, descriptions)
        log(args, f"{len(memories)} memories of {name}; epochs done: {done} of {args.epochs}")
        training.train(args.epochs, 1, trainer.epoch, args.quiet)
        found = measure(trainer.vae, network, descriptions, args)
        training.add_to_record(reach=found._asdict())
    quality = f"{verdict(training.history[-1], args.latent)}\n{found.text(name, chosen is None)}"
    return f"{quality}\nwrote {training.weights}"


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights", *COMPOSING, **SETTINGS)
    one = add_regions(flags, "regions as given to generate_memories.py")
    many = "text file of many regions, one a line, each as after --regions: a VAE of each"
    one.add_argument("--regions-file", type=Path, metavar="FILE", help=many)
    add_training_start(flags)
    add_cluster(flags)
    return flags.parse_args()


def measure(vae, network, descriptions: np.ndarray, args: argparse.Namespace) -> reach.Reach:
    """The reach of songs that the network composes from memories of the VAE; `descriptions` are of the songs read."""
    options = {name: getattr(args, name) for name in COMPOSING}
    return reach.measure_memories(
        network, descriptions, lambda count, rng: vae.decode(vae.sample(count, rng)), args.seed, **options
    )


class Trainer:
    """The epochs of a VAE over memories (count, memory); `settings` are the flags of this script."""

    def __init__(self, memories: np.ndarray, settings: dict):
        import keras

        from melody.backend import check_memory, jit_compile
        from vae.model import VAE, parameters

        keras.utils.set_random_seed(settings["seed"])
        order = np.random.default_rng(settings["seed"]).permutation(len(memories))
        count = int(VALIDATION_FRACTION * len(memories))
        if not count:
            raise UserError(f"{len(memories)} memories are too few; generate_memories.py --count makes more")
        self.settings, self.training, self.validation = settings, memories[order[count:]], memories[order[:count]]
        sizes = memories.shape[1], settings["latent"], settings["hidden"], settings["mixture"]
        bytes_needed = 4 * 4 * parameters(*sizes)  # weights, gradients and Adam's two moments, float32
        check_memory(bytes_needed, "this training", "lower --hidden, --latent or --mixture")
        self.vae = VAE(*sizes, settings["beta"])
        self.vae.adapt(self.training)
        steps = -(-len(self.training) // settings["batch"]) * settings["epochs"]
        rate = keras.optimizers.schedules.CosineDecay(settings["learning_rate"], steps)
        self.vae.compile(keras.optimizers.Adam(rate), jit_compile=jit_compile())

    def epoch(self, number: int, on_step: Callable[[dict], None]) -> dict[str, float]:
        """Train on all memories once; losses (nats), mean squared error of standardised memories, active units."""
        order = np.random.default_rng([self.settings["seed"], number]).permutation(len(self.training))
        self.vae.reset_metrics()
        for batch in np.split(order, range(self.settings["batch"], len(order), self.settings["batch"])):
            row = self.vae.train_on_batch(self.training[batch], return_dict=True)
        self.vae.reset_metrics()
        validation = self.vae.test_on_batch(self.validation, return_dict=True)
        row = {name: float(value) for name, value in row.items()}
        row |= {f"validation_{name}": float(value) for name, value in validation.items()}
        row["active_units"] = self.active_units()
        if number == self.settings["epochs"] - 1:
            self.vae.fit_mixture(self.training, np.random.default_rng(self.settings["seed"]))
        on_step(row)
        return row

    def active_units(self) -> int:
        """Latent dimensions whose posterior mean varies by more than .01 (Burda, Grosse & Salakhutdinov 2016, 5.2)."""
        return int((self.vae.encode(self.validation).var(axis=0) > 0.01).sum())


def verdict(row: dict[str, float], latent: int) -> str:
    """Whether a VAE is good, and why, from the last row of its history.

    The error is the mean squared error of standardised memories: 1 for a VAE that always returns the mean memory, 0 for
    a perfect one.
    """
    error, training_error, active = row["validation_reconstruction"], row["reconstruction"], int(row["active_units"])
    problems = []
    if 2 * active < latent:
        problems.append("most latent dimensions are unused: lower --beta")
    if error > MAX_ERROR:
        problems.append("memories are reconstructed badly: raise --epochs or --latent, or lower --beta")
    if error > MAX_GAP * training_error:
        problems.append("it knows its training memories by heart: generate_memories.py --count makes more")
    return (
        f"{'poor' if problems else 'good'} VAE: {active} of {latent} latent dimensions are used (half or more: good); "
        f"validation memories keep {error:.0%} of the error of the mean memory ({MAX_ERROR:.0%} or less: good), "
        f"training memories with {training_error:.0%}" + "".join(f"; {problem}" for problem in problems)
    )


if __name__ == "__main__":
    run(main)
