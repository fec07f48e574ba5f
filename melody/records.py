"""The JSON records beside weights: typed, and checked when they are loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from melody import regions
from melody.atomic import load_json
from melody.errors import UserError
from melody.vocabulary import Vocabulary

MAX_SIZE = 16_384  # of a layer, as the flags allow
Record = TypeVar("Record")


@dataclass(frozen=True)
class Shape:
    """What fixes the shapes of the network's weights."""

    notes: int  # in the vocabulary
    embedding: int  # dimensions of a note's embedding
    units: int  # of each LSTM layer
    layers: int
    dense: int  # units between the LSTM and the logits
    regions: int = 0  # control tokens, numbered from 1; 0: the network reads none

    @property
    def states(self) -> int:
        """h and c of each layer."""
        return 2 * self.layers

    @property
    def memory(self) -> int:
        """Numbers in a memory."""
        return self.states * self.units


@dataclass(frozen=True)
class NetworkRecord:
    """lstm.json, or token.json of the control token: the shape of a network and what it was trained on."""

    weights: str  # fingerprint of the weights file
    shape: Shape
    vocabulary: Vocabulary
    held_out: dict[str, list[str]]  # part of the split: names of the songs that the network was not trained on
    settings: dict  # of the training
    regions: list[str] = field(default_factory=list)  # that its control tokens stand for, from 1

    @classmethod
    def load(cls, path: Path, command: str) -> NetworkRecord:
        """Raises `UserError`, which names the `command` that makes it, if the record is missing or damaged."""
        return _load(path, command, cls._parse)

    @classmethod
    def _parse(cls, record: dict) -> NetworkRecord:
        vocabulary, settings = Vocabulary(_texts(record, "vocabulary")), _dict(record, "settings")
        known = _texts(record, "regions") if "regions" in record else []
        sizes = (_size(settings, name) for name in ("embedding", "units", "layers", "dense"))
        shape = Shape(len(vocabulary), *sizes, regions=len(known))
        held_out = {part: _texts(_dict(record, "held_out"), part) for part in ("validation", "test")}
        return cls(_text(record, "weights"), shape, vocabulary, held_out, settings, known)


@dataclass(frozen=True)
class VaeRecord:
    """vae-<name>.json: the sizes of a VAE and the settings of its memories."""

    weights: str  # fingerprint of the weights file
    memory: int  # numbers in a memory
    latent: int  # dimensions of the latent space
    hidden: list[int]  # units of the encoder's layers
    mixture: int  # Gaussians in the prior
    memories: dict  # the settings that made the memories, with the fingerprint of the network that they belong to

    @classmethod
    def load(cls, path: Path, command: str) -> VaeRecord:
        """Raises `UserError`, which names the `command` that makes it, if the record is missing or damaged."""
        return _load(path, command, cls._parse)

    @classmethod
    def _parse(cls, record: dict) -> VaeRecord:
        settings = _dict(record, "settings")
        memories, hidden = _dict(settings, "memories"), settings.get("hidden")
        if not isinstance(hidden, list) or not hidden:
            raise ValueError(f"hidden is {hidden!r}, not a list of sizes")
        hidden = [_size({"hidden": units}, "hidden") for units in hidden]
        _text(memories, "network"), _texts(memories, "regions")
        sizes = _size(record, "memory", 2**31), _size(settings, "latent"), hidden, _size(settings, "mixture")
        return cls(_text(record, "weights"), *sizes, memories)

    def check_network(self, fingerprint: str) -> None:
        """Raises `UserError` if the VAE was trained on memories of another network."""
        if self.memories["network"] != fingerprint:
            chosen = self.memories["regions"]
            raise UserError(
                f"the VAE of {regions.file_name(chosen)} belongs to network {self.memories['network']}, not to "
                f"{fingerprint}; train it again: {vae_commands(f'{regions.flag(chosen)} --overwrite')}"
            )


def vae_commands(flags: str) -> str:
    """The commands that make memories and their VAE; `flags` say of what."""
    return f"python generate_memories.py {flags} && python -m vae.train {flags}"


def _load(path: Path, command: str, parse: Callable[[dict], Record]) -> Record:
    record = load_json(path, command)
    try:
        return parse(record)
    except (TypeError, ValueError, AttributeError) as reason:
        raise UserError(f"{path} is damaged ({reason}); make it again with: {command}") from None


def _size(record: dict, name: str, most: int = MAX_SIZE) -> int:
    value = record.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r}, not a whole number from 1 to {most:,}")
    return value


def _text(record: dict, name: str) -> str:
    if not isinstance(record.get(name), str):
        raise ValueError(f"{name} is missing or not a text")
    return record[name]


def _texts(record: dict, name: str) -> list[str]:
    values = record.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{name} is missing or not a list of texts")
    return values


def _dict(record: dict, name: str) -> dict:
    if not isinstance(record.get(name), dict):
        raise ValueError(f"{name} is missing or not a table")
    return record[name]
