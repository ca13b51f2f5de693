"""Writes the files of a morph: frames, video, meshes, heatmaps and tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from remi_stream.morph import heatmap, obj_sequence, textures
from remi_stream.morph.drawing import Drawn, Look, frames, png
from remi_stream.morph.pair import Pair
from remi_stream.morph.statistics import displacements, statistics
from remi_stream.morph.table import Cell, cells
from remi_stream.render.film import Reel, padded
from remi_stream.render.layout import even
from remi_stream.whole_folder import whole_folder

FPS = 20
FRAMES, MESHES, FILM = "frames", "meshes", "morph.mp4"


def write_whole(pair: Pair, folder: Path, look: Look, minimal: bool, tell: Callable[[], object]) -> dict[str, Cell]:
    """Write a morph to a folder atomically and return its statistics. Raises RemiError."""
    with whole_folder(folder) as part:
        return write(pair, part, look, minimal, tell)


def write(pair: Pair, folder: Path, look: Look, minimal: bool, tell: Callable[[], object]) -> dict[str, Cell]:
    """Write the files of a morph; minimal: images only. tell: called after each frame. Raises OSError."""
    values = statistics(pair)
    (folder / "displacement.png").write_bytes(png(heatmap.of_displacement(pair, look)))
    if not minimal:
        write_tables(pair, folder, values)
    write_frames(pair, folder, look, minimal, tell)
    return values


def write_tables(pair: Pair, folder: Path, told: dict[str, Cell]) -> None:
    """Write the statistics and the texture differences."""
    (folder / "statistics.csv").write_bytes(cells([told]))
    (folder / "displacements.csv").write_bytes(displacements(pair))
    if pair.differences is not None:
        (folder / "texture_differences.csv").write_bytes(textures.table(pair.a, pair.b))
        (folder / "texture_difference.png").write_bytes(png(heatmap.of_textures(pair)))


def write_frames(pair: Pair, folder: Path, look: Look, minimal: bool, tell: Callable[[], object]) -> None:
    """Write every frame as an image; unless minimal, also as a mesh, and all of them as a video."""
    (folder / FRAMES).mkdir()
    faces = b"" if minimal else obj_sequence.face_lines(pair.a.faces)
    with contextlib.ExitStack() as stack:
        rendered = stack.enter_context(contextlib.closing(frames(pair, look)))
        reel = None if minimal else stack.enter_context(Reel(folder / FILM, even(look.size), FPS))
        for frame in rendered:
            (folder / FRAMES / f"{frame.number:06d}.png").write_bytes(frame.png)
            if reel:
                add(frame, reel, folder / MESHES, faces, look)
            tell()


def add(frame: Drawn, reel: Reel, meshes: Path, faces: bytes, look: Look) -> None:
    """Add a frame to the video and the meshes."""
    meshes.mkdir(exist_ok=True)
    (meshes / f"{frame.number:06d}.obj").write_bytes(obj_sequence.mesh(frame.vertices, faces))
    image = padded(np.ascontiguousarray(frame.image[..., ::-1]), even(look.size))
    reel.add(image, frame.number / FPS)
