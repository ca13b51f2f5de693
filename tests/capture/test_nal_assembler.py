"""NAL units are whole when they are emitted, and are emitted as early as possible."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.rtsp import FIRST_FRAGMENT_EXTRA_BYTES, MIN_FRAGMENT_BYTES, START_CODE, NalAssembler, UnevenFragments

FULL = 1386


def fragments(size: int, full: int = FULL) -> list[bytes]:
    """Cut a unit of `size` bytes as a sender does, into packets as FFmpeg returns them."""
    if size <= full + 2:
        return [START_CODE + b"x" * size]
    body = b"y" * (size - 1)
    cut = [body[at : at + full] for at in range(0, len(body), full)]
    return [START_CODE + b"x" + cut[0], *cut[1:]]


def frame_packets(sizes: list[int], full: int = FULL) -> list[bytes]:
    return [fragment for size in sizes for fragment in fragments(size, full)]


FRAMES = st.lists(st.lists(st.integers(2, 6000), min_size=1, max_size=4), min_size=1, max_size=12)


@pytest.mark.parametrize("early", [True, False])
@given(frames=FRAMES, full=st.integers(MIN_FRAGMENT_BYTES, 1400))
def test_nal_units_are_whole_and_in_order(early: bool, frames: list[list[int]], full: int) -> None:
    assembler = NalAssembler(early=early)
    given_pieces = [
        piece for pts, sizes in enumerate(frames) for data in frame_packets(sizes, full) for piece in assembler.push(data, pts)
    ]
    given_pieces += assembler.push(START_CODE + b"end", len(frames))
    given_pieces = [piece for piece in given_pieces if piece.pts != len(frames)]
    assert all(piece.data.startswith(START_CODE) for piece in given_pieces)
    for pts, sizes in enumerate(frames):
        assert b"".join(piece.data for piece in given_pieces if piece.pts == pts) == b"".join(frame_packets(sizes, full))
    if not early:
        assert len(given_pieces) == len(frames)


def test_unit_is_emitted_with_its_last_fragment_once_the_fragment_size_is_known() -> None:
    assembler = NalAssembler(early=True)
    for data in frame_packets([5000]):
        assembler.push(data, 0)
    *others, last = frame_packets([5000])
    assert not [piece for data in others for piece in assembler.push(data, 1) if piece.pts == 1]
    assert [len(piece.data) for piece in assembler.push(last, 1)] == [5000 + len(START_CODE)]


def test_small_unit_is_emitted_at_once() -> None:
    assert [piece.pts for piece in NalAssembler(early=True).push(START_CODE + b"abc", 7)] == [7]


def test_unit_that_may_continue_is_not_emitted_yet() -> None:
    assembler = NalAssembler(early=True)
    assert assembler.push(START_CODE + b"x" * (MIN_FRAGMENT_BYTES + FIRST_FRAGMENT_EXTRA_BYTES), 0) == []
    assert [piece.pts for piece in assembler.push(START_CODE + b"abc", 0)] == [0, 0]


def test_fragments_of_uneven_size_are_detected() -> None:
    assembler = NalAssembler(early=True)
    assembler.push(START_CODE + b"x" * 500, 0)
    with pytest.raises(UnevenFragments):
        assembler.push(b"y" * 700, 0)
