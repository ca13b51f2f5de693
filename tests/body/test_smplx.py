"""Our linear blend skinning against SMPL's own implementation, the package smplx, on bodies in SMPL's layout."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from remi_stream.body.known_bodies import load_smpl
from remi_stream.body.smpl import Body, load_default_body
from remi_stream.models.smpl_pickle import read_smpl, save_smpl

pytestmark = pytest.mark.smplx
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

POSES = 4
TOLERANCE_M = 1e-5
"""smplx computes in float32; differences were 2e-6 m at most."""


def published(name: str, folder: Path) -> tuple[Path, Body]:
    """Write a body in SMPL's published layout; return the file, and the body as we read it."""
    from weights.figure import build_figure
    from weights.smpl_pickle import smpl_pickle

    path = folder / "SMPL_NEUTRAL.pkl"
    if name == "made SMPL":
        path.write_bytes(smpl_pickle(build_figure()))
        save_smpl(read_smpl(path), folder / "smpl.npz")
        return path, load_smpl(folder / "smpl.npz")
    body = load_default_body()  # it has no pose blend shapes, which are zeros in SMPL's layout
    path.write_bytes(smpl_pickle(dataclasses.replace(body, posedirs=np.zeros((len(body.v_template), 3, 207)))))
    return path, body


@pytest.mark.parametrize("name", ["made SMPL", "default body"])
def test_vertices_and_joints_are_those_of_smplx(name: str, tmp_path: Path) -> None:
    import smplx
    import torch

    path, body = published(name, tmp_path)
    random = np.random.default_rng(3)
    orient, pose = random.normal(0, 1.5, (POSES, 3)), random.normal(0, 0.4, (POSES, 69))
    betas, transl = random.normal(0, 1, (POSES, 10)), random.normal(0, 2, (POSES, 3))
    pose[0] = 0
    model = smplx.SMPL(str(path), batch_size=POSES)
    tensors = (torch.tensor(values, dtype=torch.float32) for values in (betas, pose, orient, transl))
    with torch.no_grad():
        theirs = model(**dict(zip(("betas", "body_pose", "global_orient", "transl"), tensors)))
    for row in range(POSES):
        arguments = (orient[row], pose[row], betas[row], transl[row])
        np.testing.assert_allclose(body.vertices(*arguments), theirs.vertices[row].numpy(), atol=TOLERANCE_M)
        np.testing.assert_allclose(body.joints(*arguments), theirs.joints[row, :24].numpy(), atol=TOLERANCE_M)
