"""Pairs of previews and bodies of the same frame."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from remi_stream.messages import Bodies, Frame
from remi_stream.sinks.live_view import MAX_BODIES, MAX_PREVIEWS, UNPAIRED_AFTER_S, PreviewPairs
from tests.sample import bodies


def preview(frame_id: int, captured_at: float = 100.0, **more: Any) -> Frame:
    values = {"camera": "front", "epoch": 1, "size": (640, 360), "rectangle": (0.0, 0.0, 640.0, 360.0), "encoding": "jpeg"}
    return Frame(**{**values, "frame_id": frame_id, "captured_at": captured_at, "image": np.zeros(3, np.uint8), **more})


def ids(pair: tuple[Frame, Bodies | None] | None) -> tuple[int, int | None] | None:
    return pair and (pair[0].frame_id, pair[1].frame_id if pair[1] else None)


def test_newest_preview_with_its_bodies_is_shown_once() -> None:
    pairs = PreviewPairs()
    for message in (preview(1), preview(2), preview(3), bodies(1), bodies(2)):
        pairs.add(message)
    assert ids(pairs.pop_newest(100.0)) == (2, 2)
    assert pairs.pop_newest(100.0) is None
    pairs.add(bodies(3))
    assert ids(pairs.pop_newest(100.0)) == (3, 3)


def test_bodies_may_arrive_before_their_preview() -> None:
    pairs = PreviewPairs()
    for message in (bodies(1), bodies(2), preview(1)):
        pairs.add(message)
    assert ids(pairs.pop_newest(100.0)) == (1, 1)


def test_bodies_of_another_epoch_are_not_paired() -> None:
    pairs = PreviewPairs()
    pairs.add(bodies(1, epoch=2))
    pairs.add(preview(1))
    assert pairs.pop_newest(100.0) is None


def test_previews_without_bodies_are_shown_alone_after_a_timeout() -> None:
    pairs = PreviewPairs()
    pairs.add(preview(1))
    assert pairs.pop_newest(100.0 + UNPAIRED_AFTER_S / 2) is None
    pairs.add(preview(2))
    assert ids(pairs.pop_newest(100.0 + UNPAIRED_AFTER_S * 1.1)) == (2, None)
    assert pairs.pop_newest(100.0 + UNPAIRED_AFTER_S * 2) is None


def test_previews_of_skipped_frames_are_never_shown_while_others_are_paired() -> None:
    pairs, shown = PreviewPairs(), []
    for frame_id in range(30):
        now = 100.0 + frame_id / 10
        pairs.add(preview(frame_id, now))
        if frame_id % 5 == 0:
            pairs.add(bodies(frame_id, now))
        shown.append(ids(pairs.pop_newest(now + 0.05)))
    assert [pair for pair in shown if pair] == [(k, k) for k in range(0, 30, 5)]


def test_memory_is_bounded_when_nothing_is_shown() -> None:
    pairs = PreviewPairs()
    for frame_id in range(2000):
        pairs.add(bodies(frame_id, captured_at=time.monotonic()))
        pairs.add(preview(frame_id))
    assert len(pairs._bodies) == MAX_BODIES
    assert len(pairs._previews) == MAX_PREVIEWS
