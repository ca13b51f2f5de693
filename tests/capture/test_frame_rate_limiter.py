"""Limit of the frame rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.stage import FrameRateLimiter


@pytest.mark.parametrize(("fps", "max_fps", "taken"), [(30, 10, 10), (30, 15, 15), (30, 30, 30), (25, 60, 25), (60, 24, 24)])
def test_mean_frame_rate_is_the_limit(fps: int, max_fps: int, taken: int) -> None:
    limit = FrameRateLimiter(max_fps)
    passed = [limit.accepts(index / fps) for index in range(fps * 10)]
    assert sum(passed) / 10 == pytest.approx(taken, rel=0.02)


@given(st.lists(st.floats(0, 0.2), min_size=2, max_size=300), st.floats(1, 60))
def test_frame_rate_never_exceeds_the_limit(gaps: list[float], max_fps: float) -> None:
    limit = FrameRateLimiter(max_fps)
    times = np.cumsum(gaps)
    passed = [at for at in times if limit.accepts(at)]
    assert len(passed) <= (times[-1] - times[0]) * max_fps + 1.5 + 1e-6


def test_without_a_limit_all_frames_pass() -> None:
    limit = FrameRateLimiter(None)
    assert all(limit.accepts(at) for at in (0.0, 0.0, 1.0, 0.5))
