"""Scenes of several people, rendered when they are needed and kept in the user's cache until the renderer changes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from remi_stream.geometry import Intrinsics
from remi_stream.paths import data_file

ROOT = Path(__file__).parents[2]
RENDERER = ROOT / "tools/render_sample.py"
SOURCES = ("tools/sample", "tools/open_body", "remi_stream/body/smpl.py")


class Scene(NamedTuple):
    """clip: the video. joints_px: (P, N, 24, 2). visible: (P, N), visible share of each person."""

    clip: Path
    joints_px: np.ndarray
    visible: np.ndarray
    intrinsics: Intrinsics


def scenes(name: str, seeds: tuple[int, ...]) -> list[Scene]:
    """Render what is not in the cache, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda seed: scene(name, seed), seeds))


def scene_files(name: str, seed: int) -> tuple[Path, Path]:
    """The clip and the truth of a scene, rendered if they are not in the cache."""
    clip, known = folder() / f"{name}-{seed}.mp4", folder() / f"{name}-{seed}_truth.npz"
    if not known.exists():
        subprocess.run([sys.executable, RENDERER, "--scene", name, "--seed", str(seed), folder()], check=True)
    return clip, known


def scene(name: str, seed: int) -> Scene:
    clip, known = scene_files(name, seed)
    with np.load(known) as truth:
        K = truth["K"]
        intrinsics = (float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2]))
        return Scene(clip, truth["joints_px"], truth["visible"], intrinsics)


@cache
def folder() -> Path:
    """Folder of the clips of this version of the renderer."""
    digest = hashlib.sha256(RENDERER.read_bytes() + data_file("open_body.npz").read_bytes())
    for source in SOURCES:
        path = ROOT / source
        for file in sorted(path.rglob("*") if path.is_dir() else [path]):
            if file.suffix in (".py", ".glsl", ".vert", ".frag"):
                digest.update(file.read_bytes())
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    made = home / "remi-stream-scenes" / digest.hexdigest()[:16]
    made.mkdir(parents=True, exist_ok=True)
    return made
