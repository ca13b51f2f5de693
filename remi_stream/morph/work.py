"""Writes the files of a morph: frames, video, meshes, heatmaps and tables."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from remi_stream.morph import heatmap, obj_sequence, textures
from remi_stream.morph.drawing import MorphFrame, MorphOptions, encode_rgb_png, render_morph
from remi_stream.morph.pair import MorphPair
from remi_stream.morph.statistics import displacement_table, pair_statistics
from remi_stream.morph.table import CsvCell, encode_csv
from remi_stream.render.film import VideoWriter, pad_image
from remi_stream.render.layout import even_size
from remi_stream.whole_folder import atomic_folder

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
        (folder / "texture_differences.csv").write_bytes(textures.texture_difference_table(pair.a, pair.b))
        (folder / "texture_difference.png").write_bytes(encode_rgb_png(heatmap.texture_heatmap(pair)))


def write_frames(pair: MorphPair, folder: Path, options: MorphOptions, minimal: bool, on_frame: Callable[[], object]) -> None:
    """Write every frame as an image; unless minimal, also as a mesh, and all of them as a video."""
    (folder / FRAMES_FOLDER).mkdir()
    faces = b"" if minimal else obj_sequence.encode_obj_faces(pair.a.faces)
    with contextlib.ExitStack() as stack:
        rendered = stack.enter_context(contextlib.closing(render_morph(pair, options)))
        reel = None if minimal else stack.enter_context(VideoWriter(folder / VIDEO, even_size(options.size), MORPH_FPS))
        for frame in rendered:
            (folder / FRAMES_FOLDER / f"{frame.number:06d}.png").write_bytes(frame.png)
            if reel:
                add_frame(frame, reel, folder / MESHES_FOLDER, faces, options)
            on_frame()


def add_frame(frame: MorphFrame, video: VideoWriter, meshes: Path, faces: bytes, options: MorphOptions) -> None:
    """Add a frame to the video and the meshes."""
    meshes.mkdir(exist_ok=True)
    (meshes / f"{frame.number:06d}.obj").write_bytes(obj_sequence.encode_obj(frame.vertices, faces))
    image = pad_image(np.ascontiguousarray(frame.image[..., ::-1]), even_size(options.size))
    video.add(image, frame.number / MORPH_FPS)
