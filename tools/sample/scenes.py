"""Scenes with several people: crossing, leaving the image and returning, and three at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.body.smpl import Body
from sample.camera import SAMPLE_CAMERA, Camera
from sample.choreography import choreography
from sample.clothing import Actor
from sample.furniture import Block
from sample.motion import place_motion
from sample.timeline import FPS, FRAMES, SECONDS, smooth
from sample.walk import walk

Array = NDArray[Any]

MIDDLE_S = SECONDS[-1] / 2
FROM_MIDDLE = SECONDS - MIDDLE_S
HIDDEN_S = 0.8
TRUNK_M = 0.4
"""Width of a person without the limbs."""
SHIRTS = [(66, 104, 158), (176, 58, 52), (70, 128, 84), (214, 204, 186), (60, 60, 66), (196, 150, 60), (120, 84, 140)]
TROUSERS = [(58, 60, 70), (120, 104, 84), (70, 84, 112), (150, 148, 142), (40, 40, 42)]
SKINS = [(214, 164, 136), (168, 116, 86), (120, 80, 58), (232, 190, 164)]
HAIRS = [(52, 38, 30), (28, 24, 22), (140, 104, 66), (120, 116, 112)]
Outfit = dict[str, tuple[int, int, int]]
WIDTH, FOCAL_PX, CAMERA_Z_M = SAMPLE_CAMERA.size[0], SAMPLE_CAMERA.focal_px, SAMPLE_CAMERA.at[2]


@dataclass(frozen=True)
class Scene:
    """Frames first to first + count of the actors' motions."""

    actors: list[Actor]
    first: int
    count: int
    camera: Camera = SAMPLE_CAMERA
    fps: int = FPS
    furniture: Sequence[Block] = ()


def crossing(body: Body, seed: int) -> Scene:
    """Two people walk past each other; the nearer one occludes the other for about 0.8 s. An odd seed gives equal outfits."""
    rng = np.random.default_rng(seed)
    nearer_m = rng.uniform(3.15, 3.4)
    farther_m = nearer_m * rng.uniform(1.4, 1.55)
    both_walk = rng.random() < 0.6
    apart = apart_px(nearer_m, farther_m, fast=rng.uniform(230, 300) if both_walk else rng.uniform(170, 200))
    side, share = rng.choice([-1, 1]), rng.uniform(0.4, 0.6)
    drift = rng.uniform(-30, 30) if both_walk else rng.choice([-1, 1]) * rng.uniform(60, 100)
    centre_px = WIDTH / 2 + rng.uniform(-60, 60) + drift * FROM_MIDDLE
    paths = [centre_px + side * share * apart, centre_px - side * (1 - share) * apart]
    outfits = [outfit(rng)] * 2 if seed % 2 else different_outfits(rng)
    nearer = passer(body, rng, paths[0], nearer_m, turn=rng.uniform(0.5, 0.8), clothes=outfits[0])
    farther = passer(body, rng, paths[1], farther_m, turn=0.0, clothes=outfits[1])
    return Scene([nearer, farther], first=45, count=150)


def leave(body: Body, seed: int) -> Scene:
    """One person leaves the image and returns within a second. An odd seed adds a second person who stays."""
    rng = np.random.default_rng(seed)
    side, depth_m, speed = rng.choice([-1, 1]), rng.uniform(3.6, 4.4), rng.uniform(1.0, 1.3)
    edge_m = WIDTH / 2 / FOCAL_PX * depth_m + 0.35
    away = edge_m + speed * rng.uniform(0.4, 0.6) / 2 - speed * np.abs(FROM_MIDDLE)
    level = np.c_[side * smooth(away, 2), np.full(FRAMES, CAMERA_Z_M - depth_m)]
    actors = [
        Actor(body, walk(body, build(rng), level, -80 * side * np.tanh(FROM_MIDDLE / 0.2), rng.uniform(0, 0.5)), outfit(rng))
    ]
    if seed % 2:
        actors.append(performer(body, build(rng), 0, (-1.2 * side, -0.8), outfit(rng)))
    return Scene(actors, first=45, count=150)


def three(body: Body, seed: int) -> Scene:
    """Three people walk, wave and squat at different times; the clip loops seamlessly."""
    rng = np.random.default_rng(seed)
    spots = [(-1.45, -0.6), (0.05, -1.0), (1.5, -0.6)]
    actors = [performer(body, build(rng), round(number * FRAMES / 3), spot, outfit(rng)) for number, spot in enumerate(spots)]
    return Scene(actors, first=0, count=FRAMES)


SCENES: dict[str, Callable[[Body, int], Scene]] = {"crossing": crossing, "leave": leave, "three": three}


def apart_px(nearer_m: float, farther_m: float, fast: float) -> Array:
    """Distance of two people in the image, (FRAMES,) px: it changes by `fast` px/s, more slowly during the occlusion."""
    spare = TRUNK_M / 2 * FOCAL_PX * (1 / nearer_m - 1 / farther_m)
    slow = 2 * spare / HIDDEN_S
    speed = smooth(np.where(np.abs(FROM_MIDDLE) < HIDDEN_S / 2, slow, fast), 2)
    distance = np.cumsum(speed) / FPS
    return distance - np.interp(0.0, FROM_MIDDLE, distance)


def passer(body: Body, rng: np.random.Generator, way_px: Array, depth_m: float, turn: float, clothes: Outfit) -> Actor:
    """Make a person who walks across the image along way_px (FRAMES,), at about this distance from the camera.

    turn: share of a turn to the camera while passing the other person, 0 to 1.
    """
    slope = rng.uniform(-0.12, 0.12)
    depths = depth_m + slope * FROM_MIDDLE
    level = np.c_[(way_px - WIDTH / 2) * depths / FOCAL_PX, CAMERA_Z_M - depths]
    across, ahead = level[180] - level[60]
    passing = smooth(np.where(np.abs(FROM_MIDDLE) < 0.7, 1.0, 0.0), 6)
    yaw = np.degrees(np.arctan2(across, ahead)) * (1 - turn * passing)
    return Actor(body, walk(body, build(rng), level, yaw, rng.uniform(0, 0.5)), clothes)


def performer(body: Body, betas: Array, late: int, spot: tuple[float, float], clothes: Outfit) -> Actor:
    """Make a person with the motion of the sample clip, delayed by `late` frames, at another spot (x, z m)."""
    motion = choreography(body, betas)
    later = replace(motion, poses=np.roll(motion.poses, late, axis=0), transl=np.roll(motion.transl, late, axis=0))
    return Actor(body, place_motion(later, body.rest_joints(betas)[0], 0.0, *spot), clothes)


def build(rng: np.random.Generator) -> Array:
    """Random stature and build: betas (10,)."""
    return np.r_[rng.uniform(-1.2, 1.2), rng.uniform(-1, 1), np.zeros(8)]


def outfit(rng: np.random.Generator) -> Outfit:
    """Random colours of an outfit."""
    wardrobe = {"shirt": SHIRTS, "trousers": TROUSERS, "skin": SKINS, "hair": HAIRS}
    return {part: colours[rng.integers(len(colours))] for part, colours in wardrobe.items()}


def different_outfits(rng: np.random.Generator) -> list[Outfit]:
    """Random outfits of two people, with different shirts."""
    first, second = rng.choice(len(SHIRTS), 2, replace=False)
    return [{**outfit(rng), "shirt": SHIRTS[shirt]} for shirt in (first, second)]
