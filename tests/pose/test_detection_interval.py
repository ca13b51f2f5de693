"""How often the pose stage wants the detector: it takes less time where the engine takes fewer frames."""

from __future__ import annotations

import pytest

from remi_stream.pose.stage import FrameGap, detection_interval_s


@pytest.mark.parametrize(
    ("fps", "search_s", "stable_s"), [(30, 0.1, 0.5), (10, 0.1, 0.5), (4, 0.2, 1.2), (1, 1.0, 2.0), (0.2, 1.0, 2.0)]
)
def test_interval_grows_with_the_time_between_frames(fps: float, search_s: float, stable_s: float) -> None:
    gap = FrameGap()
    for index in range(50):
        mean_s = gap.add(index / fps)
    assert detection_interval_s(False, mean_s) == search_s
    assert detection_interval_s(True, mean_s) == stable_s


def test_outage_of_a_camera_slows_the_search_for_less_than_a_second() -> None:
    gap = FrameGap()
    times = [index / 30 for index in range(60)] + [62 + index / 30 for index in range(30)]
    intervals = [detection_interval_s(False, gap.add(at)) for at in times]
    assert intervals[59] == 0.1
    assert intervals[60] <= 0.5
    assert intervals[-1] == 0.1
