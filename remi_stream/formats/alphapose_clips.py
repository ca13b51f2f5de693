"""The people of an `alphapose-results.json`, through the video."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.formats.alphapose import Result, read
from remi_stream.formats.clip import Clip, clip_of

BODY = 17
JOINTS = (17, 26, 136)
"""How many key points the models have that begin with COCO's."""


def read_clips(path: Path) -> list[Clip]:
    """A clip for each track; where nobody was tracked, one of the best person of each frame. Raises UsageError."""
    results = read(path)
    for result in results:
        if len(result.keypoints_px) not in JOINTS:
            known = ", ".join(map(str, JOINTS))
            raise UsageError(f"{path} has people of {len(result.keypoints_px)} key points; known are {known}.")
    if not results:
        raise UsageError(f"{path} shows nobody: there is nothing to lift.")
    frames, tracks = frame_numbers([result.image_id for result in results]), [result.ids[0] for result in results]
    names = {track: path.stem if len(set(tracks)) == 1 else f"{path.stem}-{track:g}" for track in tracks}
    return [_clip(names[track], results, frames, [each == track for each in tracks]) for track in dict.fromkeys(tracks)]


def _clip(name: str, results: Sequence[Result], frames: Sequence[int], chosen: Sequence[bool]) -> Clip:
    best: dict[int, Result] = {}
    for frame, result, own in zip(frames, results, chosen):
        if own and (frame not in best or result.score > best[frame].score):
            best[frame] = result
    at = sorted(best)
    return clip_of(name, np.array(at), np.array([best[frame].keypoints_px[:BODY] for frame in at]))


def frame_numbers(images: Sequence[str | int]) -> list[int]:
    """The frame of each image: the number that its name ends in, if all names are alike but for it; else its place in order."""
    found = [re.fullmatch(r"(.*?)(\d+)", Path(str(image)).stem) for image in images]
    if all(found) and len({match[1] for match in found if match}) == 1:
        return [int(match[2]) for match in found if match]
    places = {image: place for place, image in enumerate(dict.fromkeys(images))}
    return [places[image] for image in images]
