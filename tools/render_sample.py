"""Render the sample clip with its ground truth: the default body walks, waves and squats in a room.

    python tools/render_sample.py remi_stream/data        # writes sample.mp4 and sample_truth.npz
    python tools/render_sample.py --scene crossing --seed 3 OUT      # writes crossing-3.mp4 and crossing-3_truth.npz

The sample's motion repeats after exactly 240 frames, so the clip loops without a seam. World axes: y up, the floor at y = 0,
the camera looking along -z. The truth is stored in OpenCV camera axes (x right, y down, z forward).

Scenes use a static room and no anti-aliasing, for speed. Their ground truth has a leading axis of people, and `visible`
(people, frames): the share of each person that neither the others nor furniture nor the image border hide, and `silhouette_bits`
(people, frames, height / 2, width / 16): the drawn silhouette of each as if alone, at half the resolution, eight pixels a byte.

Needs moderngl (extra `dev`) and a headless OpenGL driver; on Debian: libegl1 libgl1-mesa-dri libgl1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import extras_hint  # noqa: F401  # first: a missing package is one line
import numpy as np
from numpy.typing import NDArray
from sample.camera import SAMPLE_CAMERA
from sample.choreography import choreography
from sample.clothing import Actor
from sample.posture_scenes import POSTURE_SCENES
from sample.scenes import SCENES, Scene
from sample.studio import QUICK, Studio
from sample.timeline import FPS, FRAMES
from sample.truth import truth_of_camera, truth_of_person
from sample.video_encoder import encode
from sample.visibility import Visibility

from remi_stream.body.smpl import load_default_body

Array = NDArray[Any]
ALL_SCENES = SCENES | POSTURE_SCENES


def render_sample(out: Path) -> list[Path]:
    """Render the clip that the package ships."""
    body = load_default_body()
    motion = choreography(body, np.zeros(10))
    studio = Studio([Actor(body, motion, outfit={})])
    clip, truth = out / "sample.mp4", out / "sample_truth.npz"
    encode(clip, (studio.draw(frame) for frame in range(FRAMES)), preset="slow", size=SAMPLE_CAMERA.size, fps=FPS)
    save(truth, {**truth_of_person(body, motion), **truth_of_camera()})
    return [clip, truth]


def render_scene(name: str, seed: int, out: Path) -> list[Path]:
    """Render a scene."""
    scene = ALL_SCENES[name](load_default_body(), seed)
    clip, truth = out / f"{name}-{seed}.mp4", out / f"{name}-{seed}_truth.npz"
    seen: list[tuple[Array, Array]] = []
    encode(clip, draw_frames(scene, seen), preset="veryfast", size=scene.camera.size, fps=scene.fps)
    visible, silhouettes = (np.stack(parts, axis=1) for parts in zip(*seen, strict=True))
    drawn = {"visible": visible, "silhouette_bits": np.packbits(silhouettes, axis=-1)}
    save(truth, {**truth_of_people(scene), **drawn, **truth_of_camera(scene.camera, scene.fps)})
    return [clip, truth]


def draw_frames(scene: Scene, seen: list[tuple[Array, Array]]) -> Iterator[Array]:
    """Draw the frames of a scene, and append the visible shares and the silhouettes of all actors to `seen`."""
    studio = Studio(scene.actors, QUICK, scene.camera, scene.furniture)
    visibility = Visibility(studio.gl, scene.camera, scene.furniture)
    for frame in range(scene.first, scene.first + scene.count):
        yield studio.draw(frame)
        seen.append((visibility.shares(studio.figures), visibility.silhouettes(studio.figures)))


def truth_of_people(scene: Scene) -> dict[str, Array]:
    """Ground truth of all people in the scene's frames; people are the first axis."""
    truths = [truth_of_person(actor.body, actor.motion, scene.camera) for actor in scene.actors]
    frames = slice(scene.first, scene.first + scene.count)
    return {
        name: np.array([person[name] if name == "betas" else person[name][frames] for person in truths]) for name in truths[0]
    }


def save(path: Path, truth: dict[str, Array]) -> None:
    """Write ground truth: packed bits as they are, all else as float32."""
    arrays: dict[str, Any] = {
        name: array if array.dtype == np.uint8 else array.astype(np.float32) for name, array in truth.items()
    }
    np.savez_compressed(path, **arrays)


def main() -> None:
    """Render the sample clip or a scene, and print the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="output folder")
    parser.add_argument("--scene", choices=sorted(ALL_SCENES), help="a scene instead of the sample clip")
    parser.add_argument("--seed", type=int, default=0, help="variant of the scene")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scene, seed, out = arguments.scene, arguments.seed, arguments.out
    paths = render_scene(scene, seed, out) if scene else render_sample(out)
    print(", ".join(f"{path} {path.stat().st_size / 1e6:.2f} MB" for path in paths))


if __name__ == "__main__":
    main()
