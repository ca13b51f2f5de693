"""YOLOv3: inputs of the detection layer of each scale, and decoded rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from parity.activations import ActivationRecorder
from parity.case import Arrays, summary_statistics
from parity.rows import Row, compare, same
from remi_stream.networks.darknet import HEADER_BYTES, Darknet, YoloLayer, numbers_from_state_dict, state_dict_from_numbers
from remi_stream.networks.served import build_network

NAMES = ("yolov3", "yolov3_spp")
RECORDED = ()


def make(name: str, shapes: Any, variant: dict[str, Any]) -> nn.Module:
    """Build the network."""
    return build_network(name, shapes)


def outputs(name: str, module: nn.Module, inputs: Arrays, recorder: ActivationRecorder) -> Arrays:
    """Run the network."""
    scales = [part for part, child in module.named_modules() if isinstance(child, YoloLayer)]
    recorder = ActivationRecorder(module, scales)
    rows: np.ndarray = module(torch.from_numpy(inputs["img"]))[0].numpy()
    raw = {f"raw{index}": recorder.inputs[part].numpy() for index, part in enumerate(scales)}
    views = {f"{key}_sub": array for key, array in raw.items()}
    return raw | views | {"decoded_rows": rows, "decoded_stats": summary_statistics(rows), "decoded_shape": np.array(rows.shape)}


def file_rows(name: str, module: nn.Module, state: Arrays, manifest: dict[str, Any]) -> Iterator[Row]:
    """Check the numbers of a `.weights` file (size, first, last, hash), and the round trip back to the state dict."""
    expected = manifest.get("weights_file_check")
    if expected is None:
        return
    assert isinstance(module, Darknet)
    numbers = numbers_from_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in state.items()}, module)
    first, last = expected["first8"], expected["last4"]
    yield same(f"{name} [weights file, bytes]", 4 * len(numbers) + HEADER_BYTES, expected["bytes"])
    yield compare(f"{name} [weights file, first]", numbers[: len(first)], first, 1e-7)
    yield compare(f"{name} [weights file, last]", numbers[-len(last) :], last, 1e-7)
    digest = hashlib.sha256(numbers.astype("<f4").tobytes()).hexdigest()
    yield same(f"{name} [weights file, sha256]", digest, expected["sha256_after_header"])
    back = state_dict_from_numbers(numbers, module)
    yield same(f"{name} [weights file, read]", [k for k in state if not np.array_equal(back[k].numpy(), state[k])], [])
