"""The JSON records beside weights: typed, and checked when they are loaded."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

from melody import regions
from melody.atomic import load_json
from melody.errors import UserError
from melody.reach import Reach
from melody.vocabulary import Vocabulary

MAX_SIZE = 16_384  # of a layer, as the flags allow
Record = TypeVar("Record", "NetworkRecord", "VaeRecord")


@dataclass(frozen=True)
class Shape:
    """What fixes the shapes of the network's weights."""

    notes: int  # in the vocabulary
    embedding: int  # dimensions of a note's embedding
    units: int  # of each LSTM layer
    layers: int
    dense: int  # units between the LSTM and the logits
    regions: int = 0  # control tokens, numbered from 1; 0: the network reads none
    rhythms: int = 0  # in the vocabulary; 0: the network reads pitches alone
    openings: int = 0
    signatures: int = 0
    beats: int = 0

    @classmethod
    def of(cls, vocabulary: Vocabulary, settings: dict, regions: int = 0) -> Self:
        """The shape of a network of these settings. Raises `ValueError` if a size is missing or invalid, `UserError` if
        songs of the vocabulary cannot begin."""
        sizes = (_size(settings, name) for name in ("embedding", "units", "layers", "dense"))
        rhythm = vocabulary.rhythm
        if bool(rhythm.rhythms) != bool(rhythm.openings):
            raise UserError(
                "the vocabulary has no rhythms or no openings; read more songs: python preprocess.py --songs"
            )
        counts = (len(known) for known in (rhythm.rhythms, rhythm.openings, rhythm.signatures, rhythm.beats))
        return cls(len(vocabulary), *sizes, regions, *counts)

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
    def parse(cls, record: dict) -> Self:
        """Raises `ValueError` or `UserError` if a field is missing or not of its type."""
        vocabulary, settings = Vocabulary.parse(_get(record, "vocabulary", dict)), _get(record, "settings", dict)
        known = _texts(record, "regions") if "regions" in record else []
        shape = Shape.of(vocabulary, settings, len(known))
        held_out = {part: _texts(_get(record, "held_out", dict), part) for part in ("validation", "test")}
        return cls(_get(record, "weights", str), shape, vocabulary, held_out, settings, known)


@dataclass(frozen=True)
class VaeRecord:
    """vae-<name>.json: the sizes of a VAE and the settings of its memories."""

    weights: str  # fingerprint of the weights file
    memory: int  # numbers in a memory
    latent: int  # dimensions of the latent space
    hidden: list[int]  # units of the encoder's layers
    mixture: int  # Gaussians in the prior
    memories: dict  # the settings that made the memories, with the fingerprint of the network that they belong to
    reach: Reach | None = None  # of songs from its memories; None: not measured

    @classmethod
    def parse(cls, record: dict) -> Self:
        """Raises `ValueError` if a field is missing or not of its type."""
        settings = _get(record, "settings", dict)
        memories = _get(settings, "memories", dict)
        hidden = [_size({"hidden": units}, "hidden") for units in _get(settings, "hidden", list) or [None]]
        _get(memories, "network", str)
        if memories.get("regions") is None:  # memories of songs of the user's own
            _get(memories, "name", str)
        else:
            _texts(memories, "regions")
        sizes = _size(record, "memory", 2**31), _size(settings, "latent"), hidden, _size(settings, "mixture")
        reach = Reach.parse(_get(record, "reach", dict)) if "reach" in record else None
        return cls(_get(record, "weights", str), *sizes, memories, reach)

    def check_network(self, fingerprint: str) -> None:
        """Raises `UserError` if the VAE was trained on memories of another network."""
        if self.memories["network"] != fingerprint:
            chosen = self.memories.get("regions")
            name = self.memories["name"] if chosen is None else regions.file_name(chosen)
            raise UserError(
                f"the VAE of {name} belongs to network {self.memories['network']}, not to {fingerprint}; train it "
                f"again: {vae_commands(f'{regions.flag(chosen, name)} --overwrite')}"
            )


def vae_commands(flags: str) -> str:
    """The commands that make memories and their VAE; `flags` say of what."""
    return f"{regions.memories_command(flags)} && python -m vae.train {flags}"


def load(kind: type[Record], path: Path, command: str) -> Record:
    """A record. Raises `UserError`, which names the `command` that makes it, if it is missing or damaged."""
    record = load_json(path, command)
    try:
        return kind.parse(record)
    except (TypeError, ValueError, AttributeError) as reason:
        raise UserError(f"{path} is damaged ({reason}); make it again with: {command}") from None


def _size(record: dict, name: str, most: int = MAX_SIZE) -> int:
    value = record.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r}, not a whole number from 1 to {most:,}")
    return value


def _get(record: dict, name: str, kind: type) -> Any:
    if not isinstance(record.get(name), kind):
        raise ValueError(f"{name} is missing or not a {kind.__name__}")
    return record[name]


def _texts(record: dict, name: str) -> list[str]:
    if not all(isinstance(value, str) for value in _get(record, name, list)):
        raise ValueError(f"{name} is not a list of texts")
    return record[name]
