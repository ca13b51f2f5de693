"""Refit of smoothed tracks to their key points."""

from __future__ import annotations

import msgspec
import numpy as np

from remi_stream.geometry import project
from remi_stream.messages import Person
from remi_stream.offline.refit import landmark_model, refit_run
from remi_stream.tracking.track_linking import LinkedTrack, TrackPoint
from tests.body.fit.test_gauss_newton import BODY, CAMERA, fit_points, random_pose
from tests.sample import person

FPS = 30.0


def walking(frames: int = 12) -> tuple[LinkedTrack, list[np.ndarray]]:
    """A person who walks sideways and raises an arm, as smoothed 4 cm off the pixels; and the true landmarks."""
    track, truth = [], []
    for frame in range(frames):
        pose = random_pose(2)
        points = landmark_model().points(pose, np.zeros(10), np.array([-0.3 + 0.03 * frame, 0.2, 3.5]))
        pixels = project(points, CAMERA)
        fitted = fit_points(points, pixels, np.ones(33))
        smpl = msgspec.structs.replace(fitted.smpl, transl=fitted.smpl.transl + np.array([0.04, 0, 0], np.float32))
        one = person(
            skeleton="blazepose33",
            joints=33,
            keypoints_px=pixels.astype(np.float32),
            joints_m=fitted.landmarks_m.astype(np.float32),
            smpl=smpl,
        )
        track.append(TrackPoint(frame, frame / FPS, one))
        truth.append(points)
    return track, truth


def joints_off_px(track: LinkedTrack) -> float:
    """Mean distance of the hips of the bodies from the key points, px."""
    away = []
    for point in track:
        smpl = point.person.smpl
        assert smpl is not None
        hips = BODY.joints(smpl.global_orient, smpl.body_pose, smpl.betas, smpl.transl)[[1, 2]].mean(0)
        away.append(project(hips, CAMERA)[0] - point.person.keypoints_px[[23, 24], 0].mean())
    return float(np.abs(away).mean())


def test_body_that_a_filter_took_off_its_key_points_returns() -> None:
    track, _ = walking()
    assert joints_off_px(refit_run(track, CAMERA)) < 0.4 * joints_off_px(track)


def test_people_of_other_engines_and_with_nan_stay() -> None:
    track, _ = walking(4)

    def changed(one: Person) -> Person:
        return msgspec.structs.replace(one, skeleton="coco17")

    others = [point._replace(person=changed(point.person)) for point in track]
    assert refit_run(others, CAMERA) is others
    broken = track[:2] + [track[2]._replace(person=person(skeleton="blazepose33", joints=33))]
    broken[2].person.keypoints_px[0] = np.nan
    assert refit_run(broken, CAMERA) is broken
