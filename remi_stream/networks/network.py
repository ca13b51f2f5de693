"""THE table of networks: where each module is made, and the tensors that it is served with in every runtime.

A served network reads pictures as uint8 (B, height, width, 3) RGB under the name "image" and normalises them inside the graph;
what else it reads is float32. Every tensor has the batch first.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from remi_stream.errors import unknown

Shapes = Mapping[str, tuple[int, ...]]
"""A checkpoint's keys and what shape each tensor has."""


class Picture(NamedTuple):
    """The picture that a network reads: size px; then (x / 255 - mean) / std per channel, RGB."""

    height: int
    width: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Network(NamedTuple):
    """A published network.

    make: "module:function" that makes the torch module, whose forward takes the normalised picture (B, 3, H, W) float32 if
    there is one, then the inputs in this order, and returns the outputs in this order, as a tuple. The function takes the
    checkpoint's Shapes, or None: where published checkpoints of one network differ in size (SmoothNet, VideoPose3D, YOLO's
    classes) it makes the one that fits. networks/served.py calls it.
    inputs: name -> shape without the batch. outputs: names.
    """

    make: str
    picture: Picture | None
    outputs: tuple[str, ...]
    inputs: Shapes = MappingProxyType({})

    def tensors(self) -> dict[str, tuple[int, ...]]:
        """Everything that the served network reads, in order: name -> shape without the batch."""
        image = {"image": (self.picture.height, self.picture.width, 3)} if self.picture else {}
        return {**image, **self.inputs}


IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
ALPHAPOSE_MEAN = (0.406, 0.457, 0.48)
SQUARE = Picture(224, 224, **IMAGENET)
UPRIGHT = Picture(256, 192, mean=ALPHAPOSE_MEAN)
SMPL = ("rotations", "betas", "camera")
"""Outputs of the mesh regressors: (24, 3, 3) in the parent; (10,); (3,) s, tx, ty of the crop's weak-perspective camera."""

NETWORKS: dict[str, Network] = {
    "poco_cliff": Network(
        "remi_stream.networks.poco:poco_cliff", SQUARE, (*SMPL, "joint_variance"), {"bbox_info": (3,)}
    ),  # joint_variance: (24,)
    "poco_pare": Network("remi_stream.networks.poco:poco_pare", SQUARE, (*SMPL, "joint_variance")),
    "pare": Network(
        "remi_stream.networks.pare:pare", SQUARE, (*SMPL, "part_attention")
    ),  # (24,), each part's highest softmax attention
    "alphapose_halpe136": Network("remi_stream.networks.fastpose:halpe136", UPRIGHT, ("heatmaps",)),
    "alphapose_halpe26": Network("remi_stream.networks.fastpose:halpe26", UPRIGHT, ("heatmaps",)),
    "alphapose_coco17": Network("remi_stream.networks.fastpose:coco17", UPRIGHT, ("heatmaps",)),
    "yolov3": Network("remi_stream.networks.darknet:yolov3", Picture(416, 416), ("rows",)),
    "yolov3_spp": Network("remi_stream.networks.darknet:yolov3_spp", Picture(608, 608), ("rows",)),
    "videopose3d": Network(
        "remi_stream.networks.videopose3d:symmetric", None, ("joints",), {"keypoints": (243, 17, 2)}
    ),  # joints: (1, 17, 3), of the middle frame; causal: of the last one
    "videopose3d_causal": Network("remi_stream.networks.videopose3d:causal", None, ("joints",), {"keypoints": (243, 17, 2)}),
    "smoothnet_8": Network("remi_stream.networks.smoothnet:window_8", None, ("y",), {"x": (1, 8)}),
    "smoothnet_16": Network("remi_stream.networks.smoothnet:window_16", None, ("y",), {"x": (1, 16)}),
    "smoothnet_32": Network("remi_stream.networks.smoothnet:window_32", None, ("y",), {"x": (1, 32)}),
    "smoothnet_64": Network("remi_stream.networks.smoothnet:window_64", None, ("y",), {"x": (1, 64)}),
}
"""SmoothNet knows no channels: one channel is one of the batch, (channels, 1, window)."""


def find_network(name: str) -> Network:
    """The network of this name; imports none."""
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return NETWORKS[name]
