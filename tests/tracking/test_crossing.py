"""Several people through the real stages: ids survive crossings and short absences, without false people."""

from __future__ import annotations

import numpy as np
import pytest

from remi_stream.detect.detector import load_detector
from remi_stream.offline.chain import OfflineChain
from tests.clip import engine
from tests.pose.smpl_regressor.verdict import Verdict, judge
from tests.tracking.scenes import Scene, scenes
from tools.footage.live import live_bodies
from tools.sample.frames import clip_frames

SHORT, ALL = (0, 1), tuple(range(10))
FPS = 30
FALSE_MOST = 5
"""Person-frames with false people that are tolerated."""


def watch(scene: Scene, **config: object) -> Verdict:
    published = live_bodies(clip_frames(scene.clip, scene.intrinsics, FPS), **config)
    return judge(list(published), scene.joints_px, scene.visible)


def seconds(frames: np.ndarray) -> float:
    return float(frames.sum()) / FPS


def check_crossing(seeds: tuple[int, ...]) -> None:
    for seed, scene in zip(seeds, scenes("crossing", seeds)):
        assert 0.45 < seconds(scene.visible[1] < 0.2) < 1.1, f"seed {seed}: not the wanted scene"
        verdict = watch(scene)
        assert verdict.kept, f"seed {seed}: {verdict.ids}\n" + "\n".join(verdict.log)
        assert verdict.false <= FALSE_MOST, f"seed {seed}:\n" + "\n".join(verdict.log)
        assert min(np.divide(verdict.found, np.add(verdict.found, verdict.missed))) > 0.8, f"seed {seed}: {verdict.missed} missed"


@pytest.mark.egl
def test_two_people_who_occlude_each_other_keep_their_ids() -> None:
    check_crossing(SHORT)


def watch_offline(scene: Scene) -> Verdict:
    chain = OfflineChain(engine(), [load_detector("blazepose")], 1, 1)
    try:
        tracker = chain.make_tracker(None, independent=False)
        published = list(chain.run(clip_frames(scene.clip, scene.intrinsics, FPS), tracker, independent=False))
    finally:
        chain.close()
    return judge(published, scene.joints_px, scene.visible)


@pytest.mark.egl
@pytest.mark.timeout(300)
def test_two_people_who_cross_in_a_video_keep_their_ids() -> None:
    verdict = watch_offline(scenes("crossing", (0,))[0])
    assert verdict.kept, "\n".join(verdict.log)
    assert verdict.false <= FALSE_MOST, "\n".join(verdict.log)
    assert min(np.divide(verdict.found, np.add(verdict.found, verdict.missed))) > 0.9, verdict.missed


@pytest.mark.egl
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ids_are_kept_in_four_of_four_crossings_of_a_video() -> None:
    for seed, scene in enumerate(scenes("crossing", (0, 1, 2, 3))):
        verdict = watch_offline(scene)
        assert verdict.kept, f"seed {seed}: {verdict.ids}\n" + "\n".join(verdict.log)
        assert verdict.false <= FALSE_MOST, f"seed {seed}:\n" + "\n".join(verdict.log)


@pytest.mark.egl
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_ids_are_kept_in_ten_of_ten_crossings() -> None:
    check_crossing(ALL)


@pytest.mark.egl
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_person_who_leaves_the_image_and_returns_keeps_the_id() -> None:
    for seed, scene in enumerate(scenes("leave", (0, 1, 2, 3))):
        assert 0.2 < seconds(scene.visible[0] < 0.1) <= 1.0, f"seed {seed}: not the wanted scene"
        verdict = watch(scene)
        assert verdict.kept, f"seed {seed}: {verdict.ids}\n" + "\n".join(verdict.log)
        assert verdict.false <= FALSE_MOST, f"seed {seed}:\n" + "\n".join(verdict.log)


@pytest.mark.egl
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_people_are_found_at_once_and_kept() -> None:
    verdict = watch(scenes("three", (0,))[0])
    assert verdict.kept, verdict.ids
    assert sum(verdict.missed) <= 30
    assert verdict.false <= FALSE_MOST


@pytest.mark.egl
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("subject", ["largest", "nearest"])
def test_nearer_of_two_people_is_followed_and_stays_the_one(subject: str) -> None:
    verdict = watch(scenes("crossing", (0,))[0], max_people=1, subject=subject)
    assert len(verdict.ids[0]) == 1
    assert verdict.found[0] > 100
    assert verdict.found[1] < 45
