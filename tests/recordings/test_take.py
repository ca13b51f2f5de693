"""Frames of a take are read from their files, by index and by slice."""

from __future__ import annotations

import pytest

from remi_stream.messages import Bodies
from remi_stream.recordings.take import StoredFrames
from tests.sample import bodies


class Numbered(StoredFrames):
    """Ten frames; `read` lists those that were read."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def __len__(self) -> int:
        return 10

    def read_frame(self, index: int) -> Bodies:
        self.read.append(index)
        return bodies(index)


@pytest.mark.parametrize(
    ("part", "numbers"),
    [(slice(None), range(10)), (slice(7, None), [7, 8, 9]), (slice(-2, 20), [8, 9]), (slice(5, 1, -2), [5, 3])],
)
def test_slice_reads_its_frames_only(part: slice, numbers: list[int]) -> None:
    frames = Numbered()
    assert [frame.frame_id for frame in frames[part]] == frames.read == list(numbers)


def test_index_counts_from_either_end() -> None:
    frames = Numbered()
    assert (frames[3].frame_id, frames[-1].frame_id) == (3, 9)
    assert [frame.frame_id for frame in frames] == list(range(10))


@pytest.mark.parametrize("index", [10, -11])
def test_index_beyond_the_frames_is_refused(index: int) -> None:
    with pytest.raises(IndexError):
        Numbered()[index]
