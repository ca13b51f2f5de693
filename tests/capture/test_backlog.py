"""Skipping to a key frame when a stream is decoded too slowly: simulated streams on a virtual clock."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remi_stream.capture.backlog import KEY_FRAME_INTERVAL_S, MAX_SKIP_S, BacklogSkipper, UntimedSkipper, is_key_frame

FPS = 25.0


def decode(
    seconds: float,
    decode_s: float,
    *,
    gop: int = 25,
    clock: float = 1.0,
    pauses: dict[int, float] | None = None,
    false_wait_s: float = 0.0,
) -> tuple[list[int], list[float], int]:
    """Decode a stream, one frame after the other; return the decoded frames, their ages when decoded, and the number skipped.

    decode_s: time that each frame takes. clock: speed of the camera's clock. pauses: by frame, how long the network holds it
    and those behind it back, s. false_wait_s: how long the reader waits for Python's lock at every fourth frame, s.
    """
    skipper, now, decoded, ages, skipped = BacklogSkipper(), 100.0, [], [], 0
    arrives_at = 0.0
    for index in range(int(seconds * FPS)):
        sent_at = 100 + index / FPS
        arrives_at = max(arrives_at, sent_at + (pauses or {}).get(index, 0.0))
        now += 1e-4
        waited_s = max(0.0, arrives_at - now, false_wait_s if index % 4 == 0 else 0)
        now += waited_s
        if skipper.wants(index % gop == 0, 5000 + index / FPS * clock, now, waited_s):
            now += decode_s
            decoded.append(index)
            ages.append(now - sent_at)
            skipped += skipper.take_skipped()
    return decoded, ages, skipped + skipper.take_skipped()


def test_fast_decoder_skips_nothing() -> None:
    assert decode(60, 0.03)[2] == 0


@given(decode_s=st.floats(0.045, 0.5), gop=st.integers(1, 100), false_wait_s=st.sampled_from([0.0, 0.006]))
@settings(max_examples=60, deadline=None)
def test_slow_decoder_skips_frames_and_its_ages_never_grow(decode_s: float, gop: int, false_wait_s: float) -> None:
    decoded, ages, skipped = decode(120, decode_s, gop=gop, false_wait_s=false_wait_s)
    assert len(decoded) + skipped == 120 * FPS
    assert max(ages) < 1.8 + 2 * decode_s
    assert np.mean(ages[len(ages) // 2 :]) < np.mean(ages[: len(ages) // 2]) + 0.2
    starts = [index for before, index in itertools.pairwise(decoded) if index != before + 1]
    assert all(index % gop == 0 for index in starts), "after a gap decoding begins with a key frame"


def test_frames_that_a_paused_network_delivers_at_once_are_all_decoded() -> None:
    assert decode(60, 0.002, pauses={500: 3.0})[2] == 0


@pytest.mark.parametrize("clock", [0.999, 1.001, 1.01])
def test_camera_whose_clock_is_wrong_by_a_thousandth_is_not_late(clock: float) -> None:
    assert decode(600, 0.01, clock=clock)[2] == 0


@pytest.mark.parametrize("decode_s", [0.002, 0.01, 0.03])
@pytest.mark.parametrize("clock", [0.6, 0.8, 0.96, 0.98])
def test_frames_of_a_camera_whose_clock_is_too_slow_are_all_decoded(clock: float, decode_s: float) -> None:
    assert decode(300, decode_s, clock=clock)[2] == 0


def test_slow_decoder_of_a_camera_whose_clock_is_too_slow_skips_too() -> None:
    _, ages, skipped = decode(120, 0.1, clock=0.8)
    assert skipped > 0
    assert max(ages) < 2.5


def test_images_without_times_are_skipped_only_while_there_is_a_backlog() -> None:
    skipper, now, ages, skipped = UntimedSkipper(), 0.0, [], 0
    for index in range(3000):
        sent_at = index / FPS + (0.2 if 100 < index < 106 else 0.0)  # a short pause of the network
        waited_s = max(0.0, sent_at - now)
        now += waited_s + 1e-4
        if skipper.wants(now, waited_s):
            now += 0.01 if index < 500 else 0.06
            ages.append(now - sent_at)
        skipped += skipper.take_skipped()
        assert index >= 500 or not skipped
    assert max(ages) < 0.5
    assert skipped == pytest.approx(2500 / 3, rel=0.5)


def test_stream_without_further_key_frames_is_decoded_again_after_a_while() -> None:
    decoded, _, skipped = decode(60, 0.08, gop=10**6)
    assert skipped > 0
    gaps = np.diff([*decoded, 60 * FPS]) / FPS
    assert gaps.max() < MAX_SKIP_S + 2


def test_jump_of_the_timestamps_is_no_lag() -> None:
    skipper = BacklogSkipper()
    times = [index / FPS for index in range(500)] + [-9000 + index / FPS for index in range(500)]
    assert all(skipper.wants(index % 25 == 0, pts, index / FPS) for index, pts in enumerate(times))


def test_key_frames_are_decoded_now_and_then_while_the_others_are_skipped() -> None:
    skipper = BacklogSkipper()
    # the frames of a stream that lies 4 s back: read without a pause, each a key frame
    wanted = [skipper.wants(True, index / FPS, index / FPS) for index in range(10)]
    wanted += [skipper.wants(True, (10 + index) / FPS, 4 + index * 0.01) for index in range(150)]
    assert sum(wanted[10:60]) == 50, "patience"
    assert sum(wanted[60:110]) == pytest.approx(0.5 / KEY_FRAME_INTERVAL_S, abs=1)
    assert all(wanted[130:]), "it has caught up"


@pytest.mark.parametrize(
    ("codec", "units", "expected"),
    [
        ("h264", [0x67, 0x68, 0x65], True),
        ("h264", [0x65], True),
        ("h264", [0x06, 0x41], False),
        ("h264", [0x01], False),
        ("h264", [0x67, 0x68], None),
        ("hevc", [0x40, 0x42, 0x44, 0x26], True),
        ("hevc", [0x28], True),
        ("hevc", [0x02], False),
        ("hevc", [0x40, 0x42], None),
        ("h264", [], None),
    ],
)
def test_key_frame_is_known_by_the_types_of_its_units(codec: str, units: list[int], expected: bool | None) -> None:
    data = b"".join(b"\0\0\0\1" + bytes([header, 1, 80, 90]) for header in units)
    assert is_key_frame(data, codec) is expected
