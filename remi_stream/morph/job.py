"""Morph of two meshes: statistics of their differences, and the files that are written."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from remi_stream.atomic_files import atomic_folder
from remi_stream.morph import heatmap, obj_file
from remi_stream.morph.drawing import MorphFrame, MorphOptions, encode_rgb_png, render_morph
from remi_stream.morph.pair import CsvCell, MorphPair, encode_csv, encode_csv_array, texture_difference_table
from remi_stream.render.camera import even_size
from remi_stream.render.surface import enclosed_volume, surface_area
from remi_stream.render.video import VideoWriter, pad_image

SUMMARIES: dict[str, Callable[[np.ndarray], Any]] = {
    "mean": np.mean,
    "median": np.median,
    "p95": lambda values: np.percentile(values, 95),
    "max": np.max,
}
"""Summary statistics by the last part of their column's name."""


def pair_statistics(pair: MorphPair) -> dict[str, CsvCell]:
    """Compute the columns and values of statistics.csv."""
    ends = {"a": pair.a, "b": pair.b}
    return {
        "a": pair.a.name,
        "b": pair.b.name,
        "unit": pair.unit,
        "vertices": len(pair.a.vertices),
        "faces": len(pair.a.faces),
        **summary_statistics("displacement", pair.distances),
        "displacement_max_vertex": int(pair.distances.argmax()),
        **{f"area_{name}": surface_area(mesh.vertices, mesh.faces) for name, mesh in ends.items()},
        **{f"volume_{name}": enclosed_volume(mesh.vertices, mesh.faces) for name, mesh in ends.items()},
        **{
            f"{side}_{axis}_{name}": float(corner[k])
            for name, mesh in ends.items()
            for side, corner in (("min", mesh.vertices.min(0)), ("max", mesh.vertices.max(0)))
            for k, axis in enumerate("xyz")
        },
        **summary_statistics("texture", pair.texture_differences),
    }


def summary_statistics(name: str, values: np.ndarray | None) -> dict[str, CsvCell]:
    """Mean, median, 95th percentile and maximum of values; None without any."""
    return {f"{name}_{part}": None if values is None else float(summarise(values)) for part, summarise in SUMMARIES.items()}


def displacement_table(pair: MorphPair) -> bytes:
    """Encode displacements.csv: one row per vertex."""
    values = np.column_stack([np.arange(len(pair.displacements)), pair.displacements, pair.distances])
    return encode_csv_array(("index", "dx", "dy", "dz", "length"), "%d,%.9g,%.9g,%.9g,%.9g\n", values)


MORPH_FPS = 20
FRAMES_FOLDER, MESHES_FOLDER, VIDEO = "frames", "meshes", "morph.mp4"


def write_morph(
    pair: MorphPair, folder: Path, options: MorphOptions, minimal: bool, on_frame: Callable[[], object]
) -> dict[str, CsvCell]:
    """Write a morph to a folder atomically and return its statistics. Raises RemiError."""
    with atomic_folder(folder) as part:
        return write_morph_files(pair, part, options, minimal, on_frame)


def write_morph_files(
    pair: MorphPair, folder: Path, options: MorphOptions, minimal: bool, on_frame: Callable[[], object]
) -> dict[str, CsvCell]:
    """Write the files of a morph; minimal: images only. on_frame: called after each frame. Raises OSError."""
    values = pair_statistics(pair)
    (folder / "displacement.png").write_bytes(encode_rgb_png(heatmap.displacement_heatmap(pair, options)))
    if not minimal:
        write_tables(pair, folder, values)
    write_frames(pair, folder, options, minimal, on_frame)
    return values


def write_tables(pair: MorphPair, folder: Path, statistics: dict[str, CsvCell]) -> None:
    """Write the statistics and the texture differences."""
    (folder / "statistics.csv").write_bytes(encode_csv([statistics]))
    (folder / "displacements.csv").write_bytes(displacement_table(pair))
    if pair.texture_differences is not None:
        (folder / "texture_differences.csv").write_bytes(texture_difference_table(pair.a, pair.b))
        (folder / "texture_difference.png").write_bytes(encode_rgb_png(heatmap.texture_heatmap(pair)))


def write_frames(pair: MorphPair, folder: Path, options: MorphOptions, minimal: bool, on_frame: Callable[[], object]) -> None:
    """Write every frame as an image; unless minimal, also as a mesh, and all of them as a video."""
    (folder / FRAMES_FOLDER).mkdir()
    # the faces are the same in every frame: encoded once
    faces = b"" if minimal else obj_file.encode_obj_faces(pair.a.faces)
    with contextlib.ExitStack() as stack:
        rendered = stack.enter_context(contextlib.closing(render_morph(pair, options)))
        video = None if minimal else stack.enter_context(VideoWriter(folder / VIDEO, even_size(options.size), MORPH_FPS))
        for frame in rendered:
            (folder / FRAMES_FOLDER / f"{frame.number:06d}.png").write_bytes(frame.png)
            if video:
                add_frame(frame, video, folder / MESHES_FOLDER, faces, options)
            on_frame()


def add_frame(frame: MorphFrame, video: VideoWriter, meshes: Path, faces: bytes, options: MorphOptions) -> None:
    """Add a frame to the video and the meshes."""
    meshes.mkdir(exist_ok=True)
    (meshes / f"{frame.number:06d}.obj").write_bytes(obj_file.encode_obj(frame.vertices, faces))
    # the renderer draws RGB, the video takes BGR
    image = pad_image(np.ascontiguousarray(frame.image[..., ::-1]), even_size(options.size))
    video.add(image, frame.number / MORPH_FPS)
