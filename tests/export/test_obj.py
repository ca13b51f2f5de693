"""Exported meshes, read by trimesh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import trimesh

from remi_stream.body.smpl import load_default_body
from remi_stream.export import obj
from remi_stream.recordings.take import Take
from tests.clip import FPS
from tests.export.dance import Y_UP, smpl, take


def test_each_mesh_is_the_skin_of_a_pose_where_pare_puts_its_file(tmp_path: Path) -> None:
    short = Take("short", (1280, 720), FPS, take().frames[4:7])
    written = obj.write_obj(short, tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in written) == [
        *(f"meshes/0001/{k:06d}.obj" for k in (4, 5, 6)),
        *(f"meshes/0002/{k:06d}.obj" for k in (5, 6)),
    ]
    body = load_default_body()
    for track_id, k in ((1, 4), (2, 6)):
        mesh = trimesh.load(tmp_path / f"meshes/{track_id:04d}/{k:06d}.obj", process=False)
        pose = smpl(k, track_id)
        true = body.vertices(pose.global_orient, pose.body_pose, pose.betas, pose.transl) * Y_UP
        np.testing.assert_allclose(mesh.vertices, true, atol=1e-5)
        assert (mesh.faces == body.faces).all()
    assert mesh.volume > 0.03, "the faces look outwards"
