"""Crop that a container states: Matroska's PixelCrop and MP4's clean aperture, in files that a muxer wrote."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from remi_stream.capture.container_crop import NO_CROP, SEGMENT, TRACK, TRACKS, VIDEO, _matroska_children, read_crop
from tests.capture.test_container_shape import make_clip, picture, seen

MKV = [SEGMENT, TRACKS, TRACK, VIDEO]
MP4 = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"]


def crop_mkv(path: Path) -> Path:
    """Insert PixelCrop elements (left 6, top 4, right 10, bottom 2) into Segment / Tracks / TrackEntry / Video."""
    data, places, end = path.read_bytes(), [], path.stat().st_size
    at = 0
    with path.open("rb") as file:
        for kind in MKV:
            at, end = next(span[1:] for span in _matroska_children(file, at, end) if span[0] == kind)
            places.append((at, end))
    content = b"".join(bytes([0x54, kind, 0x81, value]) for kind, value in ((0xCC, 6), (0xBB, 4), (0xDD, 10), (0xAA, 2)))
    video_end, grown = places[-1][1], len(content)
    data = data[:video_end] + content + data[video_end:]
    for kind, (first, last) in zip(reversed(MKV), reversed(places)):
        name = kind.to_bytes((kind.bit_length() + 7) // 8, "big")
        head = data.rindex(name, 0, first)
        data = data[: head + len(name)] + ((1 << 56) | (last - first + grown)).to_bytes(8, "big") + data[first:]
        grown += 8 - (first - head - len(name))
    path.write_bytes(data)
    return path


def crop_mp4(path: Path) -> Path:
    """Append a clean aperture of 48 x 42 px, its centre 2 px left of and 1 px below the image's, to the video's sample entry."""
    data, at, places = bytearray(path.read_bytes()), 0, []
    for kind in MP4:
        at = data.index(kind, at) - 4
        places.append(at)
        at += 8
    end = places[-1] + struct.unpack(">I", data[places[-1] : places[-1] + 4])[0]
    box = struct.pack(">I4sIIIIiIiI", 40, b"clap", 48, 1, 42, 1, -2, 1, 1, 1)
    data[end:end] = box
    for place in places:
        data[place : place + 4] = struct.pack(">I", struct.unpack(">I", data[place : place + 4])[0] + len(box))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("name", "write"), [("a.mkv", crop_mkv), ("a.mp4", crop_mp4)])
def test_crop_of_the_container_is_applied(name: str, write: object, tmp_path: Path) -> None:
    assert callable(write)
    for image in seen(write(make_clip(tmp_path / name))):
        assert image.shape == (42, 48, 3)
        assert np.abs(image.astype(int) - picture()[4:-2, 6:-10]).mean() < 4


@pytest.mark.parametrize(("name", "write"), [("a.mkv", crop_mkv), ("a.mp4", crop_mp4)])
def test_damaged_file_has_no_crop_that_makes_no_sense(name: str, write: object, tmp_path: Path) -> None:
    assert callable(write)
    whole = write(make_clip(tmp_path / name)).read_bytes()
    noise = np.random.default_rng(0)
    for _ in range(300):
        data = np.frombuffer(whole, np.uint8).copy()
        at = noise.integers(0, len(data), 20)
        data[at] = noise.integers(0, 256, 20)
        (tmp_path / "bad").write_bytes(data[: noise.integers(1, len(data))].tobytes())
        crop = read_crop(tmp_path / "bad", "matroska,webm" if name == "a.mkv" else "mov,mp4", (64, 48))
        assert min(crop) >= 0
        assert crop.left + crop.right < 64
        assert crop.top + crop.bottom < 48


def test_file_without_a_crop_and_other_formats_have_none(tmp_path: Path) -> None:
    for name in ("a.mkv", "a.mp4"):
        assert read_crop(make_clip(tmp_path / name), "matroska,mp4" if name == "a.mkv" else "mp4", (64, 48)) == NO_CROP
    assert read_crop(tmp_path / "a.mkv", "avi", (64, 48)) == NO_CROP
