"""`remi-stream lift`: joints in space from files of 2D key points."""

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
"""Frames that PyTorch lifts at once."""


def lift(
    file: Annotated[Path, typer.Argument(help="VideoPose3D's or a recorded .npz, or alphapose-results.json.", metavar="FILE")],
    out: Annotated[Path, typer.Option(help="Folder for what is written.", metavar="DIR")],
    size: Annotated[str, typer.Option(help="Size of the pictures, where the file does not tell.", metavar="WxH")] = "",
    causal: Annotated[bool, typer.Option("--causal", help="Look at no later frames, as live.")] = False,
    no_flip: Annotated[bool, typer.Option("--no-flip", help="Do not lift the mirrored clip too: twice as fast.")] = False,
    runtime: Annotated[str, typer.Option(help="What the network runs in: openvino, torch or onnx.")] = "openvino",
    threads: Annotated[int | None, typer.Option(help="Threads of the network.", min=1)] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over files that are there.")] = False,
) -> int:
    """Lift 2D key points to 3D joints with VideoPose3D: NAME.npy as it exports them, and NAME.npz with names."""
    manifest = find_manifest(MANIFEST, "lifter")
    if runtime not in manifest.runtimes:
        raise unknown("runtime", runtime, manifest.runtimes)
    clips = sized(file, read_clips(file), size)
    stems = [out / name for name in file_names([clip.name for clip in clips])]
    refuse_loss(stems, overwrite)
    run, words = open_network(manifest, CAUSAL if causal else SYMMETRIC, runtime, threads)
    make_folder(out)
    field = WINDOW + 1 - run(np.zeros((1, WINDOW, 17, 2), np.float32)).shape[1]
    print(words)
    for clip, stem in zip(clips, stems):
        begun = time.monotonic()
        with progress(clip) as tell:
            joints = lift_one(run, clip, tell, field, causal, not no_flip, WINDOW if runtime != "torch" else LONGEST_PIECE)
        written = videopose3d.write(joints, clip, stem, words if no_flip else f"{words}, mean with the mirrored clip")
        print(f"{clip.name}: {len(joints)} frames in {time.monotonic() - begun:.1f} s -> {written[0]}, {written[1].name}")
    return DONE


def read_clips(path: Path) -> list[Clip]:
    """The clips of a file."""
    if path.suffix == ".json":
        return alphapose_clips.read_clips(path)
    if path.suffix == ".npz":
        return videopose3d.read(path)
    raise UsageError(f"{path} ends in '{path.suffix}'; what can be lifted ends in .npz or .json.")


def sized(path: Path, clips: list[Clip], size: str) -> list[Clip]:
    """The clips, each with the size of its pictures: the one that was given, or what is known. Raises UsageError."""
    given = parse_size(size) if size else recorded_size(path)
    clips = [clip._replace(size=given if size else clip.size or given) for clip in clips]
    if unsized := [clip.name for clip in clips if not clip.size]:
        raise UsageError(f"{path} does not tell how large the pictures of {unsized[0]} are. Give it: --size 1920x1080")
    return clips


def parse_size(text: str) -> tuple[int, int]:
    """Width and height, px."""
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text.lower())
    if not found:
        raise UsageError(f"--size is '{text}'; it must be width x height in pixels, like 1920x1080.")
    return int(found[1]), int(found[2])


def recorded_size(path: Path) -> tuple[int, int] | None:
    """The size that the recording has which a track lies in, if it lies in one."""
    from remi_stream.sinks.recording.index import INDEX, read_index

    sizes = {epoch.size for epoch in read_index(path.parent).epochs} if path.with_name(INDEX).is_file() else set()
    return sizes.pop() if len(sizes) == 1 else None


def file_names(names: list[str]) -> list[str]:
    """What the clips' files are called: without folders and endings, each name once."""
    found: list[str] = []
    for name in names:
        stem = re.sub(r"[^\w.-]+", "_", re.sub(r"\.\w{2,4}$", "", re.split(r"[/\\]", name)[-1])).lstrip(".") or "clip"
        same = sum(other == stem or re.fullmatch(rf"{re.escape(stem)}-\d+", other) is not None for other in found)
        found.append(f"{stem}-{same + 1}" if stem in found else stem)
    return found


def refuse_loss(stems: list[Path], overwrite: bool) -> None:
    """Raise UsageError if something is there that would be written over."""
    there = [path for stem in stems for path in videopose3d.paths(stem) if path.exists()]
    if there and not overwrite:
        raise UsageError(f"{there[0]} is there already. Give --overwrite to write over it, or another --out.")


def make_folder(out: Path) -> None:
    """Make the folder for what is written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be a folder: {why_unwritable(out, error, 'Give another one')}.") from None


def open_network(manifest: Manifest, name: str, runtime: str, threads: int | None) -> tuple[Run, str]:
    """The network as a function of clips, and what it is in words. Its weights must be here; they are converted once.

    It runs in f32, since nobody waits for it.
    """
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
    settings = manifest.runtimes[runtime] | ({"threads": threads} if threads else {})
    network = load_weights(file, runtime, **settings | ({"precision": "f32"} if runtime == "openvino" else {}))
    return lambda keypoints: network.run({"keypoints": keypoints})["joints"], f"{name} in {network.name}"


def lift_one(run: Run, clip: Clip, tell: Callable[[int], object], field: int, causal: bool, flip: bool, piece: int) -> np.ndarray:
    """Joints (F, 17, 3) float32, m, camera axes, around the hip. field, piece: frames that an output sees, and that are run."""
    assert clip.size
    frames = min(piece, max(WINDOW, len(clip.keypoints_px) + field - 1))
    keypoints = normalise(clip.keypoints_px, clip.size)
    return lift_clip(in_pieces(run, field, frames, tell), keypoints, causal=causal, receptive_field=field, flip=flip)


@contextmanager
def progress(clip: Clip) -> Iterator[Callable[[int], object]]:
    """A bar, while somebody looks."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(clip.name, total=len(clip.keypoints_px))
        yield lambda done: bar.update(task, completed=done)
