"""State dict diff: keys that are missing, unexpected or of another shape in a checkpoint."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

Shapes = Mapping[str, tuple[int, ...]]
SHOWN = 3  # keys of each kind in a message


class Difference(NamedTuple):
    """Differences between the keys and shapes of a checkpoint and a network."""

    missing: list[str]
    misshaped: list[str]
    """With both shapes: "head.weight [3, 4], expected [3, 5]"."""
    unknown: list[str]

    @property
    def faults(self) -> int:
        """Number of keys that differ."""
        return len(self.missing) + len(self.misshaped) + len(self.unknown)

    def words(self) -> str:
        """Return the differences as text: the number of keys of each kind, and the first three."""
        kinds = {"missing": self.missing, "of another shape": self.misshaped, "not of this network": self.unknown}
        return "; ".join(f"{counted(len(keys), 'key')} {kind}: {some(keys)}" for kind, keys in kinds.items() if keys)


def difference(got: Shapes, expected: Shapes, others: Collection[str] = ()) -> Difference:
    """Compare the tensors of a checkpoint with those that a network has.

    A checkpoint may contain other modules (losses, a body model): keys outside the network's top-level parts are ignored,
    unless they are in `others`, the parts of other networks.
    """
    parts = parts_of(expected) | set(others)
    return Difference(
        [key for key in expected if key not in got and not may_be_absent(key)],
        [f"{key} {list(got[key])}, expected {list(expected[key])}" for key in got if got[key] != expected.get(key, got[key])],
        [key for key in got if key not in expected and key.partition(".")[0] in parts],
    )


def parts_of(shapes: Shapes) -> set[str]:
    """Return the top-level parts of keys: "backbone", "head"."""
    return {key.partition(".")[0] for key in shapes}


def may_be_absent(key: str) -> bool:
    """Return whether checkpoints of early PyTorch lack this key: batch norm's counter, which only training uses."""
    return key.endswith(".num_batches_tracked")


def some(keys: list[str]) -> str:
    """Join the first few keys as text."""
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")


def counted(number: int, thing: str) -> str:
    """Format a count with its noun: "1 key", "2 keys"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
