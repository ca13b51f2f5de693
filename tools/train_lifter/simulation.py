"""Simulated observations: what the landmark network would say of a performance, without a picture.

Rendering and looking cost 30 CPU ms a frame, the lifter's features 2 ms. So a regression learns the network's mean answer to a
pose in a view from the rendered data, and the differences of a rendered track, which hold the noise, its correlation in time
and over landmarks, and the effects of occluders, are added to it. Simulated tracks are for training only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import nn

from remi_stream.body.ik.solver import TORSO, body_landmarks
from remi_stream.body.smpl import Body, forward_kinematics
from remi_stream.geometry import Intrinsics, project, shortest_rotation, sigmoid
from remi_stream.pose.lifting.features import FORWARD, HIPS, roll
from train_lifter.dataset import FeatureMaker, is_gap
from train_lifter.generate import FRAME_RATES, FRAMES, FRAMINGS, MAX_BETA, SHAPE_SPREAD, STILL_HALF_SHARE
from train_lifter.performance import perform
from train_lifter.recorded import RecordedMotion
from train_lifter.store import SEQUENCES_PER_FILE, read_sequences, write_sequences
from train_lifter.view import half_body, random_view, whole_body

Array = NDArray[Any]

SHOULDERS = [11, 12]
MAX_LOGIT = 6.0
MIN_DEPTH_M = 0.15
WIDTH, STEPS, BATCH, RATE = 320, 1500, 256, 2e-3
"""Of the regression."""
SOLE_CLEARANCE_M = 0.02
"""From the lowest toe joint of the rest pose to the sole."""


class Setting(NamedTuple):
    """One frame's truth in the image: a reference for what the network says."""

    described: Array
    """(D,) float32: pose, view and frame border as the regression's input."""
    pixels: Array
    """(33, 2) px: the true landmarks."""
    radius_px: float
    """Size of the person in the image."""
    angle: float
    """Roll of the trunk, rad, as `Roi.angle`."""


def setting_of(landmarks: Array, intrinsics: Intrinsics, size: Array) -> Setting:
    """Describe true landmarks (33, 3), m, camera axes; size: (2,) px of the picture."""
    points = np.c_[landmarks[:, :2], np.maximum(landmarks[:, 2:], MIN_DEPTH_M)]
    pixels = project(points, intrinsics)
    hip = pixels[HIPS].mean(0)
    up = pixels[SHOULDERS].mean(0) - hip
    angle = float(np.arctan2(up[0], -up[1]))
    rolled = roll(angle)
    axes = shortest_rotation(FORWARD, landmarks[TORSO].mean(0)) @ rolled
    local = (landmarks - landmarks[HIPS].mean(0)) @ axes
    radius = max(float(np.linalg.norm(pixels - hip, axis=1).max()), 4.0)
    border = np.minimum(pixels, size - pixels).min(1) / radius
    ray = (hip - intrinsics[2:]) / intrinsics[0]
    view = [*ray, np.log(radius / intrinsics[0]), np.sin(angle), np.cos(angle)]
    flat = ((pixels - hip) / radius) @ rolled[:2, :2]
    described = np.concatenate([local.ravel(), flat.ravel(), np.clip(4 * border, -1, 1), view])
    return Setting(described.astype(np.float32), pixels, radius, angle)


def encode(sequence: dict[str, Array], index: int, setting: Setting) -> Array:
    """Return what the network said of a stored frame, relative to the setting: (268,) float32."""
    roi = sequence["roi"][index].astype(float)
    rolled, world = roll(roi[3]), sequence["world"][index].astype(float)
    turned = roll(setting.angle)[:2, :2]
    offset = (sequence["pixels"][index] - setting.pixels) / setting.radius_px @ turned
    center = (roi[:2] - setting.pixels[HIPS].mean(0)) / setting.radius_px @ turned
    apart = (roi[3] - setting.angle + np.pi) % (2 * np.pi) - np.pi
    scores = np.clip(np.stack([sequence[name][index] for name in ("visibility", "presence", "heatmap_peaks")]), 1e-3, 1 - 1e-3)
    logits = np.clip(np.log(scores / (1 - scores)), -MAX_LOGIT, MAX_LOGIT)
    answer = [
        (world - world[HIPS].mean(0)) @ rolled,
        offset,
        logits,
        center,
        np.array([np.log(roi[2] / setting.radius_px), apart]),
    ]
    return np.concatenate([part.ravel() for part in answer]).astype(np.float32)


