"""Writes placeholder weights in the file formats of the published networks."""

from __future__ import annotations

import argparse
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from parity.recipe import make_state
from torch import nn

from remi_stream.networks.darknet import Darknet, numbers_from_state_dict
from remi_stream.networks.served import build_network
from weights.stub_pickle import Pickler, StubMap, dumps, stub_class

State = dict[str, torch.Tensor]


class Published(NamedTuple):
    """How a network is published."""

    gain: float
    """Of the weight recipe."""
    container: Callable[[State], Any]
    """Wraps the state dict as the published checkpoint does."""
    inner: tuple[int, int] | None = None
    """Sizes of SmoothNet's inner layers."""


def bare(state: State) -> Any:
    """AlphaPose: only the state dict."""
    return state


def poco(state: State) -> Any:
    """POCO: under "model" and "state_dict", with a prefix and parts of the body model."""
    body = {"model.smpl.smpl.betas": torch.zeros(1, 10)}
    return {"epoch": 1, "model": {"state_dict": {f"model.{key}": value for key, value in state.items()} | body}}


def lightning(state: State) -> Any:
    """PARE: a Lightning checkpoint with configuration and callback objects of other packages."""
    config = stub_class("yacs.config.CfgNode", StubMap)(PARE=stub_class("yacs.config.CfgNode", StubMap)(NUM_JOINTS=24))
    saver = stub_class("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")
    body = {"model.smpl.smpl.faces_tensor": torch.zeros(4, 3, dtype=torch.int64)}
    return {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "1.1.8",
        "callbacks": {saver: {"best_model_score": torch.tensor(50.0), "dirpath": "logs"}},
        "optimizer_states": [],
        "state_dict": {f"model.{key}": value for key, value in state.items()} | body,
        "hparams_name": "hparams",
        "hyper_parameters": config,
        "options": argparse.Namespace(seed=1),
    }


def smoothnet(state: State) -> Any:
    """SmoothNet: the state dict with training state."""
    return {
        "epoch": 70,
        "state_dict": state,
        "performance": np.float64(1.5).item(),
        "optimizer": {"state": {}, "param_groups": []},
    }


def videopose3d(state: State) -> Any:
    """VideoPose3D: with NumPy's random state of the shuffling."""
    shuffling = np.random.RandomState(1234)
    return {"epoch": 80, "lr": 1e-4, "random_state": shuffling, "optimizer": {}, "model_pos": state, "model_traj": None} | {
        "random_state_semi": None
    }


PUBLISHED = {
    "poco_cliff": Published(0.9, poco),
    "poco_pare": Published(1.0, poco),
    "pare": Published(1.0, lightning),
    "alphapose_halpe136": Published(1.4, bare),
    "alphapose_halpe26": Published(1.4, bare),
    "alphapose_coco17": Published(1.4, bare),
    "yolov3": Published(1.2, bare),
    "yolov3_spp": Published(1.2, bare),
    "videopose3d": Published(1.4, videopose3d),
    "videopose3d_causal": Published(1.4, videopose3d),
    **{f"smoothnet_{window}": Published(1.0, smoothnet) for window in (8, 16, 32, 64)},
}
DARKNET_HEADER = struct.pack("<5i", 0, 2, 0, 32_013_312, 0)
"""Version 0.2.0, and the number of training images."""

CALM = 0.02
"""Scale of the last layers' weights for constant outputs."""
LAST_LAYERS = ("decpose", "decshape", "deccam", "shape_mlp", "cam_mlp")
UPRIGHT = (1.0, 0.0, 0.0, -1.0, 0.0, 0.0)
"""6D rotation of an upright person in camera axes."""
MIDDLE = (0.9, 0.0, 0.0)
"""Weak-perspective camera of a person who fills the crop."""


def write_network(network: str, path: Path, seed: int = 1234, calm: bool = False) -> None:
    """Write a network with placeholder weights in its published format; calm: see `calm_state`."""
    with torch.device("meta"):
        module = build_network(network)
    state = generate_state(network, module, seed)
    if calm:
        state = calm_state(state)
    if isinstance(module, Darknet):
        path.write_bytes(DARKNET_HEADER + numbers_from_state_dict(state, module).astype("<f4").tobytes())
    else:
        save(PUBLISHED[network].container(state), path)


def generate_state(network: str, module: nn.Module, seed: int) -> State:
    """Generate the recipe's weights; constants come from the built network."""
    shapes = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    generated = make_state(shapes, seed, PUBLISHED[network].gain)
    built = build_network(network).state_dict() if generated.keys() != shapes.keys() else {}
    return {key: torch.from_numpy(np.asarray(generated[key])) if key in generated else built[key].clone() for key in shapes}


def calm_state(state: State) -> State:
    """Scale down the last layers of a mesh regressor: it then outputs a person standing centred in every crop."""

    def calm(key: str, value: torch.Tensor) -> torch.Tensor:
        layer, leaf = key.split(".")[-2:]
        if (layer, leaf) == ("cam_mlp", "bias"):
            return torch.tensor(MIDDLE)
        if layer == "pose_mlp":  # (1, 6, features, 24, 1, 1); the features are positive
            return CALM * value + torch.tensor(UPRIGHT)[None, :, None, None, None, None] / value.shape[2]
        if leaf == "init_pose":
            return torch.cat([torch.tensor([UPRIGHT]), value[:, 6:]], dim=1)
        return value * CALM if layer in LAST_LAYERS else value

    return {key: calm(key, value) for key, value in state.items()}


def save(content: Any, path: Path, zipped: bool = True) -> None:
    """Write the file format of torch.save. zipped: the format since PyTorch 1.6."""
    pickles = SimpleNamespace(Pickler=Pickler, dump=lambda content, file, protocol: file.write(dumps(content)), __name__="pickle")
    torch.save(content, path, pickle_module=pickles, _use_new_zipfile_serialization=zipped)
