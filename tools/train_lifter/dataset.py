"""Data sets: features and targets of stored sequences, made by the closed-form fit of today."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from remi_stream.body.fit.fitter import TrackFitter
from remi_stream.body.ik.solver import LIMB_LANDMARKS, IkState, body_landmarks
from remi_stream.body.smpl import Body, forward_kinematics
from remi_stream.geometry import Intrinsics, default_intrinsics, project
from remi_stream.pose.landmarks import Landmarks, Roi
from remi_stream.pose.lifting.features import lifter_axes, lifter_features, lifter_input
from train_lifter.store import read_sequences

Array = NDArray[Any]

MIN_PEAK, MIN_VISIBLE = 0.45, 4
"""Least mean heatmap peak of the best six limb landmarks, and number of visible ones: below it no gate accepts a person."""
MAX_ERROR = 0.12
"""Largest median distance of the visible limb landmarks from the truth, in sizes of the region: beyond it the network follows
something else."""
MIN_CHUNK = 4
"""Least frames of a track."""
OBSERVED = ("world", "pixels", "visibility", "presence", "heatmap_peaks")
"""What is stored of the landmarks."""
CALIBRATED_SHARE = 0.5
"""Share of the sequences whose features are made with the true intrinsics; the others as a camera that nobody calibrated."""


class FeatureMaker:
    """Makes features of the body that the engine fits."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.fitter = TrackFitter(body)

    def chunks(self, sequence: dict[str, Array], rng: np.random.Generator) -> list[dict[str, Array]]:
        """Cut a sequence into tracks without gaps, each with features and targets of every frame."""
        fx, fy, cx, cy = (float(value) for value in sequence["intrinsics"])
        calibrated = rng.random() < CALIBRATED_SHARE
        intrinsics = (fx, fy, cx, cy) if calibrated else default_intrinsics(*(float(side) for side in sequence["size"]))
        truth = Rotation.from_rotvec(sequence["rotvec"].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
        fits = self.accepted(sequence, truth)
        starts = [
            index
            for index in range(len(fits))
            if fits[index] and (index == 0 or not fits[index - 1] or sequence["is_new"][index] or is_gap(sequence, index))
        ]
        ends = [*starts[1:], len(fits)]
        found = []
        for start, end in zip(starts, ends):
            stop = next((index for index in range(start, end) if not fits[index]), end)
            if stop - start >= MIN_CHUNK:
                found.append(self._chunk(sequence, truth, range(start, stop), intrinsics))
        return found

    def accepted(self, sequence: dict[str, Array], truth: Array) -> Array:
        """Return which frames a gate would accept, and show the person, (N,) bool."""
        peaks = np.sort(sequence["heatmap_peaks"][:, LIMB_LANDMARKS], axis=1)[:, -6:].mean(1)
        visible = sequence["visibility"][:, LIMB_LANDMARKS] > 0.5
        errors = np.full(len(peaks), np.inf)
        rest = self.body.rest_joints(sequence["betas"])
        for index in np.flatnonzero((peaks >= MIN_PEAK) & (visible.sum(1) >= MIN_VISIBLE)):
            world, joints = forward_kinematics(rest, truth[index], np.zeros(3))
            points = body_landmarks(world, joints)[LIMB_LANDMARKS] - joints[0] + sequence["joints"][index, 0]
            apart = np.linalg.norm(
                project(points, tuple(sequence["intrinsics"])) - sequence["pixels"][index, LIMB_LANDMARKS], axis=1
            )
            errors[index] = np.median(apart[visible[index]]) / sequence["roi"][index, 2]
        return errors < MAX_ERROR

    def _chunk(self, sequence: dict[str, Array], truth: Array, frames: range, intrinsics: Intrinsics) -> dict[str, Array]:
        """Return the features and targets of one track."""
        state: IkState | None = None
        rows: list[tuple[Array, Array, Array, Array]] = []
        for index in frames:
            row = {name: sequence[name][index].astype(float) for name in OBSERVED}
            step = (
                0.0 if state is None else float(sequence["frame"][index] - sequence["frame"][index - 1]) / float(sequence["fps"])
            )
            x, y, size, angle = (float(value) for value in sequence["roi"][index])
            roi = Roi(np.array([x, y]), size, angle)
            start = self.fitter.solve_closed_form(row["world"], row["pixels"], row["visibility"], intrinsics, state, step)
            landmarks = Landmarks(**row, roi_points=np.zeros((2, 2)), person_presence=1.0)
            frame = lifter_input(landmarks, roi, start, intrinsics, step, state is None)
            axes = lifter_axes(frame)
            target = truth[index].copy()
            target[0] = axes.T @ target[0]
            rows.append((lifter_features(frame, axes), target, axes, frame.rotations))
            state = start.solution.ik_state
        features, targets, axes_of_all, closed_form = (np.array(column, np.float32) for column in zip(*rows))
        return {
            "features": features,
            "rotations": targets,
            "axes": axes_of_all,
            "closed_form": closed_form,
            "joints": sequence["joints"][frames],
            "contact": sequence["contact"][frames],
            "betas": sequence["betas"],
            "fps": sequence["fps"],
            "length": np.array(len(rows), np.int32),
        }


def is_gap(sequence: dict[str, Array], index: int) -> bool:
    """Return whether frames are missing before this one."""
    return bool(sequence["frame"][index] - sequence["frame"][index - 1] != 1)


def make_dataset(source: Path, out: Path, body: Body) -> int:
    """Make the data set of every stored file that has none; return the number of new frames."""
    out.mkdir(parents=True, exist_ok=True)
    maker, frames = FeatureMaker(body), 0
    for path in sorted(source.glob("*_[0-9][0-9][0-9][0-9].npz")):
        target = out / path.name
        if target.exists():
            continue
        rng = np.random.default_rng(int.from_bytes(path.stem.encode(), "little"))
        chunks = [chunk for sequence in read_sequences(path) for chunk in maker.chunks(sequence, rng)]
        if chunks:
            arrays: dict[str, Any] = {
                name: (np.concatenate if np.ndim(chunks[0][name]) and name != "betas" else np.stack)(
                    [chunk[name] for chunk in chunks]
                )
                for name in chunks[0]
            }
            part = target.with_suffix(".part.npz")
            np.savez(part, **arrays)
            os.replace(part, target)
            frames += int(arrays["length"].sum())
    return frames


def load_datasets(folders: list[Path]) -> dict[str, Array]:
    """Load all data sets of some folders as one: rows of frames, and `length`, `betas`, `fps` of its chunks."""
    paths = [path for folder in folders for path in sorted(folder.glob("*_[0-9][0-9][0-9][0-9].npz"))]
    files = [dict(np.load(path)) for path in paths]
    return {name: np.concatenate([file[name] for file in files]) for name in files[0]}
