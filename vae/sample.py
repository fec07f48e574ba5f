"""Draw memories from a trained VAE.

reads   weights/vae-<regions>.weights.h5, .json
writes  data/memories/<regions>-drawn.h5   memory (count, memory), latent (count, latent)

    python -m vae.sample --regions china --count 1000
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import config
from melody.cli import init_keras, log, parser, positive, run, size
from melody.errors import UserError


def main() -> None:
    args = arguments()
    init_keras(args)
    import h5py
    import numpy as np

    from melody import regions
    from melody.atomic import atomic_write, file_lock
    from melody.provenance import is_up_to_date

    name = regions.file_name(args.regions)
    vae, record = load(args.weights, args.regions)
    path = args.data / "memories" / f"{name}-drawn.h5"
    settings = {"regions": sorted(args.regions), "count": args.count, "seed": args.seed, "vae": record["weights"]}
    if not args.overwrite and is_up_to_date(path, settings):
        return log(args, f"{path} is there, made with these settings; nothing to do")
    memories = vae.decode(latents := vae.draw(args.count, np.random.default_rng(args.seed)))
    with (
        file_lock(path),
        atomic_write(path, memories.nbytes + latents.nbytes) as beside,
        h5py.File(beside, "w") as file,
    ):
        file["memory"], file["latent"] = memories, latents
        file.attrs["settings"] = json.dumps(settings)
    log(args, f"wrote {args.count} memories to {path}")


def arguments() -> argparse.Namespace:
    flags = parser(__doc__, config.SEED, data=config.DATA, weights=config.WEIGHTS)
    flags.add_argument("--regions", nargs="*", default=config.REGIONS, metavar="REGION",
                       help=f"of a trained VAE (default: {config.REGIONS})")  # fmt: skip
    flags.add_argument("--count", type=positive, default=1000, help="memories (default: 1000)")
    flags.add_argument("--overwrite", action="store_true", help="over memories that are there")
    return flags.parse_args()


def load(folder: Path, constraints: list[str]):
    """The VAE of some regions and its record. Raises `Problem` that names the commands to run and the ready regions."""
    from melody import checkpoint, regions
    from melody.atomic import load_json
    from vae.model import VAE

    name = regions.file_name(constraints)
    path, flag = folder / f"vae-{name}.weights.h5", regions.flag(constraints)
    command = f"python -m vae.train {flag}"
    if not path.exists():
        ready = ", ".join(
            sorted(file.name[4:-11] for file in folder.glob("vae-*.weights.h5") if "-checkpoint" not in file.name)
        )
        raise UserError(
            f"no VAE of {name} in {folder}; make it with: python generate_memories.py {flag} && {command} "
            f"(ready: {ready or 'none'})"
        )
    record = load_json(path.with_name(f"vae-{name}.json"), command)
    try:
        settings = record["settings"]
        memory, latent, mixture = (
            size(str(number)) for number in (record["memory"], settings["latent"], settings["mixture"])
        )
        hidden = [size(str(units)) for units in settings["hidden"]]
        written, _ = str(record["weights"]), (record["network"], regions.file_name(record["regions"]))
    except (KeyError, TypeError, AttributeError, argparse.ArgumentTypeError) as missing:
        raise UserError(f"{folder}/vae-{name}.json is damaged ({missing}); make it again with: {command}") from None
    return checkpoint.load_weights(VAE(memory, latent, hidden, mixture), path, command, written), record


def check_network(record: dict, network: str) -> None:
    """Raises `Problem` when a VAE learnt the memories of another network."""
    from melody import regions

    if record["network"] != network:
        name, flag = regions.file_name(record["regions"]), regions.flag(record["regions"])
        raise UserError(
            f"the VAE of {name} knows the memories of network {record['network']}, this is {network}; make them anew: "
            f"python generate_memories.py {flag} --overwrite && python -m vae.train {flag} --overwrite"
        )


if __name__ == "__main__":
    run(main)
