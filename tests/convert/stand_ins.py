"""Made weights in a store of their own."""

from __future__ import annotations

import sys
from pathlib import Path

from remi_stream.models import arrival
from remi_stream.models.catalogue import known_file
from remi_stream.models.manifest import ModelFile
from remi_stream.networks.served import build

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

REGRESSORS = ("poco_cliff", "poco_pare", "pare")


def bring(model: str, folder: Path, calm: bool = False) -> ModelFile:
    """Make the weights of a model and import them; $REMI_HOME says where to.

    calm: a mesh regressor sees somebody who stands, so that a small error stays small. Of noise, PARE's rotations are nearly
    undefined, and FP16 turns some of them by several degrees.
    """
    from tools.make_weights import MODELS

    file, write = MODELS[model]
    (write_calm if calm and known_file(model).network in REGRESSORS else write)(folder / file, 1234)
    arrival.take(folder / file)
    (folder / file).unlink()
    return known_file(model)


def write_calm(path: Path, seed: int) -> None:
    """Write a regressor whose rotations are defined."""
    import torch
    from weights.containers import CALM, PUBLISHED, UPRIGHT, calmed, made_state, save

    network = next(name for name in REGRESSORS if known_file(name).file == path.name)
    with torch.device("meta"):
        module = build(network)
    state = calmed(made_state(network, module, seed))
    for key, value in state.items():
        if key.endswith("pose_mlp.weight"):  # (1, 6, features, 24, 1, 1); features are positive
            state[key] = CALM * value + torch.tensor(UPRIGHT)[None, :, None, None, None, None] / value.shape[2]
    save(PUBLISHED[network].container(state), path)
