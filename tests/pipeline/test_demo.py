"""The default engine on the sample clip, live, as `remi-stream demo` runs it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from remi_stream.body.smpl import load_default_body
from remi_stream.paths import data_file
from tests.pipeline.daemon import check_books, running

CAMERA = {"name": "sample", "source": str(data_file("sample.mp4")), "loop": True, "focal_px": 1150.0}


def test_sample_clip_gives_one_person_with_a_body_that_stands_where_the_joints_are(tmp_path: Path) -> None:
    with running(tmp_path, cameras=[CAMERA]) as daemon:
        daemon.listen(lambda: daemon.bodies and daemon.bodies[-1].people, 60)
        bodies = daemon.more_bodies(150, 60)
        assert daemon.stop() == 0
    check_books(bodies)
    people = [body.people for body in bodies]
    assert np.mean([len(each) == 1 for each in people]) >= 0.99
    assert {person.track_id for each in people for person in each} == {1}
    for person in people[-1]:
        assert person.smpl is not None
        assert person.smpl.body == "open"
        smpl = person.smpl
        joints = load_default_body().joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)
        hips = person.joints_m[[23, 24]].mean(0)
        assert np.linalg.norm(joints[[1, 2]].mean(0) - hips) < 0.15
        assert 1.5 < joints[0, 2] < 6
