#!/usr/bin/env python3
"""Benchmark rendering of videos at 1280x720 on the CPU, including decoding and encoding.

    python tools/bench_render.py [--frames 120] [--people 1 3] [--views mesh skeleton 3d side] [--runs 3]

Prints a line per view and number of people, of the best run: frames per second, ratio to the goal of 10, and CPU time per frame,
which depends less on the load of the machine. The people are copies of the sample clip's ground truth.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np

from remi_stream.body.smpl import load_default_body
from remi_stream.geometry import bounding_box, default_intrinsics, project
from remi_stream.messages import Bodies, Person, Smpl
from remi_stream.paths import SAMPLE_FOCAL_PX, data_file, sample_clip
from remi_stream.recordings.take import Take
from remi_stream.render import video
from remi_stream.render.camera import VIEWS, RenderOptions

SIZE = (1280, 720)
INTRINSICS = (SAMPLE_FOCAL_PX, SAMPLE_FOCAL_PX, *default_intrinsics(*SIZE)[2:])
GOAL_FPS = 10.0
BESIDE_M = ((0.0, 0.0, 0.0), (-0.8, 0.0, 0.4), (0.8, 0.0, 0.8), (-1.5, 0.0, 1.5), (1.5, 0.0, 1.5))
"""Offsets of the copies; the first is the person itself."""


def take(frames: int, people: int) -> Take:
    """Make a take of the sample clip with copies of its person."""
    with np.load(data_file("sample_truth.npz")) as stored:
        truth = {name: stored[name].astype(np.float32) for name in ("poses", "transl", "betas")}
    bodies = [
        Bodies(
            camera="sample",
            epoch=0,
            frame_id=number,
            captured_at=number / 30,
            engine="truth",
            size=SIZE,
            intrinsics=INTRINSICS,
            people=[copy_of_person(truth, number, track) for track in range(people)],
        )
        for number in range(frames)
    ]
    return Take("sample", SIZE, 30.0, bodies, (), sample_clip())


def copy_of_person(truth: dict[str, np.ndarray], frame: int, track: int) -> Person:
    """Copy the clip's person to another position."""
    body, betas = load_default_body(), truth["betas"]
    pose, transl = truth["poses"][frame], truth["transl"][frame] + np.array(BESIDE_M[track], np.float32)
    joints = body.joints(pose[:3], pose[3:], betas, transl).astype(np.float32)
    points = project(joints, INTRINSICS).astype(np.float32)
    return Person(
        track_id=track + 1,
        score=1.0,
        box_xyxy=bounding_box(points),
        skeleton="smpl24",
        keypoints_px=points,
        keypoint_scores=np.ones(24, np.float32),
        joints_m=joints,
        smpl=Smpl(
            body="open",
            global_orient=pose[:3],
            body_pose=pose[3:],
            betas=betas,
            transl=transl,
            joint_confidence=np.ones(24, np.float32),
        ),
    )


def main() -> None:
    """Run the benchmark and print a line per view and number of people."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 3], choices=range(len(BESIDE_M) + 1))
    parser.add_argument("--views", nargs="+", default=list(VIEWS), choices=list(VIEWS))
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for view in arguments.views:
        for people in arguments.people:
            rendered = take(arguments.frames, people)
            fps, busy_ms = max(measure(rendered, RenderOptions(view)) for _ in range(arguments.runs))
            print(f"{view:9} {people} people: {fps:6.1f} fps, {fps / GOAL_FPS:4.1f} of the goal, {busy_ms:4.0f} ms", flush=True)


def measure(rendered: Take, options: RenderOptions) -> tuple[float, float]:
    """Measure writing a video: frames per second, and CPU time per frame, ms."""
    count = len(rendered.frames)
    with tempfile.TemporaryDirectory() as folder:
        started_at, busy_at = time.perf_counter(), time.process_time()
        video.write_video(rendered, Path(folder), options)
        return count / (time.perf_counter() - started_at), (time.process_time() - busy_at) * 1000 / count


if __name__ == "__main__":
    main()
