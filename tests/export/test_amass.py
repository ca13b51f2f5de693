"""AMASS' files, read as its users do, and posed by SMPL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from remi_stream.body import known_bodies
from remi_stream.body.known_bodies import SMPL_PELVIS_M
from remi_stream.body.smpl import Body, load_default_body
from remi_stream.export import tables
from tests.clip import FPS
from tests.export.dance import AWAY, FRAMES, LATE, joints_of, smpl, take

Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
SIZES = {"poses": 156, "trans": 3, "dmpls": 8}


@pytest.fixture
def imported(monkeypatch: pytest.MonkeyPatch) -> Iterator[Body]:
    """As if SMPL were imported: a body of its layout with another shape."""
    open_body = load_default_body()
    figure = Body(**{**vars_of(open_body), "name": "smpl", "v_template": open_body.v_template * np.float32(1.05)})
    monkeypatch.setattr(known_bodies, "known_body", lambda: figure)
    monkeypatch.setattr(tables, "known_body", lambda: figure)
    known_bodies.retargeter_to_known_body.cache_clear()
    yield figure
    known_bodies.retargeter_to_known_body.cache_clear()


def vars_of(body: Body) -> dict[str, object]:
    return {name: getattr(body, name) for name in body.__dataclass_fields__}


def read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def test_keys_and_shapes_are_those_of_amass(tmp_path: Path) -> None:
    first, second = map(read, tables.write_amass(take(), tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["track-000001_poses.npz", "track-000002_poses.npz"]
    assert {name: first[name].shape for name in SIZES} == {name: (FRAMES, width) for name, width in SIZES.items()}
    assert (first["betas"].shape, str(first["gender"]), float(first["mocap_framerate"])) == ((16,), "neutral", FPS)
    assert (float(first["mocap_frame_rate"]), float(first["mocap_time_length"])) == (FPS, pytest.approx(FRAMES / FPS))
    assert (str(first["surface_model_type"]), int(first["num_betas"])) == ("smplh", 16)
    parts = [first[name] for name in ("root_orient", "pose_body", "pose_hand")]
    assert [part.shape for part in parts] == [(FRAMES, 3), (FRAMES, 63), (FRAMES, 90)]
    np.testing.assert_array_equal(np.concatenate(parts, 1), first["poses"])
    assert not first["betas"].any()
    assert not second["betas"].any(), "the open body's shape means nothing to SMPL"
    assert not first["poses"][:, 66:].any()
    assert first["seen"].all()
    assert (np.flatnonzero(~second["seen"]) + LATE).tolist() == list(AWAY)
    assert float(second["start_s"]) == pytest.approx(LATE / FPS)


def test_pelvis_is_where_it_was_seen_without_smpl_too(tmp_path: Path) -> None:
    first, _ = map(read, tables.write_amass(take(), tmp_path))
    for k in (0, 20, FRAMES - 1):
        np.testing.assert_allclose(SMPL_PELVIS_M + first["trans"][k], Z_UP @ joints_of(smpl(k))[0], atol=1e-4)


def test_smpl_poses_its_joints_where_they_were_published(tmp_path: Path, imported: Body) -> None:
    first, second = map(read, tables.write_amass(take("smpl"), tmp_path))
    np.testing.assert_allclose(second["betas"][:10], smpl(0, 2).betas, atol=1e-6)
    for k in (LATE, FRAMES - 1):
        for file, track_id, row in ((first, 1, k), (second, 2, k - LATE)):
            poses, betas = file["poses"][row, :66], file["betas"][:10]
            hands = smpl(k, track_id).body_pose[63:]
            joints = imported.joints(poses[:3], np.concatenate([poses[3:], hands]), betas, file["trans"][row])
            np.testing.assert_allclose(joints, joints_of(smpl(k, track_id), imported) @ Z_UP.T, atol=1e-4)
