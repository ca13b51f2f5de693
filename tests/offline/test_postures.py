"""Rendered people as they are, through the offline chain and the live stages: found, with one id, near the truth, no one else."""

from __future__ import annotations

from functools import cache
from itertools import islice
from typing import NamedTuple

import pytest

from remi_stream.detect.detector import load_detector
from remi_stream.offline.chain import OfflineChain
from tests.clip import engine
from tests.tracking.scenes import scene_files
from tools.footage.live import live_bodies
from tools.sample.frames import clip_frames
from tools.sample.measures import PersonScores, SceneScores, SceneTruth, mean_scores, score_scene

FRAMES = 20
"""Frames of the offline runs: the scenes are longer."""


class Limits(NamedTuple):
    """Least found share, largest PA-MPJPE (mm), of the mean of a scene's people; about 1.25 times what was measured."""

    found: float
    pa_mpjpe_mm: float


OFFLINE = {
    "lying": Limits(0.95, 110),
    "bent": Limits(0.95, 115),
    "desk": Limits(0.95, 140),
    "profile": Limits(0.95, 65),
    "back": Limits(0.95, 60),
    "table": Limits(0.95, 60),
    "sizes": Limits(0.95, 50),
    "fast": Limits(0.95, 85),
    "turned": Limits(0.95, 45),
}
LIVE = {"desk": Limits(0.9, 140), "fast": Limits(0.9, 85), "table": Limits(0.9, 60)}


@cache
def truth_of(name: str) -> SceneTruth:
    return SceneTruth.load(scene_files(name, 0)[1])


def offline(name: str) -> SceneScores:
    clip, truth = scene_files(name, 0)[0], truth_of(name)
    chain = OfflineChain(engine(), [load_detector("blazepose")], 1, 1)
    try:
        frames = islice(clip_frames(clip, truth.intrinsics, truth.fps), FRAMES)
        return score_scene(list(chain.run(frames, chain.make_tracker(None, independent=False), independent=False)), truth)
    finally:
        chain.close()


def live(name: str) -> SceneScores:
    clip, truth = scene_files(name, 0)[0], truth_of(name)
    return score_scene(list(live_bodies(clip_frames(clip, truth.intrinsics, truth.fps))), truth)


def check(scores: SceneScores, limits: Limits) -> None:
    found: PersonScores = mean_scores(scores.people)
    assert min(person.found for person in scores.people) >= limits.found, scores
    assert found.pa_mpjpe_mm <= limits.pa_mpjpe_mm, scores
    assert {person.ids for person in scores.people} == {1}, scores
    assert scores.false == 0, scores


@pytest.mark.egl
@pytest.mark.parametrize("name", OFFLINE)
def test_person_of_a_video_is_found_in_every_posture(name: str) -> None:
    scores = offline(name)
    check(scores, OFFLINE[name])
    assert max(person.first_frames for person in scores.people) <= 1, scores


@pytest.mark.egl
@pytest.mark.parametrize("name", LIVE)
def test_person_before_a_camera_is_found_in_half_a_second(name: str) -> None:
    scores = live(name)
    check(scores, LIVE[name])
    assert max(person.first_frames for person in scores.people) / truth_of(name).fps <= 0.5, scores
