"""State dict diff: keys that are missing, unexpected or of another shape in a checkpoint. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, NamedTuple

from remi_stream.networks.network import TensorShapes

if TYPE_CHECKING:
    import torch

SHOWN_KEYS = 3
"""How many keys of each kind a message names."""


class StateDictDiff(NamedTuple):
    """Differences between the keys and shapes of a checkpoint and a network."""

    missing: list[str]
    mismatched: list[str]
    """With both shapes: "head.weight [3, 4], expected [3, 5]"."""
    unexpected: list[str]

    @property
    def fault_count(self) -> int:
        """Number of keys that differ."""
        return len(self.missing) + len(self.mismatched) + len(self.unexpected)

    def summary(self) -> str:
        """Return the differences as text: the number of keys of each kind, and the first three."""
        kinds = {"missing": self.missing, "of another shape": self.mismatched, "not of this network": self.unexpected}
        return "; ".join(f"{format_count(len(keys), 'key')} {kind}: {first_few(keys)}" for kind, keys in kinds.items() if keys)


def tensor_shapes(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor by key."""
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def diff_state_dicts(got: TensorShapes, expected: TensorShapes, foreign_parts: Collection[str] = ()) -> StateDictDiff:
    """Compare the tensors of a checkpoint with those that a network has.

    A checkpoint may contain other modules (losses, a body model): keys outside the network's top-level parts are ignored,
    unless they are in `foreign_parts`, the parts of other networks.
    """
    parts = top_level_parts(expected) | set(foreign_parts)
    return StateDictDiff(
        [key for key in expected if key not in got and not is_optional_key(key)],
        [f"{key} {list(got[key])}, expected {list(expected[key])}" for key in got if got[key] != expected.get(key, got[key])],
        [key for key in got if key not in expected and key.partition(".")[0] in parts],
    )


def top_level_parts(shapes: TensorShapes) -> set[str]:
    """Return the top-level parts of keys: "backbone", "head"."""
    return {key.partition(".")[0] for key in shapes}


def is_optional_key(key: str) -> bool:
    """Return whether checkpoints of early PyTorch lack this key: batch norm's counter, which only training uses."""
    return key.endswith(".num_batches_tracked")


def first_few(keys: list[str]) -> str:
    """Join the first few keys as text."""
    return ", ".join(keys[:SHOWN_KEYS]) + (", ..." if len(keys) > SHOWN_KEYS else "")


def format_count(number: int, noun: str) -> str:
    """Format a count with its noun: "1 key", "2 keys"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
