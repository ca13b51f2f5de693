"""Renders the sample clip: the open body walks, waves and squats in a room, with the exact truth beside the picture.

    python tools/render_sample.py remi_stream/data        # writes sample.mp4 and sample_truth.npz
    python tools/render_sample.py --scene crossing --seed 3 OUT      # writes crossing-3.mp4 and crossing-3_truth.npz

The sample's motion repeats after exactly 240 frames, so the clip loops without a seam. World axes: y up, the floor at y = 0,
the camera looking along -z. The truth is stored in OpenCV camera axes (x right, y down, z forward).

Scenes show several people, in a still room and with coarser edges, so that they are drawn quickly. Their truth has an axis for
the people in front, and `visible` (people, frames): the share of everybody that neither the others nor the picture's edge hide.

Needs moderngl (extra `dev`) and an OpenGL driver without a screen; on Debian: libegl1 libgl1-mesa-dri libgl1.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sample.choreography import choreography
from sample.film import encode
from sample.scenes import SCENES, Scene
from sample.studio import CLIP_FROM_WORLD, QUICK, Studio
from sample.tailor import Actor
from sample.timeline import FRAMES
from sample.truth import truth_of_camera, truth_of_person
from sample.visibility import Visibility

from remi_stream.body.smpl import load_open_body

Array = NDArray[Any]


def render_sample(out: Path) -> list[Path]:
    """The clip that the package ships."""
    body = load_open_body()
    motion = choreography(body, np.zeros(10))
    studio = Studio([Actor(body, motion, outfit={})])
    clip, known = out / "sample.mp4", out / "sample_truth.npz"
    encode(clip, (studio.draw(frame) for frame in range(FRAMES)), preset="slow")
    save(known, {**truth_of_person(body, motion), **truth_of_camera()})
    return [clip, known]


def render_scene(name: str, seed: int, out: Path) -> list[Path]:
    """A scene of several people."""
    scene = SCENES[name](load_open_body(), seed)
    clip, known = out / f"{name}-{seed}.mp4", out / f"{name}-{seed}_truth.npz"
    visible: list[Array] = []
    encode(clip, film(scene, visible), preset="veryfast")
    save(known, {**truth_of_people(scene), "visible": np.array(visible).T, **truth_of_camera()})
    return [clip, known]


def film(scene: Scene, visible: list[Array]) -> Iterator[Array]:
    """Draw a scene, and note how much of each actor is seen."""
    studio = Studio(scene.actors, QUICK)
    visibility = Visibility(studio.gl, CLIP_FROM_WORLD)
    for frame in range(scene.first, scene.first + scene.count):
        yield studio.draw(frame)
        visible.append(visibility.shares(studio.figures))


def truth_of_people(scene: Scene) -> dict[str, Array]:
    """What is known of everybody, cut to the scene's frames; people are the first axis."""
    known = [truth_of_person(actor.body, actor.motion) for actor in scene.actors]
    shown = slice(scene.first, scene.first + scene.count)
    return {name: np.array([person[name] if name == "betas" else person[name][shown] for person in known]) for name in known[0]}


def save(path: Path, known: dict[str, Array]) -> None:
    """Write what is known as float32."""
    arrays: dict[str, Any] = {name: array.astype(np.float32) for name, array in known.items()}
    np.savez_compressed(path, **arrays)


def main() -> None:
    """Render, encode, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder to write to")
    parser.add_argument("--scene", choices=sorted(SCENES), help="a scene of several people instead of the sample clip")
    parser.add_argument("--seed", type=int, default=0, help="which of the scene's variants")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    scene, seed, out = arguments.scene, arguments.seed, arguments.out
    made = render_scene(scene, seed, out) if scene else render_sample(out)
    print(", ".join(f"{path} {path.stat().st_size / 1e6:.2f} MB" for path in made))


if __name__ == "__main__":
    main()
