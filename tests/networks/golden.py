"""Golden vectors: those beside the project where they are, and the small set that the project carries."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from parity.folder import Golden, read_folder
from parity.recipe import make_state

from remi_stream.networks.state_dict_diff import tensor_shapes

PROJECT = Path(__file__).resolve().parents[2]
SMALL = PROJECT / "tests" / "data" / "parity"
WHOLE = PROJECT.parent / "shared" / "parity"
FOLDERS = [folder for folder in (SMALL, WHOLE) if folder.is_dir()]
TOOL = PROJECT / "tools" / "check_parity.py"

GOLDENS = [golden for folder in FOLDERS for golden in read_folder(folder)]
NETWORKS = [golden for golden in GOLDENS if golden.name != "preprocess"]


def folder_of(golden: Golden) -> str:
    """For a test's id."""
    return f"{golden.name}, {'whole' if golden.path.parent == WHOLE else 'small'}"


def filled(module: torch.nn.Module, gain: float = 1.0) -> torch.nn.Module:
    """The same module with the recipe's weights."""
    state = make_state(tensor_shapes(module.state_dict()), 1, gain)
    module.load_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in state.items()}, strict=False)
    return module.requires_grad_(False).eval()
