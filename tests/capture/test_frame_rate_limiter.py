"""A cap on the frame rate."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.stage import FrameRateLimiter


@pytest.mark.parametrize(("fps", "cap", "taken"), [(30, 10, 10), (30, 15, 15), (30, 30, 30), (25, 60, 25), (60, 24, 24)])
def test_as_many_pictures_pass_as_asked_for(fps: int, cap: int, taken: int) -> None:
    limit = FrameRateLimiter(cap)
    passed = [limit.accepts(index / fps) for index in range(fps * 10)]
    assert sum(passed) / 10 == pytest.approx(taken, rel=0.02)


@given(st.lists(st.floats(0, 0.2), min_size=2, max_size=300), st.floats(1, 60))
def test_never_more_pictures_pass_than_asked_for(gaps: list[float], cap: float) -> None:
    limit = FrameRateLimiter(cap)
    times = np.cumsum(gaps)
    passed = [at for at in times if limit.accepts(at)]
    assert len(passed) <= (times[-1] - times[0]) * cap + 1.5 + 1e-6


def test_without_a_cap_all_pass() -> None:
    limit = FrameRateLimiter(None)
    assert all(limit.accepts(at) for at in (0.0, 0.0, 1.0, 0.5))
