"""Sample memories from a trained VAE.

reads   weights/vae-<name>.weights.h5, .json
writes  data/memories/<name>-sampled.h5   memory (count, memory), latent (count, latent)

    python -m vae.sample --regions china --count 1000
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:  # run as a file, so that the project's packages cannot be imported
    sys.exit("error: run this in the project's folder as: python -m vae.sample")

import h5py
import numpy as np

from melody import records, regions
from melody.atomic import atomic_write, file_lock
from melody.cli import init_keras, log, run
from melody.errors import UserError
from melody.flags import add_regions, parser, positive
from melody.provenance import is_up_to_date
from melody.records import VaeRecord, vae_commands

if TYPE_CHECKING:
    from vae.model import VAE


def main() -> None:
    args = arguments()
    init_keras(args)
    vae, record = load(args.weights, args.name, regions.flag(args.regions, args.name))
    path = args.data / "memories" / f"{args.name}-sampled.h5"
    settings = {"name": args.name, "count": args.count, "seed": args.seed, "vae": record.weights}
    if not args.overwrite and is_up_to_date(path, settings):
        return log(args, f"{path} exists and was made with these settings; nothing to do")
    memories = vae.decode(latents := vae.sample(args.count, np.random.default_rng(args.seed)))
    size = memories.nbytes + latents.nbytes
    with file_lock(path), atomic_write(path, size) as temporary, h5py.File(temporary, "w") as file:
        file["memory"], file["latent"] = memories, latents
        file.attrs["settings"] = json.dumps(settings)
    log(args, f"wrote {args.count} memories to {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, "data", "weights")
    add_regions(flags, "regions of a trained VAE")
    flags.add_argument("--count", type=positive, default=1000, help="number of memories (default: 1000)")
    flags.add_argument("--overwrite", action="store_true", help="replace memories that exist")
    return flags.parse_args()


def load(folder: Path, name: str, flags: str) -> tuple[VAE, VaeRecord]:
    """The VAE called `name` and its record; `flags` are for the commands in messages.

    Raises `UserError` if it is missing (naming those that exist), damaged, or too large for this machine.
    """
    from melody.backend import check_memory
    from melody.checkpoint import load_weights
    from vae.model import VAE, parameters

    path = folder / f"vae-{name}.weights.h5"
    if not path.exists():
        trained = {file.name.removesuffix(".weights.h5") for file in folder.glob("vae-*.weights.h5")}
        ready = ", ".join(sorted(name[4:] for name in trained if not name.endswith("-checkpoint"))) or "none"
        raise UserError(f"no VAE of {name} in {folder}; make it with: {vae_commands(flags)} (ready: {ready})")
    command = f"python -m vae.train {flags} --overwrite"
    record = records.load(VaeRecord, folder / f"vae-{name}.json", command)
    sizes = record.memory, record.latent, record.hidden, record.mixture
    check_memory(4 * parameters(*sizes), f"the VAE of {folder}/vae-{name}.json", "use a machine with more memory")
    return load_weights(VAE(*sizes), path, command, record.weights), record


if __name__ == "__main__":
    run(main)
