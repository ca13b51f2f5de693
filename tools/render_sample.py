"""Renders the sample clip: the open body walks, waves and squats in a room, with the exact truth beside the picture.

    python tools/render_sample.py remi_stream/data        # writes sample.mp4 and sample_truth.npz

The motion repeats after exactly 240 frames, so the clip loops without a seam. World axes: y up, the floor at y = 0, the
camera looking along -z. The truth is stored in OpenCV camera axes (x right, y down, z forward).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from sample.camera import FOCAL_PX, HEIGHT, WIDTH, camera_from_world
from sample.choreography import choreography
from sample.motion import Motion, seen_from
from sample.studio import Studio
from sample.tailor import SHOE_M, Actor
from sample.timeline import FPS, FRAMES

from remi_stream.body.smpl import Body, load_open_body

Array = NDArray[Any]


def encode(path: Path, pictures: Iterator[Array]) -> None:
    """H.264 in MP4, a key frame each half second, no frame that needs a later one, and the same bytes every time."""
    with av.open(str(path), "w", options={"fflags": "+bitexact", "movflags": "+faststart"}) as container:
        options = {"crf": "21", "preset": "slow", "tune": "animation", "bf": "0", "g": "15", "flags": "+bitexact"}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))


def truth(body: Body, motion: Motion) -> dict[str, Array]:
    """Everything known about the clip, in OpenCV camera axes."""
    camera = camera_from_world()
    seen = seen_from(motion, body.rest_joints(motion.betas)[0], camera[:3, :3], camera[:3, 3])
    joints = np.array(
        [body.joints(pose[:3], pose[3:], seen.betas, t) for pose, t in zip(seen.poses, seen.transl, strict=True)]
    )
    intrinsics = np.array([[FOCAL_PX, 0, WIDTH / 2], [0, FOCAL_PX, HEIGHT / 2], [0, 0, 1]])
    up = camera[:3, 1]
    return {
        "poses": seen.poses,
        "betas": seen.betas,
        "transl": seen.transl,
        "joints_m": joints,
        "joints_px": (joints / joints[..., 2:]) @ intrinsics[:2].T,
        "fps": np.array(FPS),
        "K": intrinsics,
        "camera_from_world": camera,
        "floor_plane": np.append(up, -up @ camera[:3, 3]),
    }


def main() -> None:
    """Render, encode, and say what was made."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder for sample.mp4 and sample_truth.npz")
    out = parser.parse_args().out
    body = load_open_body()
    motion = choreography(body, ground=float(body.v_template[:, 1].min()) - SHOE_M)
    actors = [Actor(body, motion, outfit={})]  # more of them, each `placed` and dressed, share the room
    studio = Studio(actors)
    encode(out / "sample.mp4", (studio.draw(frame) for frame in range(FRAMES)))
    known: dict[str, Any] = {name: array.astype(np.float32) for name, array in truth(body, motion).items()}
    np.savez_compressed(out / "sample_truth.npz", **known)
    sizes = (f"{name} {(out / name).stat().st_size / 1e6:.2f} MB" for name in ("sample.mp4", "sample_truth.npz"))
    print(f"{out}: {', '.join(sizes)}")


if __name__ == "__main__":
    main()