def decode(answer: Array, setting: Setting) -> dict[str, Array]:
    """Invert `encode`: the stored arrays of one frame."""
    world, offset, logits, center, rest = np.split(answer.astype(float), [99, 165, 264, 266])
    angle = setting.angle + rest[1]
    turned = roll(setting.angle)[:2, :2]
    middle = setting.pixels[HIPS].mean(0) + center @ turned.T * setting.radius_px
    visibility, presence, peaks = sigmoid(logits.reshape(3, 33))
    return {
        "world": world.reshape(33, 3) @ roll(angle).T,
        "pixels": setting.pixels + offset.reshape(33, 2) @ turned.T * setting.radius_px,
        "visibility": visibility,
        "presence": presence,
        "heatmap_peaks": peaks,
        "roi": np.array([*middle, np.exp(rest[0]) * setting.radius_px, angle]),
    }


class Pairs(NamedTuple):
    """Settings and answers of rendered tracks."""

    settings: Array
    """(N, D)."""
    answers: Array
    """(N, 268)."""
    tracks: Array
    """(N,) number of the track of each row."""
    is_half: Array
    """(tracks,) bool: half bodies."""


def read_pairs(folders: list[Path], maker: FeatureMaker) -> Pairs:
    """Read the accepted frames of all stored sequences."""
    settings, answers, tracks = [], [], []
    halves: list[bool] = []
    for path in sorted(path for folder in folders for path in folder.glob("*_[0-9][0-9][0-9][0-9].npz")):
        for sequence in read_sequences(path):
            truth = Rotation.from_rotvec(sequence["rotvec"].reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
            accepted = maker.accepted(sequence, truth)
            rest = maker.body.rest_joints(sequence["betas"])
            fx, fy, cx, cy = (float(value) for value in sequence["intrinsics"])
            for index in np.flatnonzero(accepted):
                if index == 0 or not accepted[index - 1] or is_gap(sequence, int(index)) or not halves:
                    halves.append(str(sequence["framing"]) != "whole")
                world, joints = forward_kinematics(rest, truth[index], np.zeros(3))
                landmarks = body_landmarks(world, joints) - joints[0] + sequence["joints"][index, 0]
                setting = setting_of(landmarks, (fx, fy, cx, cy), sequence["size"].astype(float))
                settings.append(setting.described)
                answers.append(encode(sequence, int(index), setting))
                tracks.append(len(halves) - 1)
    return Pairs(np.array(settings), np.array(answers), np.array(tracks), np.array(halves))


class Regression:
    """The network's mean answer to a setting."""

    def __init__(self, settings: Array, answers: Array, seed: int) -> None:
        torch.manual_seed(seed)
        self.mean, self.std = settings.mean(0), settings.std(0) + 0.05
        self.answer_mean, self.answer_std = answers.mean(0), answers.std(0) + 1e-3
        self.model = nn.Sequential(
            nn.Linear(settings.shape[1], WIDTH),
            nn.GELU("tanh"),
            nn.Dropout(0.1),
            nn.Linear(WIDTH, WIDTH),
            nn.GELU("tanh"),
            nn.Linear(WIDTH, answers.shape[1]),
        )
        optimiser = torch.optim.AdamW(self.model.parameters(), RATE, weight_decay=0.02)
        inputs = torch.from_numpy((settings - self.mean) / self.std)
        targets = torch.from_numpy((answers - self.answer_mean) / self.answer_std)
        for step in range(STEPS):
            optimiser.param_groups[0]["lr"] = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS)) + 1e-5
            rows = torch.randint(len(inputs), (BATCH,))
            loss = nn.functional.smooth_l1_loss(self.model(inputs[rows]), targets[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        self.model.eval()

    def __call__(self, settings: Array) -> Array:
        """Return the mean answers (N, 268) to settings (N, D)."""
        with torch.no_grad():
            answers: Array = self.model(torch.from_numpy(((settings - self.mean) / self.std).astype(np.float32))).numpy()
        return answers * self.answer_std + self.answer_mean


class Simulator:
    """Simulates the landmark network."""

    def __init__(self, pairs: Pairs) -> None:
        # the differences of each half of the tracks come from the regression of the other half: it has not seen them
        fold = pairs.tracks % 2
        self.regressions = [Regression(pairs.settings[fold == half], pairs.answers[fold == half], half) for half in range(2)]
        differences = np.empty_like(pairs.answers)
        for half in range(2):
            rows = fold == half
            differences[rows] = pairs.answers[rows] - self.regressions[1 - half](pairs.settings[rows])
        starts = np.searchsorted(pairs.tracks, np.arange(len(pairs.is_half)))
        parts = np.split(differences, starts[1:])
        self.differences = {
            is_half: [part for part, half in zip(parts, pairs.is_half) if half == is_half and len(part) >= FRAMES // 3]
            for is_half in (False, True)
        }
        explained = 1 - differences.var(0) / np.maximum(pairs.answers.var(0), 1e-9)
        print(f"regression: {len(fold)} frames, explains {explained[:99].mean():.2f} of the world landmarks' variance")

    def answers(self, rng: np.random.Generator, settings: Array, is_half: bool) -> Array:
        """Return random answers (N, 268) to the settings (N, D) of a track."""
        known = self.differences[is_half] or self.differences[not is_half]
        difference = known[rng.integers(len(known))]
        # a shorter track plays to and fro
        time = np.arange(len(settings)) % (2 * len(difference) - 2)
        time = np.minimum(time, 2 * len(difference) - 2 - time)
        mean: Array = self.regressions[rng.integers(2)](settings)
        return mean + difference[time]


def simulate(seed: int, motion: Path, sources: list[Path], out: Path, body: Body, frames: int) -> int:
    """Write simulated sequences, in the format of the rendered ones, to out; return the number of frames."""
    out.mkdir(parents=True, exist_ok=True)
    rng, recorded = np.random.default_rng(seed), RecordedMotion(motion, is_validation=False)
    simulator = Simulator(read_pairs(sources, FeatureMaker(body)))
    count = part = 0
    while count < frames:
        sequences = [simulated_sequence(rng, recorded, simulator, body) for _ in range(SEQUENCES_PER_FILE)]
        write_sequences(out / f"{seed}_{part:04d}.npz", sequences)
        part, count = part + 1, count + FRAMES * SEQUENCES_PER_FILE
    return count


def simulated_sequence(rng: np.random.Generator, recorded: RecordedMotion, simulator: Simulator, body: Body) -> dict[str, Array]:
    """Return the arrays of one sequence, as `sequence_rows` does."""
    betas = np.clip(rng.normal(0, SHAPE_SPREAD), -MAX_BETA, MAX_BETA)
    rest = body.rest_joints(betas)
    framing = str(rng.choice(list(FRAMINGS), p=list(FRAMINGS.values())))
    fps = 30.0 if rng.random() < 0.7 else float(rng.choice(FRAME_RATES))
    is_desk = framing == "desk" or (framing == "half" and rng.random() < STILL_HALF_SHARE)
    sole = float(rest[10, 1]) - SOLE_CLEARANCE_M
    performance = perform(rng, recorded, rest, sole, FRAMES, fps, is_desk)
    framed = whole_body(rng, performance) if framing == "whole" else half_body(rng, performance)
    view = random_view(rng, performance, framed)
    turn = view.camera_from_world[:3, :3]
    rotations = performance.rotations.copy()
    rotations[:, 0] = turn @ rotations[:, 0]
    joints = view.to_camera(performance.joints)
    size = np.array(view.size, float)
    settings = [
        setting_of(body_landmarks(turn @ world, points), view.intrinsics, size)
        for world, points in zip(performance.world_rotations, joints)
    ]
    answers = simulator.answers(rng, np.array([setting.described for setting in settings]), framing != "whole")
    seen = [decode(answer, setting) for answer, setting in zip(answers, settings)]
    rows = {name: np.array([frame[name] for frame in seen], np.float32) for name in seen[0]}
    return {
        "frame": np.arange(FRAMES, dtype=np.int16),
        "is_new": np.arange(FRAMES) == 0,
        **rows,
        "rotvec": Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3).astype(np.float32),
        "joints": joints.astype(np.float32),
        "contact": performance.contact,
        "length": np.array(FRAMES, np.int32),
        "fps": np.array(fps, np.float32),
        "intrinsics": np.array(view.intrinsics, np.float32),
        "size": np.array(view.size, np.int32),
        "betas": betas.astype(np.float32),
        "framing": np.array(framing, "U8"),
    }
