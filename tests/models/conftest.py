"""Model files for the tests: as tools/make_weights.py makes them, and the same without their numbers, which are small."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

Make = Callable[[str], Path]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Give the path of a stand-in by its model's name; each is made once."""
    from tools.make_weights import MODELS, smpl

    @functools.cache
    def make(model: str) -> Path:
        folder = tmp_path_factory.mktemp("made")
        file, write = ("old_smpl.pkl", smpl(chumpy=True)) if model == "chumpy" else MODELS[model]
        write(folder / file, 1234)
        return folder / file

    return make


@pytest.fixture
def empty(tmp_path: Path) -> Make:
    """Give a checkpoint of a network in its container: every key and shape is right, and all numbers are one zero."""

    def make(network: str, **changes: Any) -> Path:
        from weights.containers import PUBLISHED, save

        path = tmp_path / f"{network}.pt"
        save(PUBLISHED[network].container(zeros(network) | changes), path)
        return path

    return make


def zeros(network: str) -> dict[str, Any]:
    """The state dict of a network whose tensors share one number."""
    import torch

    from remi_stream.models.checkpoint import expected_shapes

    kinds = {True: torch.zeros((), dtype=torch.int64), False: torch.zeros(())}
    return {key: kinds[key.endswith("num_batches_tracked")].expand(shape) for key, shape in expected_shapes(network).items()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
