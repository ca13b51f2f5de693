"""Scenes of people as they are: lying, bent, half hidden, from the side or behind, near and far, fast, and a turned camera.

Each is 1.2 to 1.6 s long. Seeds from 100 are held out: they serve the final measurement, and nothing is tuned on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remi_stream.body.smpl import Body
from sample import postures
from sample.camera import SAMPLE_CAMERA, Camera
from sample.clothing import Actor
from sample.furniture import table
from sample.postures import Posture, move_between
from sample.scenes import Scene, build, outfit, performer
from sample.timeline import FRAMES, SECONDS
from sample.walk import walk

Array = NDArray[Any]

FRAME_COUNT = 48
"""Frames at 30 fps."""
FEET = ("left_ankle", "right_ankle")
ROOM_CAMERA = Camera(at=np.array([0.0, 1.5, 4.4]), look_at=np.array([0.0, 0.75, 0.0]), focal_px=1150.0, size=(1280, 720))


def frame_times(count: int = FRAME_COUNT, fps: int = 30) -> Array:
    """Times of the frames, (N,) s."""
    return np.arange(count) / fps


def posed(
    body: Body,
    rng: np.random.Generator,
    keys: Sequence[Posture],
    seconds: Array,
    anchors: Sequence[str] = FEET,
    place: tuple[float, float, float] = (0.0, 0.0, 0.0),
    betas: Array | None = None,
) -> Actor:
    """Make a person who goes through postures in equal steps."""
    times = np.linspace(0, seconds[-1], len(keys))
    return Actor(
        body,
        move_between(body, build(rng) if betas is None else betas, rng, list(zip(times, keys)), seconds, anchors, place),
        outfit(rng),
    )


def lying(body: Body, seed: int) -> Scene:
    """A person lies on the floor, across the image or towards the camera, on the back or on the side, and moves the limbs."""
    rng = np.random.default_rng(seed)
    yaw = rng.choice([-1, 1]) * rng.uniform(55, 110)
    keys = [postures.LYING, postures.LYING_KNEES_UP] if seed % 2 == 0 else [postures.LYING_KNEES_UP, postures.LYING]
    actor = posed(
        body, rng, keys, frame_times(), anchors=("pelvis",), place=(rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3), yaw)
    )
    camera = ROOM_CAMERA._replace(
        at=np.array([rng.uniform(-0.5, 0.5), rng.uniform(1.5, 2.1), 3.6]), look_at=np.array([0, 0.25, 0])
    )
    return Scene([actor], 0, FRAME_COUNT, camera)


def bent(body: Body, seed: int) -> Scene:
    """A person bends over until the hands are near the floor."""
    rng = np.random.default_rng(seed)
    yaw = rng.choice([-1, 1]) * rng.uniform(20, 90)
    keys = [postures.HALF_BENT, postures.BENT, postures.BENT]
    actor = posed(body, rng, keys, frame_times(), place=(rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), yaw))
    return Scene([actor], 0, FRAME_COUNT, ROOM_CAMERA)


def desk(body: Body, seed: int) -> Scene:
    """A person sits at a desk before a webcam, seen from the waist up."""
    rng = np.random.default_rng(seed)
    keys = [postures.TYPING, postures.WAVING, postures.TELEPHONE, postures.SITTING]
    order = [keys[index] for index in rng.permutation(4)[:3]]
    actor = posed(
        body, rng, order, frame_times(), anchors=("pelvis",), place=(rng.uniform(-0.12, 0.12), 0.0, rng.uniform(-25, 25))
    )
    camera = Camera(
        at=np.array([rng.uniform(-0.15, 0.15), rng.uniform(1.05, 1.35), 1.5]),
        look_at=np.array([0.0, 1.02, 0.0]),
        focal_px=rng.uniform(950, 1100),
        size=(1280, 720),
    )
    return Scene([actor], 0, FRAME_COUNT, camera, furniture=table(0.0, 0.7, 1.5, 0.6, 0.72))


def profile(body: Body, seed: int) -> Scene:
    """A person walks across the image, seen from the side."""
    rng = np.random.default_rng(seed)
    side, speed = rng.choice([-1, 1]), rng.uniform(1.0, 1.3)
    middle = SECONDS[90 + FRAME_COUNT // 2]
    level = np.c_[side * speed * (SECONDS - middle), np.full(FRAMES, rng.uniform(-0.8, 0.2))]
    motion = walk(body, build(rng), level, np.full(FRAMES, 90.0 * side), rng.uniform(0, 0.5))
    return Scene([Actor(body, motion, outfit(rng))], 90, FRAME_COUNT, SAMPLE_CAMERA)


def back(body: Body, seed: int) -> Scene:
    """A person is seen from behind."""
    rng = np.random.default_rng(seed)
    keys = [postures.STAND, postures.REACHING, postures.HANDS_ON_HIPS, postures.ARMS_UP]
    order = [keys[index] for index in rng.permutation(4)[:3]]
    place = (rng.uniform(-0.5, 0.5), rng.uniform(-0.6, 0.4), 180 + rng.uniform(-30, 30))
    return Scene([posed(body, rng, order, frame_times(), place=place)], 0, FRAME_COUNT, ROOM_CAMERA)


def behind_table(body: Body, seed: int) -> Scene:
    """A person stands behind a table, which hides the legs."""
    rng = np.random.default_rng(seed)
    keys = [postures.STAND, postures.REACHING, postures.HANDS_ON_HIPS]
    order = [keys[index] for index in rng.permutation(3)]
    actor = posed(body, rng, order, frame_times(), place=(rng.uniform(-0.4, 0.4), 0.0, rng.uniform(-40, 40)))
    camera = ROOM_CAMERA._replace(at=np.array([0.0, rng.uniform(1.25, 1.5), 3.4]), look_at=np.array([0.0, 1.0, 0.0]))
    return Scene([actor], 0, FRAME_COUNT, camera, furniture=table(0.0, 0.75, 2.0, 0.7, 0.9))


def sizes(body: Body, seed: int) -> Scene:
    """A near and a far person: the far one is less than a third as high in the image."""
    rng = np.random.default_rng(seed)
    side = rng.choice([-1, 1])
    near = posed(
        body,
        rng,
        [postures.STAND, postures.REACHING, postures.STAND],
        frame_times(),
        place=(0.42 * side, 3.1, rng.uniform(-20, 20)),
    )
    far = posed(
        body,
        rng,
        [postures.ARMS_UP, postures.STAND, postures.HANDS_ON_HIPS],
        frame_times(),
        place=(-1.1 * side, -1.3, 20.0 * side),
    )
    camera = ROOM_CAMERA._replace(at=np.array([0.0, 1.3, 5.5]), look_at=np.array([0.0, 0.95, 0.0]), focal_px=850.0)
    return Scene([near, far], 0, FRAME_COUNT, camera)


def fast(body: Body, seed: int) -> Scene:
    """A person moves fast before a camera of 60 fps, 1.2 s."""
    rng = np.random.default_rng(seed)
    seconds = frame_times(72, 60)
    order = [postures.STANDING[index] for index in rng.permutation(len(postures.STANDING))[:4]]
    place = (rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4), rng.uniform(-40, 40))
    return Scene([posed(body, rng, order, seconds, place=place)], 0, len(seconds), ROOM_CAMERA, fps=60)


def turned(body: Body, seed: int) -> Scene:
    """A camera that is turned by 90 degrees, to one side or the other."""
    rng = np.random.default_rng(seed)
    actor = performer(body, build(rng), int(rng.integers(FRAMES)), (0.0, 0.0), outfit(rng))
    camera = ROOM_CAMERA._replace(roll_deg=90.0 if seed % 2 == 0 else -90.0, look_at=np.array([0.0, 0.95, 0.0]), focal_px=900.0)
    return Scene([actor], 60, FRAME_COUNT, camera)


def turning(body: Body, seed: int) -> Scene:
    """A person turns round while walking, held out."""
    rng = np.random.default_rng(1000 + seed)
    level = np.c_[np.full(FRAMES, rng.uniform(-0.4, 0.4)), -0.4 + 0.5 * np.sin(0.8 * SECONDS)]
    yaw = rng.uniform(-180, 180) + rng.choice([-1, 1]) * rng.uniform(70, 120) * SECONDS
    return Scene([Actor(body, walk(body, build(rng), level, yaw, rng.uniform(0, 0.5)), outfit(rng))], 60, 72, SAMPLE_CAMERA)


def portrait(body: Body, seed: int) -> Scene:
    """A person goes through many postures before an upright camera with a short focal length, held out."""
    rng = np.random.default_rng(2000 + seed)
    order = [postures.STANDING[index] for index in rng.permutation(len(postures.STANDING))[:5]]
    actor = posed(body, rng, order, frame_times(90), place=(rng.uniform(-0.2, 0.2), 0.0, rng.uniform(-120, 120)))
    camera = Camera(np.array([0.4, 1.0, 3.0]), np.array([0.0, 0.95, 0.0]), 880.0, (720, 1280), rng.uniform(-6, 6))
    return Scene([actor], 0, 90, camera)


def distant(body: Body, seed: int) -> Scene:
    """A person far away walks and gestures, held out."""
    rng = np.random.default_rng(3000 + seed)
    actor = performer(body, build(rng), int(rng.integers(FRAMES)), (rng.uniform(-1.0, 1.0), -1.0), outfit(rng))
    return Scene([actor], 60, 90, SAMPLE_CAMERA._replace(focal_px=620.0))


def vanishing(body: Body, seed: int) -> Scene:
    """A person is hidden by the image border for a while and returns, held out: for the frames until they are found again."""
    rng = np.random.default_rng(4000 + seed)
    side, middle = rng.choice([-1, 1]), SECONDS[120]
    edge_m = SAMPLE_CAMERA.size[0] / 2 / SAMPLE_CAMERA.focal_px * 4.2 + 0.35
    away = edge_m + 0.45 - 1.25 * np.abs(SECONDS - middle)
    level = np.c_[side * away, np.full(FRAMES, SAMPLE_CAMERA.at[2] - 4.2)]
    motion = walk(body, build(rng), level, -80 * side * np.tanh((SECONDS - middle) / 0.2), rng.uniform(0, 0.5))
    return Scene([Actor(body, motion, outfit(rng))], 75, 90, SAMPLE_CAMERA)


POSTURE_SCENES: dict[str, Callable[[Body, int], Scene]] = {
    "lying": lying,
    "bent": bent,
    "desk": desk,
    "profile": profile,
    "back": back,
    "table": behind_table,
    "sizes": sizes,
    "fast": fast,
    "turned": turned,
    "turning": turning,
    "portrait": portrait,
    "distant": distant,
    "vanishing": vanishing,
}
