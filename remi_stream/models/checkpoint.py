"""Checkpoints of the published networks, in their published containers.

A container is the state dict itself, or has it under "model", "state_dict" or "model_pos", possibly nested; keys may begin with
"module." or "model.". Keys of the body model (smpl.*) are left out: it comes from SMPL's own files. Darknet's .weights are
numbers without keys.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remi_stream.errors import RemiError
from remi_stream.networks.network import NETWORKS, TensorShapes, require_torch
from remi_stream.networks.state_dict_diff import (
    StateDictDiff,
    diff_state_dicts,
    first_few,
    format_count,
    is_optional_key,
    tensor_shapes,
    top_level_parts,
)

if TYPE_CHECKING:
    import torch


CONTAINERS = ("model", "state_dict", "model_pos")
PREFIXES = re.compile(r"^(module\.)?(model\.)?")
"""Prefixes of keys: of torch.nn.DataParallel, and of a training module that has the network as `model`."""
BODY_PREFIX = "smpl."
DARKNET_NETWORKS = tuple(name for name, network in NETWORKS.items() if ".darknet:" in network.factory)
VARIABLE_SIZE_NETWORKS = tuple(
    name for name, network in NETWORKS.items() if ".smoothnet:" in network.factory or ".videopose3d:" in network.factory
)
MIN_SHARED_KEYS = 0.5
"""Share of a network's keys that a file must have to be reported as a faulty checkpoint of it."""


def read_checkpoint(path: Path, network: str) -> dict[str, torch.Tensor]:
    """Read a checkpoint's tensors by the network's keys, floats as float32. Raises RemiError unless it fits exactly."""
    require_torch(f"Reading {path.name}")
    if network in DARKNET_NETWORKS:
        return read_darknet_checkpoint(path, network)
    state = read_state_dict(path)
    wanted = expected_shapes(network, tensor_shapes(state))
    diff = diff_state_dicts(tensor_shapes(state), wanted)
    if diff.fault_count:
        raise RemiError(f"{path.name} does not fit {network}: {diff.summary()}.")
    check_finite(path, state, wanted)
    return {key: tensor_or_zero(state, key) for key in wanted}


def read_darknet_checkpoint(path: Path, network: str) -> dict[str, torch.Tensor]:
    """Read the tensors of a Darknet .weights file."""
    import torch

    from remi_stream.networks.darknet import Darknet, read_darknet_weights
    from remi_stream.networks.served import build_network

    with torch.device("meta"):
        module = build_network(network)
    assert isinstance(module, Darknet)
    state = read_darknet_weights(path, module)
    check_finite(path, state, state)
    return state


def check_finite(path: Path, state: Mapping[str, torch.Tensor], keys: Iterable[str]) -> None:
    """Raise RemiError with the name of the first tensor that has NaN or infinite numbers: all bodies would be NaN."""
    bad = [key for key in keys if key in state and state[key].is_floating_point() and not state[key].isfinite().all()]
    if bad:
        raise RemiError(f"{path.name} is damaged: {first_few(bad)} {'has' if len(bad) == 1 else 'have'} non-finite numbers.")


def tensor_or_zero(state: Mapping[str, torch.Tensor], key: str) -> torch.Tensor:
    """Return a tensor of a state dict as float32; counters that early checkpoints lack are zero."""
    import torch

    tensor = state.get(key, torch.tensor(0))
    return tensor.float() if tensor.is_floating_point() else tensor


def recognise_networks(path: Path) -> list[str]:
    """Return the networks that a checkpoint fits exactly. Raises RemiError with the differences from the nearest one."""
    require_torch(f"Reading {path.name}")
    state = read_state_dict(path)
    got = tensor_shapes(state)
    wanted = {name: expected_shapes(name, got) for name in NETWORKS if name not in DARKNET_NETWORKS}
    parts = set().union(*(top_level_parts(shapes) for shapes in wanted.values()))
    diffs = {name: diff_state_dicts(got, shapes, parts) for name, shapes in wanted.items()}
    fitting = [name for name, diff in diffs.items() if not diff.fault_count]
    if not fitting:
        raise RemiError(f"{path.name} is not a known checkpoint: {nearest_network_text(got, wanted, diffs)}.")
    check_finite(path, state, wanted[fitting[0]])
    return fitting


