"""PARE's and POCO's result files: a dict of people for a film, a dict for each picture of a folder.

Kocabas et al., "PARE: Part attention regressor for 3D human body estimation" (2021); Dwivedi et al., "POCO: 3D pose and shape
estimation with confidence" (2024).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from remi_stream.formats.pickled import Items, Pieces, write_pickle
from remi_stream.formats.sightings import Figure, Sighting, away, load_figure, posed, rotations_of, sightings
from remi_stream.formats.take import Take
from remi_stream.formats.tracks import no_pose
from remi_stream.sinks.recording.files import written_whole

Pairs = Iterator[tuple[Any, Any]]


class Layout(NamedTuple):
    """What tells one program's files from another's.

    file: of a film. folder: for those of pictures. joints: the key of the 49 joints. unsure: has var and var_global.
    detections: the boxes of all pictures, too. log: one line a person and frame.
    """

    file: str
    folder: str
    joints: str = "joints3d"
    unsure: bool = False
    detections: str = ""
    log: str = ""


PARE = Layout("pare_output.pkl", "pare_results")
SMPL = Layout("smpl_output.pkl", "smpl_results")
POCO = Layout("poco_output.pkl", "poco_results", "smpl_joints3d", True, "detection_results.pkl", "uncertainty.log")


def write(layout: Layout, take: Take, folder: Path) -> list[Path]:
    """Write the files and give their paths. Raises OSError, and RemiError without SMPL."""
    figure = load_figure()
    written = (_write_pictures if take.images else _write_film)(layout, take, folder, figure)
    return [*written, _log(folder / layout.log, take, figure)] if layout.log else written


def _write_film(layout: Layout, take: Take, folder: Path, figure: Figure) -> list[Path]:
    tracks: dict[int, list[Sighting]] = {}
    for person, seen in sightings(take, figure):
        tracks.setdefault(person.track_id, []).append(seen)
    if not tracks and any(bodies.people for bodies in take.frames):
        raise no_pose(take, layout.file)
    people = ((track_id, Items(_track(layout, tracks[track_id], figure))) for track_id in sorted(tracks))
    return [_pickled(folder / layout.file, Items(people))]


def _track(layout: Layout, seen_there: Sequence[Sighting], figure: Figure) -> Pairs:
    """A person through the film. Meshes are made while they are written, and what else needs them meanwhile.

    Frames in which nobody saw them are drawn with the same camera as the others.
    """
    of_crop = any(seen.of_crop for seen in seen_there)
    track = [seen._replace(of_crop=of_crop) for seen in seen_there]
    joints = np.empty((len(track), 49, 3), np.float32)
    pixels = np.empty((len(track), 49, 2), np.float32)

    def vertices() -> Iterator[np.ndarray]:
        for row, seen in enumerate(track):
            body = posed(seen, figure)
            joints[row], pixels[row] = body.joints, body.joints_px
            yield body.vertices

    yield "pred_cam", np.array([seen.pred_cam for seen in track], np.float32)
    yield "orig_cam", np.array([seen.orig_cam for seen in track], np.float64)
    yield "verts", Pieces((len(track), len(figure.body.v_template), 3), "<f4", vertices())
    yield "pose", np.array([rotations_of(seen.smpl) for seen in track])
    yield "betas", np.array([seen.smpl.betas for seen in track], np.float32)
    yield layout.joints, joints
    yield "joints2d", None
    yield "smpl_joints2d", pixels
    yield "bboxes", np.array([seen.square for seen in track], np.float64)
    yield "frame_ids", np.array([seen.frame for seen in track], np.int64)
    if layout.unsure:
        yield from _unsure(track)


def _unsure(people: Sequence[Sighting]) -> Pairs:
    yield "var", np.array([seen.var for seen in people], np.float32)
    yield "var_global", np.array([seen.var_global for seen in people], np.float32)


def _write_pictures(layout: Layout, take: Take, folder: Path, figure: Figure) -> list[Path]:
    """A file for each picture that somebody is in."""
    (folder / layout.folder).mkdir(parents=True, exist_ok=True)
    names, boxes, written = _stems(take.images), [np.zeros((0, 4))] * len(take.images), []
    for frame, seen in groupby((each for _, each in sightings(take, figure)), lambda each: each.frame):
        people = list(seen)
        boxes[frame] = np.array([each.square for each in people])
        written.append(_pickled(folder / layout.folder / f"{names[frame]}.pkl", dict(_picture(layout, people, figure))))
    if layout.detections:
        written.append(_pickled(folder / layout.detections, boxes))
    return written


def _picture(layout: Layout, people: Sequence[Sighting], figure: Figure) -> Pairs:
    bodies = [posed(seen, figure) for seen in people]
    yield "smpl_vertices", np.array([body.vertices for body in bodies], np.float32)
    yield "smpl_joints3d", np.array([body.joints for body in bodies])
    yield "smpl_joints2d", np.array([body.joints_px for body in bodies])
    yield "pred_cam_t", np.array([away(seen) for seen in people], np.float32)
    yield "pred_pose", np.array([rotations_of(seen.smpl) for seen in people])
    yield "pred_cam", np.array([seen.pred_cam for seen in people], np.float32)
    yield "pred_shape", np.array([seen.smpl.betas for seen in people], np.float32)
    if layout.unsure:
        yield from _unsure(people)
    yield "bboxes", np.array([seen.square for seen in people], np.float64)
    yield "orig_cam", np.array([seen.orig_cam for seen in people], np.float64)


def _log(path: Path, take: Take, figure: Figure) -> Path:
    """How unsure POCO is of each person, a line each; the frames of a film are called as its demo's are, from 1."""
    with written_whole(path) as file:
        for person, seen in sightings(take, figure):
            name = take.images[seen.frame] if take.images else f"{seen.frame + 1:06d}.png"
            file.write(f"img_f:{name} person:{person.track_id:02d} var:{seen.var_global:.3f}\n".encode())
    return path


def _stems(images: Sequence[str]) -> list[str]:
    """Pictures' names without their endings; with them where two would be the same."""
    stems = [Path(image).stem for image in images]
    return [Path(image).name if stems.count(stem) > 1 else stem for image, stem in zip(images, stems)]


def _pickled(path: Path, value: Any) -> Path:
    with written_whole(path) as file:
        write_pickle(file, value)
    return path
