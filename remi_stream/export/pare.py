"""Export PARE's and POCO's result files: one dict of people per video, or one dict per image of a folder.

Kocabas et al., "PARE: Part attention regressor for 3D human body estimation" (2021); Dwivedi et al., "POCO: 3D pose and shape
estimation with confidence" (2024).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from remi_stream.atomic_files import atomic_file
from remi_stream.export.pickle_writer import ChunkedArray, LazyDict, write_pickle
from remi_stream.export.weak_perspective import (
    ExportBody,
    WeakPerspectivePerson,
    camera_translation,
    load_export_body,
    pose_body,
    smpl_rotation_matrices,
    weak_perspective_people,
)
from remi_stream.recordings.take import Take, no_smpl_pose_error

KeyValues = Iterator[tuple[Any, Any]]


class RegressorLayout(NamedTuple):
    """File names and keys in which the result files of PARE, POCO and smpl-output differ."""

    file: str
    """Result file of a video."""
    folder: str
    """Folder of the result files of images."""
    joints_key: str = "joints3d"
    """Key of the 49 joints."""
    has_variance: bool = False
    """Has var and var_global, POCO's uncertainty."""
    detections_file: str = ""
    """File with the boxes of all images; "" for none."""
    log_file: str = ""
    """File of the uncertainty log, one line per person and frame; "" for none."""


PARE_LAYOUT = RegressorLayout("pare_output.pkl", "pare_results")
SMPL_LAYOUT = RegressorLayout("smpl_output.pkl", "smpl_results")
POCO_LAYOUT = RegressorLayout(
    "poco_output.pkl", "poco_results", "smpl_joints3d", True, "detection_results.pkl", "uncertainty.log"
)


def write_regressor_results(layout: RegressorLayout, take: Take, folder: Path) -> list[Path]:
    """Write the result files; return their paths. Raises OSError, and RemiError without SMPL."""
    export_body = load_export_body()
    paths = (_write_images if take.images else _write_video)(layout, take, folder, export_body)
    return [*paths, _write_log(folder / layout.log_file, take, export_body)] if layout.log_file else paths


def _write_video(layout: RegressorLayout, take: Take, folder: Path, export_body: ExportBody) -> list[Path]:
    tracks: dict[int, list[WeakPerspectivePerson]] = {}
    for person, row in weak_perspective_people(take, export_body):
        tracks.setdefault(person.track_id, []).append(row)
    if not tracks and any(bodies.people for bodies in take.frames):
        raise no_smpl_pose_error(take, layout.file)
    items = ((track_id, LazyDict(_track(layout, tracks[track_id], export_body))) for track_id in sorted(tracks))
    return [_write_pickle_file(folder / layout.file, LazyDict(items))]


def _track(layout: RegressorLayout, rows: Sequence[WeakPerspectivePerson], export_body: ExportBody) -> KeyValues:
    """Yield the entries of one person's track. Meshes are posed while they are written, to limit memory.

    Interpolated frames, without native outputs, use the same camera as the others.
    """
    of_crop = any(row.uses_crop_camera for row in rows)
    track = [row._replace(uses_crop_camera=of_crop) for row in rows]
    joints = np.empty((len(track), 49, 3), np.float32)
    pixels = np.empty((len(track), 49, 2), np.float32)

    def vertices() -> Iterator[np.ndarray]:
        # Fills joints and pixels as well: they are written after "verts", when this generator is exhausted.
        for index, row in enumerate(track):
            body = pose_body(row, export_body)
            joints[index], pixels[index] = body.joints, body.joints_px
            yield body.vertices

    yield "pred_cam", np.array([row.pred_cam for row in track], np.float32)
    yield "orig_cam", np.array([row.orig_cam for row in track], np.float64)
    yield "verts", ChunkedArray((len(track), len(export_body.body.v_template), 3), "<f4", vertices())
    yield "pose", np.array([smpl_rotation_matrices(row.smpl) for row in track])
    yield "betas", np.array([row.smpl.betas for row in track], np.float32)
    yield layout.joints_key, joints
    yield "joints2d", None  # as in PARE's file
    yield "smpl_joints2d", pixels
    yield "bboxes", np.array([row.square for row in track], np.float64)
    yield "frame_ids", np.array([row.frame for row in track], np.int64)
    if layout.has_variance:
        yield from _uncertainty(track)


def _uncertainty(people: Sequence[WeakPerspectivePerson]) -> KeyValues:
    yield "var", np.array([person.var for person in people], np.float32)
    yield "var_global", np.array([person.var_global for person in people], np.float32)


def _write_images(layout: RegressorLayout, take: Take, folder: Path, export_body: ExportBody) -> list[Path]:
    """Write one file per image with people; return the paths."""
    (folder / layout.folder).mkdir(parents=True, exist_ok=True)
    # one entry per image, also of those without people, which have no file of their own
    names, boxes, paths = _stems(take.images), [np.zeros((0, 4))] * len(take.images), []
    for frame, group in groupby((each for _, each in weak_perspective_people(take, export_body)), lambda each: each.frame):
        people = list(group)
        boxes[frame] = np.array([each.square for each in people])
        paths.append(
            _write_pickle_file(folder / layout.folder / f"{names[frame]}.pkl", dict(_image(layout, people, export_body)))
        )
    if layout.detections_file:
        paths.append(_write_pickle_file(folder / layout.detections_file, boxes))
    return paths


def _image(layout: RegressorLayout, people: Sequence[WeakPerspectivePerson], export_body: ExportBody) -> KeyValues:
    bodies = [pose_body(person, export_body) for person in people]
    yield "smpl_vertices", np.array([body.vertices for body in bodies], np.float32)
    yield "smpl_joints3d", np.array([body.joints for body in bodies])
    yield "smpl_joints2d", np.array([body.joints_px for body in bodies])
    yield "pred_cam_t", np.array([camera_translation(person) for person in people], np.float32)
    yield "pred_pose", np.array([smpl_rotation_matrices(person.smpl) for person in people])
    yield "pred_cam", np.array([person.pred_cam for person in people], np.float32)
    yield "pred_shape", np.array([person.smpl.betas for person in people], np.float32)
    if layout.has_variance:
        yield from _uncertainty(people)
    yield "bboxes", np.array([person.square for person in people], np.float64)
    yield "orig_cam", np.array([person.orig_cam for person in people], np.float64)


def _write_log(path: Path, take: Take, export_body: ExportBody) -> Path:
    """Write POCO's uncertainty log, one line per person and frame; video frames are named as in its demo, from 1."""
    with atomic_file(path) as file:
        for person, row in weak_perspective_people(take, export_body):
            name = take.images[row.frame] if take.images else f"{row.frame + 1:06d}.png"
            file.write(f"img_f:{name} person:{person.track_id:02d} var:{row.var_global:.3f}\n".encode())
    return path


def _stems(images: Sequence[str]) -> list[str]:
    """Return image names without suffix; with it where two would be equal."""
    stems = [Path(image).stem for image in images]
    counts = Counter(stems)
    return [Path(image).name if counts[stem] > 1 else stem for image, stem in zip(images, stems)]


def _write_pickle_file(path: Path, value: Any) -> Path:
    with atomic_file(path) as file:
        write_pickle(file, value)
    return path
