"""How the tensors of a checkpoint differ from those of a network: by key and shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

Shapes = Mapping[str, tuple[int, ...]]
SHOWN = 3


class Difference(NamedTuple):
    """missing, misshaped, unknown: keys."""

    missing: list[str]
    misshaped: list[str]
    unknown: list[str]

    @property
    def faults(self) -> int:
        """How many keys are wrong."""
        return len(self.missing) + len(self.misshaped) + len(self.unknown)

    def words(self) -> str:
        """What is wrong: the first three keys of each kind, and how many there are."""
        kinds = {"missing": self.missing, "of another shape": self.misshaped, "not of this network": self.unknown}
        return "; ".join(f"{counted(len(keys), 'key')} {kind}: {some(keys)}" for kind, keys in kinds.items() if keys)


def difference(got: Shapes, expected: Shapes, others: Collection[str] = ()) -> Difference:
    """Compare the tensors of a checkpoint with those that a network has.

    A checkpoint may hold other things beside the network (losses, a body model): keys outside of the network's parts are no
    fault, unless they are of `others`, parts of other networks.
    """
    parts = parts_of(expected) | set(others)
    return Difference(
        [key for key in expected if key not in got and not may_be_absent(key)],
        [f"{key} {list(got[key])}, expected {list(expected[key])}" for key in got if got[key] != expected.get(key, got[key])],
        [key for key in got if key not in expected and key.partition(".")[0] in parts],
    )


def parts_of(shapes: Shapes) -> set[str]:
    """The first parts of keys: "backbone", "head"."""
    return {key.partition(".")[0] for key in shapes}


def may_be_absent(key: str) -> bool:
    """Whether checkpoints of early PyTorch lack this: the counter of a normalisation, which only training reads."""
    return key.endswith(".num_batches_tracked")


def some(keys: list[str]) -> str:
    """The first few of many."""
    return ", ".join(keys[:SHOWN]) + (", ..." if len(keys) > SHOWN else "")


def counted(number: int, thing: str) -> str:
    """A number of things: "1 key", "2 keys"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
