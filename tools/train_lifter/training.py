"""Training of the lifter: losses, batches of tracks, optimiser, validation after each epoch."""

from __future__ import annotations

import copy
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from remi_stream.body.smpl import Body
from remi_stream.pose.lifting.features import PARTS
from train_lifter.model import (
    MIRRORED_FEET,
    Answer,
    LifterModel,
    joints_of,
    mirror_features,
    mirror_rotations,
)
from train_lifter.rotations import MIRRORED_JOINTS, J
from train_lifter.scores import Scores, score

Array = NDArray[Any]

ROTATION_WEIGHTS = {
    "pelvis": 2.0,
    **{f"{side}_{part}": 1.5 for side in ("left", "right") for part in ("hip", "knee", "shoulder", "elbow")},
    **{f"{side}_{part}": 0.5 for side in ("left", "right") for part in ("collar", "wrist")},
    **{f"{side}_foot": 0.2 for side in ("left", "right")},
    **{f"{side}_hand": 0.05 for side in ("left", "right")},
}
"""Weights of the joints' rotation errors; all others have 1."""
JOINT_WEIGHT, SPREAD_WEIGHT, CONTACT_WEIGHT, SHAPE_WEIGHT = 5.0, 0.1, 0.1, 1.0
"""Weights of the joints' distance (per m), of the spread's likelihood, of contact and of the rest pose's joints (per m)."""
AXIS_WEIGHTS = (1.5, 1.5, 1.0)
"""Weights of a joint's error across and along the view: the closed form is good across, and should stay so in strange poses."""
WARM_UP_STEPS, FINAL_RATE = 100, 0.02
EMA = 0.998
"""Share of the old weights in each step of the running mean."""
MIN_STD = 0.01
"""Least standard deviation of a feature."""


class Recipe(NamedTuple):
    """What may be chosen."""

    minutes: float = 20.0
    """Wall-clock time; the learning rate follows it."""
    epochs: int = 1000
    """Most epochs."""
    rate: float = 1.2e-3
    batch: int = 64
    """Tracks of a batch."""
    frames: int = 32
    """Most frames of a track."""
    dropout: float = 0.2
    weight_decay: float = 0.02
    noise: float = 0.3
    """Noise of the features, in standard deviations: once a track, and half of it each frame."""
    velocity_weight: float = 7.0
    seed: int = 0


class Batch(NamedTuple):
    """Tracks of one training step; frames past the end of a track have mask 0."""

    features: Tensor
    rotations: Tensor
    joints: Tensor
    contact: Tensor
    rest: Tensor
    mask: Tensor


class Tracks:
    """Training data as tensors, drawn in batches."""

    def __init__(self, data: dict[str, Array], body: Body, recipe: Recipe) -> None:
        self.recipe, self.rng = recipe, np.random.default_rng(recipe.seed)
        self.features, self.rotations = torch.from_numpy(data["features"]), torch.from_numpy(data["rotations"])
        self.contact = torch.from_numpy(data["contact"].astype(np.float32))
        self.rest_joints = torch.tensor(body.rest_joints(np.zeros(10)), dtype=torch.float32)
        rest = np.array([body.rest_joints(betas) for betas in data["betas"]], np.float32)
        self.rest = torch.from_numpy(rest - rest[:, :1])
        self.lengths = data["length"]
        self.starts = np.cumsum(self.lengths) - self.lengths
        with torch.no_grad():
            self.joints = torch.cat([joints_of(part, self.rest_joints) for part in torch.split(self.rotations, 8192)])
        share = np.ceil(self.lengths / recipe.frames)
        self.share, self.batches = share / share.sum(), max(1, int(share.sum() / recipe.batch))

    def batch(self) -> Batch:
        """Draw tracks, half of them mirrored."""
        size, frames = self.recipe.batch, self.recipe.frames
        picked = self.rng.choice(len(self.lengths), size, p=self.share)
        index, mask = np.zeros((size, frames), int), np.zeros((size, frames), np.float32)
        for row, track in enumerate(picked):
            count = min(frames, int(self.lengths[track]))
            # tracks begin where the memory is empty, as they do in the engine; some of them in the middle
            offset = self.rng.integers(0, self.lengths[track] - count + 1) if self.rng.random() < 0.5 else 0
            index[row] = self.starts[track] + offset + np.minimum(np.arange(frames), count - 1)
            mask[row, :count] = 1
        at = torch.from_numpy(index)
        batch = Batch(
            self.features[at], self.rotations[at], self.joints[at], self.contact[at], self.rest[picked], torch.from_numpy(mask)
        )
        return mirror_some(batch, torch.from_numpy(self.rng.random(size) < 0.5))


