"""Table of networks: the factory of each torch module, and its input and output tensors in every runtime.

A served network gets images as uint8 (B, height, width, 3) RGB under the name "image" and normalises them inside the graph;
other inputs are float32. Every tensor has the batch first.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from remi_stream.errors import RemiError, unknown_name_error
from remi_stream.install_hint import install_command

TensorShapes = Mapping[str, tuple[int, ...]]
"""Tensor shapes by key."""


class ImageInput(NamedTuple):
    """Image input of a network: size and normalisation (x / 255 - mean) / std per RGB channel."""

    height: int
    """Px."""
    width: int
    """Px."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Network(NamedTuple):
    """A published network.

    The torch module's forward takes the normalised image (B, 3, H, W) float32 if there is one, then the inputs in this order,
    and returns the outputs in this order, as a tuple.
    """

    factory: str
    """Factory as "module:function". It takes the checkpoint's TensorShapes or None, and builds the size that fits: published
    checkpoints of one network may differ in size (SmoothNet, VideoPose3D, YOLO's classes)."""
    image: ImageInput | None
    """The image input; None if there is none."""
    outputs: tuple[str, ...]
    """Names."""
    inputs: TensorShapes = MappingProxyType({})
    """Other inputs: name -> shape without the batch."""

    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return all inputs of the served network in order: name -> shape without the batch."""
        image = {"image": (self.image.height, self.image.width, 3)} if self.image else {}
        return {**image, **self.inputs}

    def zero_inputs(self, batch: int) -> dict[str, np.ndarray]:
        """Return zeros for all inputs in order, by name: to trace the network, or to warm it up."""
        shapes = self.input_shapes().items()
        return {name: np.zeros((batch, *shape), np.uint8 if name == "image" else np.float32) for name, shape in shapes}


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""ImageNet's channel statistics, RGB, as in torchvision."""
ALPHAPOSE_MEAN = (0.406, 0.457, 0.48)
"""Channel means of AlphaPose's preprocessing."""
SQUARE_INPUT = ImageInput(224, 224, **IMAGENET)
PORTRAIT_INPUT = ImageInput(256, 192, mean=ALPHAPOSE_MEAN)
SMPL_OUTPUTS = ("rotations", "betas", "camera")
"""Outputs of the mesh regressors: local rotations (24, 3, 3); (10,); weak-perspective camera (3,) s, tx, ty of the crop."""

NETWORKS: dict[str, Network] = {
    "poco_cliff": Network(
        "remi_stream.networks.poco:poco_cliff", SQUARE_INPUT, (*SMPL_OUTPUTS, "joint_variance"), {"bbox_info": (3,)}
    ),  # joint_variance: (24,)
    "poco_pare": Network("remi_stream.networks.poco:poco_pare", SQUARE_INPUT, (*SMPL_OUTPUTS, "joint_variance")),
    "pare": Network(
        "remi_stream.networks.pare:pare", SQUARE_INPUT, (*SMPL_OUTPUTS, "part_attention")
    ),  # (24,), each part's highest softmax attention
    "alphapose_halpe136": Network("remi_stream.networks.fastpose:halpe136", PORTRAIT_INPUT, ("heatmaps",)),
    "alphapose_halpe26": Network("remi_stream.networks.fastpose:halpe26", PORTRAIT_INPUT, ("heatmaps",)),
    "alphapose_coco17": Network("remi_stream.networks.fastpose:coco17", PORTRAIT_INPUT, ("heatmaps",)),
    "yolov3": Network("remi_stream.networks.darknet:yolov3", ImageInput(416, 416), ("rows",)),
    "yolov3_spp": Network("remi_stream.networks.darknet:yolov3_spp", ImageInput(608, 608), ("rows",)),
    "videopose3d": Network(
        "remi_stream.networks.videopose3d:symmetric", None, ("joints",), {"keypoints": (243, 17, 2)}
    ),  # joints: (1, 17, 3) of the middle frame; causal: of the last one
    "videopose3d_causal": Network("remi_stream.networks.videopose3d:causal", None, ("joints",), {"keypoints": (243, 17, 2)}),
    "smoothnet_8": Network("remi_stream.networks.smoothnet:window_8", None, ("y",), {"x": (1, 8)}),
    "smoothnet_16": Network("remi_stream.networks.smoothnet:window_16", None, ("y",), {"x": (1, 16)}),
    "smoothnet_32": Network("remi_stream.networks.smoothnet:window_32", None, ("y",), {"x": (1, 32)}),
    "smoothnet_64": Network("remi_stream.networks.smoothnet:window_64", None, ("y",), {"x": (1, 64)}),
}
"""The networks by name. SmoothNet has no channels: each channel is one row of the batch, (channels, 1, window)."""


def find_network(name: str) -> Network:
    """Return the network of this name without importing its module. Raises UsageError if there is none."""
    if name not in NETWORKS:
        raise unknown_name_error("network", name, NETWORKS)
    return NETWORKS[name]


def require_torch(purpose: str) -> None:
    """Raise RemiError unless PyTorch is installed. purpose: what it is needed for, "Reading poco.pt"."""
    if importlib.util.find_spec("torch") is None:
        raise RemiError(f"{purpose} needs PyTorch, which is not installed here: {install_command('torch')}")
