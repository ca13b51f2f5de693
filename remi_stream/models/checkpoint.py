"""Checkpoints of the published networks, in their published containers.

A container is the state dict itself, or has it under "model", "state_dict" or "model_pos", possibly nested; keys may begin with
"module." or "model.". Keys of the body model (smpl.*) are left out: it comes from SMPL's own files. Darknet's .weights are
numbers without keys.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remi_stream.errors import RemiError
from remi_stream.models.difference import Difference, Shapes, counted, difference, may_be_absent, parts_of, some
from remi_stream.networks.network import NETWORKS

if TYPE_CHECKING:
    import torch

CONTAINERS = ("model", "state_dict", "model_pos")
PREFIXES = re.compile(r"^(module\.)?(model\.)?")
BODY = "smpl."
DARKNET = tuple(name for name, network in NETWORKS.items() if ".darknet:" in network.make)
SIZED = tuple(name for name, network in NETWORKS.items() if ".smoothnet:" in network.make or ".videopose3d:" in network.make)
HEADER_BYTES = 20
KIN = 0.5
"""Share of a network's keys that a file must have to be reported as a faulty checkpoint of it."""


def read_checkpoint(path: Path, network: str) -> dict[str, torch.Tensor]:
    """Read a checkpoint's tensors by the network's keys, floats as float32. Raises RemiError unless it fits exactly."""
    require_torch(path)
    if network in DARKNET:
        return read_darknet(path, network)
    state = state_of(path)
    wanted = expected(network, shapes_of(state))
    diff = difference(shapes_of(state), wanted)
    if diff.faults:
        raise RemiError(f"{path.name} does not fit {network}: {diff.words()}.")
    return {key: complete(state, key) for key in wanted}


def read_darknet(path: Path, network: str) -> dict[str, torch.Tensor]:
    """Read the tensors of a Darknet .weights file."""
    import torch

    from remi_stream.networks.darknet import Darknet
    from remi_stream.networks.darknet_weights import read_weights
    from remi_stream.networks.served import build

    with torch.device("meta"):
        module = build(network)
    assert isinstance(module, Darknet)
    return read_weights(path, module)


def complete(state: Mapping[str, torch.Tensor], key: str) -> torch.Tensor:
    """Return a tensor of a state dict as float32; counters that early checkpoints lack are zero."""
    import torch

    tensor = state.get(key, torch.tensor(0))
    return tensor.float() if tensor.is_floating_point() else tensor


def recognise(path: Path) -> list[str]:
    """Return the networks that a checkpoint fits exactly. Raises RemiError with the differences from the nearest one."""
    require_torch(path)
    got = shapes_of(state_of(path))
    wanted = {name: expected(name, got) for name in NETWORKS if name not in DARKNET}
    parts = set().union(*(parts_of(shapes) for shapes in wanted.values()))
    diffs = {name: difference(got, shapes, parts) for name, shapes in wanted.items()}
    fitting = [name for name, diff in diffs.items() if not diff.faults]
    if not fitting:
        raise RemiError(f"{path.name} is not a known checkpoint: {nearest(got, wanted, diffs)}.")
    return fitting


def nearest(got: Shapes, wanted: Mapping[str, Shapes], found: Mapping[str, Difference]) -> str:
    """Describe the differences of a checkpoint from the most similar network."""
    name = min(found, key=lambda each: found[each].faults / len(wanted[each]))
    if len(found[name].missing) > (1 - KIN) * len(wanted[name]):
        return f"its {counted(len(got), 'tensor')} ({some(list(got))}) belong to none of {', '.join(found)}"
    return f"it is nearest to {name}, but {found[name].words()}"


def recognise_darknet(path: Path) -> list[str]:
    """Return the networks whose .weights file has this size. Raises RemiError if there is none."""
    require_torch(path)
    size = path.stat().st_size
    wanted = {name: HEADER_BYTES + 4 * darknet_numbers(name) for name in DARKNET}
    if found := [name for name, bytes_ in wanted.items() if bytes_ == size]:
        return found
    sizes = ", ".join(f"{name} {bytes_}" for name, bytes_ in wanted.items())
    raise RemiError(f"{path.name} has {size} bytes, but known Darknet weights have: {sizes}. It may be truncated.")


def darknet_numbers(network: str) -> int:
    """Return the number of weights in a .weights file of this network."""
    return sum(math.prod(shape) for key, shape in expected(network).items() if not may_be_absent(key))


def expected(network: str, got: Shapes | None = None) -> Shapes:
    """Return a network's tensor shapes. got: a checkpoint's shapes, which decide the size of a network of several sizes."""
    return built_shapes(network, tuple(got.items()) if got and network in SIZED else ())


@functools.lru_cache(maxsize=64)
def built_shapes(network: str, got: tuple[tuple[str, tuple[int, ...]], ...]) -> Shapes:
    """Return the tensor shapes of a network built for a checkpoint's shapes (on the meta device)."""
    import torch

    from remi_stream.networks.served import build

    with torch.device("meta"):
        return shapes_of(build(network, dict(got)).state_dict())


def state_of(path: Path) -> dict[str, torch.Tensor]:
    """Read the state dict of a file, with prefixes removed from its keys."""
    from remi_stream.models.torch_file import read_torch_file

    content = read_torch_file(path)
    for _ in CONTAINERS:
        container = content if isinstance(content, Mapping) else {}
        content = next((container[key] for key in CONTAINERS if is_map(container.get(key))), content)
    if not isinstance(content, Mapping):
        raise RemiError(f"{path.name} contains a {type(content).__name__}, not a state dict.")
    state = {PREFIXES.sub("", key): value for key, value in content.items() if isinstance(key, str) and is_tensor(value)}
    if not state:
        raise RemiError(f"{path.name} has no tensors at its top level or under {', '.join(CONTAINERS)}; it is not a checkpoint.")
    return {key: value for key, value in state.items() if not key.startswith(BODY)}


def shapes_of(state: Mapping[str, torch.Tensor]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each tensor by key."""
    return {key: tuple(tensor.shape) for key, tensor in state.items()}


def is_map(value: Any) -> bool:
    """Return whether this is a mapping that may contain a state dict."""
    return isinstance(value, Mapping) and bool(value)


def is_tensor(value: Any) -> bool:
    """Return whether this is a tensor."""
    import torch

    return isinstance(value, torch.Tensor)


def require_torch(path: Path) -> None:
    """Raise RemiError unless PyTorch is installed."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise RemiError(f"Reading {path.name} needs PyTorch: pip install 'remi-stream[torch]'") from None