def mirror_some(batch: Batch, chosen: Tensor) -> Batch:
    """Mirror the chosen (B,) tracks of a batch."""
    side = torch.tensor([-1.0, 1.0, 1.0])
    batch.features[chosen] = mirror_features(batch.features[chosen])
    batch.rotations[chosen] = mirror_rotations(batch.rotations[chosen])
    batch.joints[chosen] = batch.joints[chosen][..., MIRRORED_JOINTS, :] * side
    batch.contact[chosen] = batch.contact[chosen][..., MIRRORED_FEET]
    return batch


def add_noise(features: Tensor, std: Tensor, amount: float) -> Tensor:
    """Add noise to features (B, T, F), a part of it constant in a track; the last, of the view, stay."""
    whole, each = torch.randn(len(features), 1, features.shape[2]), torch.randn_like(features)
    noise = (whole + 0.5 * each) * (amount * std)
    noise[..., -PARTS["view"] :] = 0
    return features + noise


def loss_of(answer: Answer, batch: Batch, tracks: Tracks, shapes: Tensor, recipe: Recipe) -> Tensor:
    """Return the loss of a batch; shapes: (24, 3, 10), change of the rest joints by beta."""
    mask, total = batch.mask, batch.mask.sum()
    weights = torch.tensor([ROTATION_WEIGHTS.get(name, 1.0) for name in J])
    angles = torch.sqrt(((answer.rotations - batch.rotations) ** 2).sum((-1, -2)) / 2 + 1e-6)
    flat = answer.rotations.reshape(-1, 24, 3, 3)
    joints = joints_of(flat, tracks.rest_joints).reshape(batch.joints.shape)
    distance = ((joints - batch.joints) * torch.tensor(AXIS_WEIGHTS)).norm(dim=-1).mean(-1)
    steps = (torch.diff(joints, dim=1) - torch.diff(batch.joints, dim=1)).norm(dim=-1).mean(-1)
    likelihood = (angles.detach() / answer.log_spread.exp() + answer.log_spread).mean(-1)
    contact = functional.binary_cross_entropy_with_logits(answer.contact, batch.contact, reduction="none").mean(-1)
    mean_rest = tracks.rest_joints - tracks.rest_joints[:1]
    rest = mean_rest + torch.einsum("jab,ntb->ntja", shapes, answer.betas)
    shape = (rest - batch.rest[:, None]).norm(dim=-1).mean(-1)
    each = (
        (angles * weights).sum(-1) / weights.sum()
        + JOINT_WEIGHT * distance
        + SPREAD_WEIGHT * likelihood
        + CONTACT_WEIGHT * contact
        + SHAPE_WEIGHT * shape
    )
    moving = (steps * mask[:, 1:]).sum() / mask[:, 1:].sum()
    return (each * mask).sum() / total + recipe.velocity_weight * moving


