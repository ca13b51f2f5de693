"""Read an `alphapose-results.json` as key-point clips, one per track, for 2D-to-3D lifting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.formats.alphapose import AlphaPoseResult, read_results
from remi_stream.formats.clip import KeypointClip, make_clip

COCO_JOINT_COUNT = 17
"""The first joints of every model, in COCO's order; only these are lifted."""
KEYPOINT_COUNTS = (17, 26, 136)
"""Key-point counts of AlphaPose's models whose first 17 are COCO's: COCO, Halpe 26, Halpe 136."""


def read_alphapose_clips(path: Path) -> list[KeypointClip]:
    """Read one clip per track; without tracking, one clip of the best person of each frame. Raises UsageError."""
    results = read_results(path)
    for result in results:
        if len(result.keypoints_px) not in KEYPOINT_COUNTS:
            known = ", ".join(map(str, KEYPOINT_COUNTS))
            raise UsageError(f"{path} has people of {len(result.keypoints_px)} key points; known are {known}.")
    if not results:
        raise UsageError(f"{path} shows no person: there is nothing to lift.")
    frames, tracks = frame_numbers([result.image_id for result in results]), [result.pose_ids[0] for result in results]
    names = {track: path.stem if len(set(tracks)) == 1 else f"{path.stem}-{track:g}" for track in tracks}
    return [_clip(names[track], results, frames, [each == track for each in tracks]) for track in dict.fromkeys(tracks)]


def _clip(name: str, results: Sequence[AlphaPoseResult], frames: Sequence[int], is_track: Sequence[bool]) -> KeypointClip:
    best: dict[int, AlphaPoseResult] = {}
    for frame, result, selected in zip(frames, results, is_track):
        if selected and (frame not in best or result.score > best[frame].score):
            best[frame] = result
    numbers = sorted(best)
    return make_clip(name, np.array(numbers), np.array([best[frame].keypoints_px[:COCO_JOINT_COUNT] for frame in numbers]))


def frame_numbers(images: Sequence[str | int]) -> list[int]:
    """Return the frame number of each image: the number at the end of its name if all names share one prefix, else its index."""
    matches = [re.fullmatch(r"(.*?)(\d+)", Path(str(image)).stem) for image in images]
    if all(matches) and len({match[1] for match in matches if match}) == 1:
        return [int(match[2]) for match in matches if match]
    indices = {image: index for index, image in enumerate(dict.fromkeys(images))}
    return [indices[image] for image in images]