def nearest_network_text(got: TensorShapes, expected: Mapping[str, TensorShapes], diffs: Mapping[str, StateDictDiff]) -> str:
    """Describe the differences of a checkpoint from the most similar network."""
    name = min(diffs, key=lambda each: diffs[each].fault_count / len(expected[each]))
    if len(diffs[name].missing) > (1 - MIN_SHARED_KEYS) * len(expected[name]):
        return f"its {format_count(len(got), 'tensor')} ({first_few(list(got))}) belong to none of {', '.join(diffs)}"
    return f"it is nearest to {name}, but {diffs[name].summary()}"


def recognise_darknet(path: Path) -> list[str]:
    """Return the networks whose .weights file has this size. Raises RemiError if there is none."""
    require_torch(f"Reading {path.name}")
    from remi_stream.networks.darknet import HEADER_BYTES

    size = path.stat().st_size
    wanted = {name: HEADER_BYTES + 4 * count_darknet_weights(name) for name in DARKNET_NETWORKS}
    if found := [name for name, bytes_ in wanted.items() if bytes_ == size]:
        read_darknet_checkpoint(path, found[0])
        return found
    sizes = ", ".join(f"{name} {bytes_}" for name, bytes_ in wanted.items())
    raise RemiError(f"{path.name} has {size} bytes, but known Darknet weights have: {sizes}. It may be truncated.")


def count_darknet_weights(network: str) -> int:
    """Return the number of weights in a .weights file of this network."""
    return sum(math.prod(shape) for key, shape in expected_shapes(network).items() if not is_optional_key(key))


def expected_shapes(network: str, got: TensorShapes | None = None) -> TensorShapes:
    """Return a network's tensor shapes. got: a checkpoint's shapes, which decide the size of a network of several sizes."""
    return shapes_for_checkpoint(network, tuple(got.items()) if got and network in VARIABLE_SIZE_NETWORKS else ())


@functools.lru_cache(maxsize=64)
def shapes_for_checkpoint(network: str, got: tuple[tuple[str, tuple[int, ...]], ...]) -> TensorShapes:
    """Return the tensor shapes of a network built for a checkpoint's shapes (on the meta device)."""
    import torch

    from remi_stream.networks.served import build_network

    with torch.device("meta"):
        return tensor_shapes(build_network(network, dict(got)).state_dict())


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Read the state dict of a file, with prefixes removed from its keys."""
    from remi_stream.models.torch_file import read_torch_file

    content = read_torch_file(path)
    for _ in CONTAINERS:  # each may be inside another one
        container = content if isinstance(content, Mapping) else {}
        content = next((container[key] for key in CONTAINERS if is_filled_mapping(container.get(key))), content)
    if not isinstance(content, Mapping):
        raise RemiError(f"{path.name} contains a {type(content).__name__}, not a state dict.")
    state = {PREFIXES.sub("", key): value for key, value in content.items() if isinstance(key, str) and is_tensor(value)}
    if not state:
        raise RemiError(f"{path.name} has no tensors at its top level or under {', '.join(CONTAINERS)}; it is not a checkpoint.")
    return {key: value for key, value in state.items() if not key.startswith(BODY_PREFIX)}


def is_filled_mapping(value: Any) -> bool:
    """Return whether this is a mapping that may contain a state dict."""
    return isinstance(value, Mapping) and bool(value)


def is_tensor(value: Any) -> bool:
    """Return whether this is a tensor."""
    import torch

    return isinstance(value, torch.Tensor)
