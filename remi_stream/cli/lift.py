"""`remi-stream lift`: lifts 2D key points from files to 3D joints."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from remi_stream.errors import DONE, UsageError, unknown
from remi_stream.formats import alphapose_clips, videopose3d
from remi_stream.formats.clip import Clip
from remi_stream.models.manifest import Manifest, ModelFile, find_manifest
from remi_stream.mounts import why_unwritable
from remi_stream.pose.lift import Run, in_pieces, lift_clip, normalise
from remi_stream.pose.videopose3d import CAUSAL, MANIFEST, SYMMETRIC, WINDOW

LONGEST_PIECE = 1024
"""Frames that PyTorch lifts at once; limits the memory for long clips."""


def lift(
    file: Annotated[Path, typer.Argument(help="VideoPose3D's or a recorded .npz, or alphapose-results.json.", metavar="FILE")],
    out: Annotated[Path, typer.Option(help="Output folder.", metavar="DIR")],
    size: Annotated[str, typer.Option(help="Image size, if the file does not contain it.", metavar="WxH")] = "",
    causal: Annotated[bool, typer.Option("--causal", help="Use no future frames, as live.")] = False,
    no_flip: Annotated[bool, typer.Option("--no-flip", help="Do not average with the mirrored clip: twice as fast.")] = False,
    runtime: Annotated[str, typer.Option(help="Runtime: openvino, torch or onnx.")] = "openvino",
    threads: Annotated[int | None, typer.Option(help="Number of CPU threads.", min=1)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> int:
    """Lift 2D key points to 3D joints with VideoPose3D; writes NAME.npy (VideoPose3D's layout), NAME.npz (with joint names)."""
    manifest = find_manifest(MANIFEST, "lifter")
    if runtime not in manifest.runtimes:
        raise unknown("runtime", runtime, manifest.runtimes)
    clips = sized(file, read_clips(file), size)
    stems = [out / name for name in file_names([clip.name for clip in clips])]
    refuse_loss(stems, overwrite)
    run, description = open_network(manifest, CAUSAL if causal else SYMMETRIC, runtime, threads)
    make_folder(out)
    field = WINDOW + 1 - run(np.zeros((1, WINDOW, 17, 2), np.float32)).shape[1]
    print(description)
    for clip, stem in zip(clips, stems):
        started_at = time.monotonic()
        with progress(clip) as advance:
            joints = lift_one(run, clip, advance, field, causal, not no_flip, WINDOW if runtime != "torch" else LONGEST_PIECE)
        written = videopose3d.write(joints, clip, stem, description if no_flip else f"{description}, mean with the mirrored clip")
        print(f"{clip.name}: {len(joints)} frames in {time.monotonic() - started_at:.1f} s -> {written[0]}, {written[1].name}")
    return DONE


def read_clips(path: Path) -> list[Clip]:
    """Read the clips of 2D key points in a file. Raises UsageError for an unknown suffix."""
    if path.suffix == ".json":
        return alphapose_clips.read_clips(path)
    if path.suffix == ".npz":
        return videopose3d.read(path)
    raise UsageError(f"{path} ends in '{path.suffix}'; supported: .npz and .json.")


def sized(path: Path, clips: list[Clip], size: str) -> list[Clip]:
    """Set the image size of each clip: from --size, the file, or its recording. Raises UsageError if it is unknown."""
    given = parse_size(size) if size else recorded_size(path)
    clips = [clip._replace(size=given if size else clip.size or given) for clip in clips]
    if unsized := [clip.name for clip in clips if not clip.size]:
        raise UsageError(f"{path} does not contain the image size of {unsized[0]}. Give it: --size 1920x1080")
    return clips


def parse_size(text: str) -> tuple[int, int]:
    """Parse "1920x1080" into width and height, px. Raises UsageError."""
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text.lower())
    if not found:
        raise UsageError(f"--size is '{text}'; it must be width x height in pixels, like 1920x1080.")
    return int(found[1]), int(found[2])


def recorded_size(path: Path) -> tuple[int, int] | None:
    """Frame size of the recording that contains a track file; None if there is none or several sizes."""
    from remi_stream.sinks.recording.index import INDEX, read_index

    sizes = {epoch.size for epoch in read_index(path.parent).epochs} if path.with_name(INDEX).is_file() else set()
    return sizes.pop() if len(sizes) == 1 else None


def file_names(names: list[str]) -> list[str]:
    """Unique file stems of clips: without folders, suffixes and unsafe letters; duplicates get "-2", "-3"."""
    stems: list[str] = []
    for name in names:
        stem = re.sub(r"[^\w.-]+", "_", re.sub(r"\.\w{2,4}$", "", re.split(r"[/\\]", name)[-1])).lstrip(".") or "clip"
        same = sum(other == stem or re.fullmatch(rf"{re.escape(stem)}-\d+", other) is not None for other in stems)
        stems.append(f"{stem}-{same + 1}" if stem in stems else stem)
    return stems


def refuse_loss(stems: list[Path], overwrite: bool) -> None:
    """Raise UsageError if an output file exists and --overwrite is not given."""
    existing = [path for stem in stems for path in videopose3d.paths(stem) if path.exists()]
    if existing and not overwrite:
        raise UsageError(f"{existing[0]} already exists. Give --overwrite to replace it, or another --out.")


def make_folder(out: Path) -> None:
    """Create the output folder. Raises UsageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be a folder: {why_unwritable(out, error, 'Give another one')}.") from None


def open_network(manifest: Manifest, name: str, runtime: str, threads: int | None) -> tuple[Run, str]:
    """Load the lifting network as a function of key points, with a description; converts its weights once. Raises RemiError."""
    from remi_stream.convert.artefact import make_artefacts
    from remi_stream.models.licence import licence_notice
    from remi_stream.models.store import model_file
    from remi_stream.runtimes.runtime import load_weights

    file: ModelFile = next(file for file in manifest.weights if file.name == name)
    model_file(file)
    if notice := licence_notice([file]):
        print(notice)
    if runtime != "torch":
        make_artefacts([file], tell=print)
    # f32, because offline accuracy matters more than speed.
    settings = manifest.runtimes[runtime] | ({"threads": threads} if threads else {})
    network = load_weights(file, runtime, **settings | ({"precision": "f32"} if runtime == "openvino" else {}))
    return lambda keypoints: network.run({"keypoints": keypoints})["joints"], f"{name} in {network.name}"


def lift_one(run: Run, clip: Clip, tell: Callable[[int], object], field: int, causal: bool, flip: bool, piece: int) -> np.ndarray:
    """Lift a clip to joints (F, 17, 3) float32, m, camera axes, relative to the hip.

    field: receptive field of the network, frames. piece: frames per inference.
    """
    assert clip.size
    frames = min(piece, max(WINDOW, len(clip.keypoints_px) + field - 1))
    keypoints = normalise(clip.keypoints_px, clip.size)
    return lift_clip(in_pieces(run, field, frames, tell), keypoints, causal=causal, receptive_field=field, flip=flip)


@contextmanager
def progress(clip: Clip) -> Iterator[Callable[[int], object]]:
    """Progress bar of a clip on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(clip.name, total=len(clip.keypoints_px))
        yield lambda done: bar.update(task, completed=done)
