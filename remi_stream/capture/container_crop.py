"""Crop that a container states for its video: Matroska's PixelCrop elements, MP4's clean aperture; FFmpeg does not apply it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

SEGMENT, CLUSTER, TRACKS, TRACK, VIDEO = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xE0
"""Element ids of Matroska (RFC 9559)."""
CROP_IDS = {0x54CC: "left", 0x54BB: "top", 0x54DD: "right", 0x54AA: "bottom"}
VISUAL_ENTRY_BYTES = 78
"""Fields of MP4's VisualSampleEntry before its boxes (ISO/IEC 14496-12)."""
MAX_CHILDREN = 1000
"""Elements read of one parent: tracks come early, and a damaged file must not be searched for ever."""


class ContainerCrop(NamedTuple):
    """What to cut off a decoded frame, px."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


NO_CROP = ContainerCrop()

Span = tuple[bytes | int, int, int]
"""Kind of an element, first byte and end of its content."""
ReadChildren = Callable[[BinaryIO, int, int], Iterator[Span]]


def read_crop(path: Path, format_names: str, size: tuple[int, int]) -> ContainerCrop:
    """Read the crop of a file's first video track; none if there is none or it makes no sense.

    format_names: FFmpeg's. size: (width, height) px of a decoded frame.
    """
    names = set(format_names.split(","))
    try:
        with open(path, "rb") as file:
            end = file.seek(0, 2)
            crop = _matroska_crop(file, end) if "matroska" in names else NO_CROP
            crop = _mp4_crop(file, end, size) if "mp4" in names else crop
    except (OSError, struct.error, ZeroDivisionError, OverflowError):
        return NO_CROP
    width, height = size[0] - crop.left - crop.right, size[1] - crop.top - crop.bottom
    return crop if min(crop) >= 0 and width > 0 and height > 0 else NO_CROP


def _matroska_crop(file: BinaryIO, end: int) -> ContainerCrop:
    for _, start, stop in _path(file, 0, end, [SEGMENT, TRACKS, TRACK, VIDEO], _matroska_children):
        numbers = {}
        for kind, first, last in _matroska_children(file, start, stop):
            if isinstance(kind, int) and kind in CROP_IDS and last - first <= 8:
                file.seek(first)
                numbers[CROP_IDS[kind]] = int.from_bytes(file.read(last - first), "big")
        return ContainerCrop(**numbers)
    return NO_CROP


def _mp4_crop(file: BinaryIO, end: int, size: tuple[int, int]) -> ContainerCrop:
    for _, start, stop in _path(file, 0, end, [b"moov", b"trak", b"mdia", b"minf"], _mp4_children):
        if not any(kind == b"vmhd" for kind, _, _ in _mp4_children(file, start, stop)):
            continue  # sound
        for _, first, last in _path(file, start, stop, [b"stbl", b"stsd"], _mp4_children):
            for _, entry, entry_end in _mp4_children(file, first + 8, last):
                for kind, clap, _ in _mp4_children(file, entry + VISUAL_ENTRY_BYTES, entry_end):
                    if kind == b"clap":
                        file.seek(clap)
                        return _aperture(struct.unpack(">IIIIiIiI", file.read(32)), size)
        return NO_CROP
    return NO_CROP


def _aperture(numbers: tuple[int, ...], size: tuple[int, int]) -> ContainerCrop:
    """Crop of a clean aperture: width, height, and offset of its centre from the image's, as numerators and denominators."""
    width, height, x, y = (numbers[at] / numbers[at + 1] for at in (0, 2, 4, 6))
    left, top = round((size[0] - width) / 2 + x), round((size[1] - height) / 2 + y)
    return ContainerCrop(left, top, size[0] - left - round(width), size[1] - top - round(height))


def _path(file: BinaryIO, start: int, end: int, kinds: Sequence[bytes | int], children: ReadChildren) -> Iterator[Span]:
    """All elements at a path of kinds."""
    for kind, first, last in children(file, start, end):
        if kind == kinds[0]:
            if len(kinds) == 1:
                yield kind, first, last
            else:
                yield from _path(file, first, last, kinds[1:], children)


def _matroska_children(file: BinaryIO, start: int, end: int) -> Iterator[Span]:
    for _ in range(MAX_CHILDREN):
        if start >= end:
            return
        file.seek(start)
        kind, length = _vint(file, keep_marker=True), _vint(file)
        if kind is None or kind == CLUSTER or length is None:
            return
        first = file.seek(0, 1)
        start = min(end, first + length)
        yield kind, first, start


def _vint(file: BinaryIO, *, keep_marker: bool = False) -> int | None:
    """Read a number of variable length (RFC 8794); None at the end of the file. An unknown size is larger than any file."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    number = int.from_bytes(first + file.read(length - 1), "big")
    if keep_marker:
        return number
    number &= (1 << 7 * length) - 1
    return 1 << 62 if number == (1 << 7 * length) - 1 else number


def _mp4_children(file: BinaryIO, start: int, end: int) -> Iterator[Span]:
    for _ in range(MAX_CHILDREN):
        if start + 8 > end:
            return
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        first = start + 8
        if length == 1:
            length, first = struct.unpack(">Q", file.read(8))[0], start + 16
        stop = end if length == 0 else min(end, start + length)
        if stop < first:
            return
        yield kind, first, stop
        start = stop
