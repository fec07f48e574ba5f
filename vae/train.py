"""Stage 4: train a VAE on the memories of some regions.

reads   data/memories/<regions>.h5
writes  weights/vae-<regions>.weights.h5      the weights after the last epoch
        weights/vae-<regions>.json            sizes, regions, network, settings, versions, history
        weights/vae-<regions>-history.csv     and .png, .svg
        weights/vae-<regions>-checkpoint.weights.h5   all that --resume needs

    python -m vae.train                        memories of config.REGIONS: under a minute on two cores
    python -m vae.train --regions han shanxi   memories that generate_memories.py made of these
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import config
from melody.cli import above_zero, init_keras, log, nonnegative, parser, positive, run, size
from melody.errors import UserError

SHARED = ("epochs", "batch", "learning_rate")  # settings that train_lstm.py has as well
HELD_OUT = 0.1  # share of the memories that the loss is judged by
NUMBERS = {
    "latent": size, "mixture": size, "epochs": positive, "batch": size, "learning_rate": above_zero,
    "beta": nonnegative,
}  # fmt: skip


def main() -> None:
    args = arguments()
    init_keras(args)
    from melody import regions
    from melody.checkpoint import TrainingRun

    name = regions.file_name(args.regions)
    memories, made = load_memories(args.data / "memories" / f"{name}.h5", args.regions)
    settings = {flag: getattr(args, flag) for flag in (*NUMBERS, "hidden", "seed")} | {"memories": made}
    trainer = Trainer(memories, settings)
    training = TrainingRun(
        args.weights, f"vae-{name}", model=trainer.vae, eval_model=trainer.vae, monitor="validation_loss",
        best=False, settings=settings,
        record={"memory": memories.shape[1], "regions": made["regions"], "network": made["network"]},
        command=f"python -m vae.train --regions {' '.join(args.regions)}",
    )  # fmt: skip
    with training.lock():
        done = training.start(args.resume, args.overwrite)
        log(args, f"{len(memories)} memories of {name}; epochs done: {done} of {args.epochs}")
        training.train(args.epochs, 1, trainer.epoch, args.quiet)
    last = training.history[-1]
    log(
        args,
        f"{last['active_units']} of {args.latent} units active, KL {last['kl']:.1f} nats; wrote {training.weights}",
    )


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, data=config.DATA, weights=config.WEIGHTS)
    flags.add_argument("--regions", nargs="*", default=config.REGIONS, metavar="REGION",
                       help=f"as given to generate_memories.py (default: {config.REGIONS})")  # fmt: skip
    for name, kind in NUMBERS.items():
        default = getattr(config, f"VAE_{name.upper()}" if name in SHARED else name.upper())
        flags.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default, help=f"default: {default}")
    flags.add_argument("--hidden", type=size, nargs="+", default=config.HIDDEN, metavar="UNITS",
                       help=f"of the encoder's layers (default: {config.HIDDEN})")  # fmt: skip
    what = flags.add_mutually_exclusive_group()
    what.add_argument("--resume", action="store_true", help="go on after the last whole epoch")
    what.add_argument("--overwrite", action="store_true", help="begin anew, over the weights that are there")
    return flags.parse_args()


def load_memories(path: Path, constraints: list[str]):
    """The memories of a file, (count, memory) float32, and the settings that made them."""
    import numpy as np

    from melody import regions
    from melody.atomic import open_hdf5
    from melody.provenance import settings_of

    with open_hdf5(path, f"python generate_memories.py {regions.flag(constraints)} --overwrite") as file:
        memories, made = file["memory"][:], settings_of(file)
        if memories.ndim != 2 or memories.dtype != np.float32 or not np.isfinite(memories).all():
            raise ValueError("its memories are no rows of numbers")
        if regions.file_name(made["regions"]) != regions.file_name(constraints) or not made["network"]:
            raise ValueError(f"these are memories of {made['regions']}, asked for were those of {constraints}")
        return memories, made


class Trainer:
    """The epochs of a VAE over memories (count, memory); a part is held out to judge it."""

    def __init__(self, memories, settings: dict):
        import keras
        import numpy as np

        from melody.fast_lstm import jit_compile
        from vae.model import VAE

        keras.utils.set_random_seed(settings["seed"])
        order = np.random.default_rng(settings["seed"]).permutation(len(memories))
        held_out = int(HELD_OUT * len(memories))
        if not held_out:
            raise UserError(f"{len(memories)} memories are too few; generate_memories.py --count makes more")
        self.settings, self.training, self.held_out = settings, memories[order[held_out:]], memories[order[:held_out]]
        self.vae = VAE(memories.shape[1], *(settings[name] for name in ("latent", "hidden", "mixture", "beta")))
        self.vae.scale(self.training)
        steps = -(-len(self.training) // settings["batch"]) * settings["epochs"]
        rate = keras.optimizers.schedules.CosineDecay(settings["learning_rate"], steps)
        self.vae.compile(keras.optimizers.Adam(rate), jit_compile=jit_compile())

    def epoch(self, number: int, told: Callable[[dict], None]) -> dict[str, float]:
        """See all memories once; losses (nats), mean squared error of the standardised memories, active units."""
        import numpy as np

        order = np.random.default_rng([self.settings["seed"], number]).permutation(len(self.training))
        self.vae.reset_metrics()
        for batch in np.split(order, range(self.settings["batch"], len(order), self.settings["batch"])):
            row = self.vae.train_on_batch(self.training[batch], return_dict=True)
        self.vae.reset_metrics()
        judged = self.vae.test_on_batch(self.held_out, return_dict=True)
        row = {name: float(value) for name, value in row.items()}
        row |= {f"validation_{name}": float(value) for name, value in judged.items()}
        row["active_units"] = self.active_units()
        if number == self.settings["epochs"] - 1:
            self.vae.fit_mixture(self.training, np.random.default_rng(self.settings["seed"]))
        told(row)
        return row

    def active_units(self) -> int:
        """Latent dimensions whose posterior mean varies by more than .01 (Burda, Grosse & Salakhutdinov 2016, 5.2)."""
        return int((self.vae.encode(self.held_out).var(axis=0) > 0.01).sum())


if __name__ == "__main__":
    run(main)
