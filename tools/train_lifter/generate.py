"""Generation of training data: random performances, rendered and observed, until a time or a number of frames is reached."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.body.smpl import load_default_body
from remi_stream.inference.load import load_runtime
from remi_stream.models.manifest import find_engine
from remi_stream.models.store import ensure_model_file
from remi_stream.pose.landmarks import OUTPUT_TENSORS
from train_lifter.furniture import obstacle, seat, table
from train_lifter.observation import Observer, Scene
from train_lifter.painter import Model, Painter
from train_lifter.performance import Performance, perform
from train_lifter.pictures import background, random_cover, random_faults
from train_lifter.recorded import RecordedMotion
from train_lifter.store import SEQUENCES_PER_FILE, sequence_rows, write_sequences
from train_lifter.view import half_body, random_view, whole_body

Array = NDArray[Any]

FRAMES = 30
"""Frames of a sequence: one second shows what the memory is for, and more sequences show more poses."""
FRAME_RATES = (15.0, 20.0, 24.0, 25.0, 50.0, 60.0)
"""Frame rates of 30 % of the sequences; the others have 30."""
FRAMINGS = {"whole": 0.66, "half": 0.22, "desk": 0.12}
"""Shares of whole bodies, upper bodies, and people at a desk."""
STILL_HALF_SHARE = 0.5
"""Share of the upper bodies without a desk whose legs are still."""
PEOPLE_AT_START, PEOPLE, SEQUENCES_PER_PERSON = 3, 60, 12
"""A dressed person costs as much as 20 frames, so that each is used for many sequences."""
SHAPE_SPREAD = np.array([1.1] * 3 + [0.8] * 7)
MAX_BETA = 2.4


class Studio:
    """Makes sequences from one random generator."""

    def __init__(self, seed: int, motion: Path, is_validation: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.recorded = RecordedMotion(motion, is_validation)
        self.painter = Painter(load_default_body())
        self.observer = Observer(open_network(), self.painter)
        self.people = [self._new_person() for _ in range(PEOPLE_AT_START)]
        self.count = 0

    def sequence(self) -> dict[str, Array] | None:
        """Make a sequence; None if the network hardly finds the person."""
        self.count += 1
        if self.count % SEQUENCES_PER_PERSON == 0 and len(self.people) < PEOPLE:
            self.people.append(self._new_person())
        rng = self.rng
        framing = str(rng.choice(list(FRAMINGS), p=list(FRAMINGS.values())))
        fps = 30.0 if rng.random() < 0.7 else float(rng.choice(FRAME_RATES))
        model = self.people[rng.integers(len(self.people))]
        is_desk = framing == "desk" or (framing == "half" and rng.random() < STILL_HALF_SHARE)
        performance = perform(rng, self.recorded, model.rest_joints, model.sole_m, FRAMES, fps, is_desk)
        scene = self._scene(performance, model, framing)
        return sequence_rows(scene, self.observer.observe(rng, scene, fps), fps, framing)

    def _scene(self, performance: Performance, model: Model, framing: str) -> Scene:
        rng = self.rng
        framed = whole_body(rng, performance) if framing == "whole" else half_body(rng, performance)
        view = random_view(rng, performance, framed)
        picture = background(rng, view.size)
        self.painter.paint(rng, model)
        eye = -view.camera_from_world[:3, :3].T @ view.camera_from_world[:3, 3]
        parts = []
        if framing == "desk" or rng.random() < 0.06:
            parts.append(table(rng, performance))
        if (framing == "desk" and rng.random() < 0.6) or rng.random() < 0.04:
            parts.append(seat(rng, performance))
        if rng.random() < 0.12:
            parts.append(obstacle(rng, performance, eye))
        self.painter.furnish(view, np.concatenate(parts) if parts else None, picture)
        cover = random_cover(rng, view.size) if rng.random() < 0.12 else None
        return Scene(performance, model, view, picture, cover, random_faults(rng), bool(rng.random() < 0.12))

    def _new_person(self) -> Model:
        betas = np.clip(self.rng.normal(0, SHAPE_SPREAD), -MAX_BETA, MAX_BETA)
        return self.painter.dress(self.rng, betas)


def open_network() -> Any:
    """Open the landmark network as the engine does, with one thread."""
    model = ensure_model_file(find_engine("blazepose").weights[0])
    return load_runtime("openvino", model, outputs=OUTPUT_TENSORS, bytes_scale=1 / 255, threads=1, precision="f32")


def generate(seed: int, motion: Path, out: Path, is_validation: bool, max_frames: int, max_s: float) -> int:
    """Write sequences to out/SEED_NUMBER.npz until max_frames or max_s is reached; return the number of frames."""
    out.mkdir(parents=True, exist_ok=True)
    studio, started, cpu = Studio(seed, motion, is_validation), time.monotonic(), time.process_time()
    waiting: list[dict[str, Array]] = []
    frames = part = 0
    while frames < max_frames and time.monotonic() - started < max_s:
        try:
            sequence = studio.sequence()
        except np.linalg.LinAlgError:  # a degenerate camera or pose
            continue
        if sequence is None:
            continue
        waiting.append(sequence)
        frames += int(sequence["length"])
        if len(waiting) == SEQUENCES_PER_FILE:
            write_sequences(out / f"{seed}_{part:04d}.npz", waiting)
            part, waiting = part + 1, []
            rate = frames / (time.process_time() - cpu)
            print(f"{frames} frames, {studio.count} sequences, {rate:.0f} frames per CPU second", flush=True)
    if waiting:
        write_sequences(out / f"{seed}_{part:04d}.npz", waiting)
    return frames