def train(
    data: dict[str, Array], validation: dict[str, Array], body: Body, recipe: Recipe, start: Path | None, out: Path
) -> Scores:
    """Train on data, write the weights after each epoch to out, and return the last scores; start: weights to begin with."""
    torch.manual_seed(recipe.seed)
    tracks, model = Tracks(data, body, recipe), LifterModel(recipe.dropout)
    if start:
        model.load_state_dict(read_weights(start))
    else:
        model.mean.copy_(tracks.features.mean(0))
        model.std.copy_(tracks.features.std(0).clamp_min(MIN_STD))
    averaged = copy.deepcopy(model).eval()
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay)
    shapes = shape_directions(body)
    print(f"{len(tracks.features)} frames, {len(tracks.lengths)} tracks, {tracks.batches} batches an epoch")
    print("closed form:", evaluate_closed_form(validation, body).line(), flush=True)
    began, step, scores = time.monotonic(), 0, None
    for epoch in range(recipe.epochs):
        losses = []
        for _ in range(tracks.batches):
            done = max((time.monotonic() - began) / 60 / recipe.minutes, epoch / recipe.epochs)
            if done >= 1:
                break
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * rate_share(step, done)
            batch = tracks.batch()
            noisy = add_noise(batch.features, model.std, recipe.noise)
            loss = loss_of(model(noisy), batch, tracks, shapes, recipe)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            step += 1
            average(averaged, model, min(EMA, step / (step + 20)))
            losses.append(loss.item())
        scores = evaluate(averaged, validation, body)
        save_weights(averaged, out)
        elapsed = time.monotonic() - began
        print(f"{epoch} loss {np.mean(losses or [0]):.4f} {elapsed:.0f} s | {scores.line()}", flush=True)
        if elapsed / 60 >= recipe.minutes:
            break
    assert scores
    return scores


def rate_share(step: int, done: float) -> float:
    """Return the learning rate's share at a step, after a share of the training: a warm-up, then a cosine."""
    cosine = FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * done))
    return min(1.0, (step + 1) / WARM_UP_STEPS) * cosine


def average(averaged: LifterModel, model: LifterModel, share: float) -> None:
    """Move the running mean of the weights towards the model's."""
    with torch.no_grad():
        for mean, now in zip(averaged.parameters(), model.parameters()):
            mean.mul_(share).add_(now, alpha=1 - share)


def shape_directions(body: Body) -> Tensor:
    """Return the change (24, 3, 10), m, of the rest joints from the pelvis by beta."""
    mean = body.rest_joints(np.zeros(10))
    change = np.stack([body.rest_joints(row) - mean for row in np.eye(10)], -1)
    return torch.tensor(change - change[:1], dtype=torch.float32)


def run_tracks(model: LifterModel, data: dict[str, Array]) -> Answer:
    """Run the model on every track from its start: answers of all frames, (N, ...)."""
    features = torch.from_numpy(data["features"])
    model.eval()
    with torch.no_grad():
        answers = [model(part[None]) for part in torch.split(features, data["length"].tolist())]
    return Answer(*(torch.cat([getattr(answer, name)[0] for answer in answers]) for name in Answer._fields))


def evaluate(model: LifterModel, data: dict[str, Array], body: Body) -> Scores:
    """Score the model on whole tracks."""
    rotations = run_tracks(model, data).rotations.numpy()
    return score(in_camera(rotations, data), in_camera(data["rotations"], data), data["length"], body.rest_joints(np.zeros(10)))


def evaluate_closed_form(data: dict[str, Array], body: Body) -> Scores:
    """Score the closed form."""
    return score(data["closed_form"], in_camera(data["rotations"], data), data["length"], body.rest_joints(np.zeros(10)))


def in_camera(rotations: Array, data: dict[str, Array]) -> Array:
    """Turn the first rotation of each frame from the lifter's axes to the camera's."""
    turned = rotations.copy()
    turned[:, 0] = data["axes"] @ turned[:, 0]
    return turned


def save_weights(model: LifterModel, path: Path) -> None:
    """Write the weights as float16."""
    arrays: dict[str, Any] = {name: value.numpy().astype(np.float16) for name, value in model.state_dict().items()}
    np.savez_compressed(path, **arrays)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read weights that `save_weights` wrote."""
    with np.load(path) as stored:
        return {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}


GOLDEN_FRAMES = 6


def golden(weights: Path) -> dict[str, Array]:
    """Return features (6, FEATURE_COUNT) of a track, spread like the training data, and the network's answers to them."""
    torch.manual_seed(0)
    model = LifterModel()
    model.load_state_dict(read_weights(weights))
    features = (model.mean + model.std * torch.randn(GOLDEN_FRAMES, len(model.mean))).numpy().astype(np.float16)
    model.eval()
    with torch.no_grad():
        answer = model(torch.from_numpy(features.astype(np.float32))[None])
    return {"features": features, **{name: value[0].numpy() for name, value in answer._asdict().items()}}
