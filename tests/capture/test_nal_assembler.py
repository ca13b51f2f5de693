"""NAL units are whole when they are given, and are given as early as can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remi_stream.capture.rtsp import FIRST_FRAGMENT_EXTRA_BYTES, MIN_FRAGMENT_BYTES, START_CODE, NalAssembler, UnevenFragments

FULL = 1386


def fragments(size: int, full: int = FULL) -> list[bytes]:
    """Cut a unit of so many bytes as a sender does, and as FFmpeg gives it."""
    if size <= full + 2:
        return [START_CODE + b"x" * size]
    body = b"y" * (size - 1)
    cut = [body[at : at + full] for at in range(0, len(body), full)]
    return [START_CODE + b"x" + cut[0], *cut[1:]]


def picture(sizes: list[int], full: int = FULL) -> list[bytes]:
    return [fragment for size in sizes for fragment in fragments(size, full)]


PICTURES = st.lists(st.lists(st.integers(2, 6000), min_size=1, max_size=4), min_size=1, max_size=12)


@pytest.mark.parametrize("early", [True, False])
@given(pictures=PICTURES, full=st.integers(MIN_FRAGMENT_BYTES, 1400))
def test_pieces_are_whole_units_in_order(early: bool, pictures: list[list[int]], full: int) -> None:
    joiner = NalAssembler(early=early)
    given_pieces = [
        piece for pts, sizes in enumerate(pictures) for data in picture(sizes, full) for piece in joiner.push(data, pts)
    ]
    given_pieces += joiner.push(START_CODE + b"end", len(pictures))
    given_pieces = [piece for piece in given_pieces if piece.pts != len(pictures)]
    assert all(piece.data.startswith(START_CODE) for piece in given_pieces)
    for pts, sizes in enumerate(pictures):
        assert b"".join(piece.data for piece in given_pieces if piece.pts == pts) == b"".join(picture(sizes, full))
    if not early:
        assert len(given_pieces) == len(pictures)


def test_unit_is_given_with_its_last_fragment_once_the_size_of_fragments_is_known() -> None:
    joiner = NalAssembler(early=True)
    for data in picture([5000]):
        joiner.push(data, 0)
    *others, last = picture([5000])
    assert not [piece for data in others for piece in joiner.push(data, 1) if piece.pts == 1]
    assert [len(piece.data) for piece in joiner.push(last, 1)] == [5000 + len(START_CODE)]


def test_small_unit_is_given_at_once() -> None:
    assert [piece.pts for piece in NalAssembler(early=True).push(START_CODE + b"abc", 7)] == [7]


def test_unit_that_may_go_on_is_not_given_yet() -> None:
    joiner = NalAssembler(early=True)
    assert joiner.push(START_CODE + b"x" * (MIN_FRAGMENT_BYTES + FIRST_FRAGMENT_EXTRA_BYTES), 0) == []
    assert [piece.pts for piece in joiner.push(START_CODE + b"abc", 0)] == [0, 0]


def test_sender_whose_fragments_are_not_even_is_found_out() -> None:
    joiner = NalAssembler(early=True)
    joiner.push(START_CODE + b"x" * 500, 0)
    with pytest.raises(UnevenFragments):
        joiner.push(b"y" * 700, 0)
