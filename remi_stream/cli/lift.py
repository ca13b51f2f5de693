"""`remi-stream lift`: lifts 2D key points in files to 3D joints with VideoPose3D."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from remi_stream.cli.console import count_progress
from remi_stream.cli.options import OverwriteOption, check_overwrite, parse_size
from remi_stream.errors import EXIT_DONE, UsageError, unknown_name_error
from remi_stream.export import alphapose, videopose3d
from remi_stream.export.clip import KeypointClip
from remi_stream.models.manifest import Manifest, ModelFile, find_manifest
from remi_stream.permission_hints import write_error_hint
from remi_stream.pose.videopose3d import (
    CAUSAL_WEIGHTS,
    RECEPTIVE_FIELD,
    SYMMETRIC_WEIGHTS,
    VIDEOPOSE3D_MANIFEST,
    LiftNetwork,
    lift_clip,
    normalise_keypoints,
    run_in_chunks,
)

MAX_TORCH_FRAMES = 1024
"""Frames that PyTorch lifts at once; limits the memory for long clips."""


def lift(
    file: Annotated[
        Path, typer.Argument(help="VideoPose3D data set or recorded track (.npz), or alphapose-results.json.", metavar="FILE")
    ],
    out: Annotated[Path, typer.Option(help="Output folder.", metavar="DIR")],
    size: Annotated[str, typer.Option(help="Image size, if the file does not contain it.", metavar="WxH")] = "",
    causal: Annotated[bool, typer.Option("--causal", help="Use past frames only, as live lifting does.")] = False,
    no_flip: Annotated[bool, typer.Option("--no-flip", help="Do not average with the mirrored clip: twice as fast.")] = False,
    runtime: Annotated[str, typer.Option(help="Runtime: openvino, torch or onnx.")] = "openvino",
    threads: Annotated[int | None, typer.Option(help="Number of CPU threads.", min=1)] = None,
    overwrite: OverwriteOption = False,
) -> int:
    """Lift 2D key points to 3D joints with VideoPose3D; writes NAME.npy (VideoPose3D's layout) and NAME.npz (named joints)."""
    manifest = find_manifest(VIDEOPOSE3D_MANIFEST, "lifter")
    if runtime not in manifest.runtimes:
        raise unknown_name_error("runtime", runtime, manifest.runtimes)
    clips = with_image_sizes(file, read_clips(file), size)
    stems = [out / name for name in unique_file_stems([clip.name for clip in clips])]
    check_overwrite([path for stem in stems for path in videopose3d.joint_files(stem)], overwrite)
    run, description = load_lifting_network(manifest, CAUSAL_WEIGHTS if causal else SYMMETRIC_WEIGHTS, runtime, threads)
    create_output_folder(out)
    # Measured, as imported weights may have another field: a network with field f turns n frames into n + 1 - f.
    field = RECEPTIVE_FIELD + 1 - run(np.zeros((1, RECEPTIVE_FIELD, 17, 2), np.float32)).shape[1]
    print(description)
    for clip, stem in zip(clips, stems):
        started_at = time.monotonic()
        with count_progress(clip.name, len(clip.keypoints_px)) as advance:
            joints = lift_keypoints(
                run, clip, advance, field, causal, not no_flip, RECEPTIVE_FIELD if runtime != "torch" else MAX_TORCH_FRAMES
            )
        written = videopose3d.write_joints(
            joints, clip, stem, description if no_flip else f"{description}, mean with the mirrored clip"
        )
        print(f"{clip.name}: {len(joints)} frames in {time.monotonic() - started_at:.1f} s -> {written[0]}, {written[1].name}")
    return EXIT_DONE


def read_clips(path: Path) -> list[KeypointClip]:
    """Read the clips of 2D key points in a file. Raises UsageError for an unknown suffix."""
    if path.suffix == ".json":
        return alphapose.read_alphapose_clips(path)
    if path.suffix == ".npz":
        return videopose3d.read_videopose3d_clips(path)
    raise UsageError(f"{path} ends in '{path.suffix}'; supported: .npz and .json.")


def with_image_sizes(path: Path, clips: list[KeypointClip], size: str) -> list[KeypointClip]:
    """Set the image size of each clip: from --size, the file, or its recording. Raises UsageError if it is unknown."""
    given = parse_size(size) if size else recorded_size(path)
    clips = [clip._replace(size=given if size else clip.size or given) for clip in clips]
    if unsized := [clip.name for clip in clips if not clip.size]:
        raise UsageError(f"{path} does not contain the image size of {unsized[0]}. Give it: --size 1920x1080")
    return clips


def recorded_size(path: Path) -> tuple[int, int] | None:
    """Frame size of the recording that contains a track file; None if there is none or several sizes."""
    from remi_stream.recordings.index import INDEX_FILE, read_recording_index

    sizes = {epoch.size for epoch in read_recording_index(path.parent).epochs} if path.with_name(INDEX_FILE).is_file() else set()
    return sizes.pop() if len(sizes) == 1 else None


def unique_file_stems(names: list[str]) -> list[str]:
    """Unique file stems of clips: without folders, suffixes and unsafe letters; duplicates get "-2", "-3"."""
    stems: dict[str, int] = {}  # with the number of the last duplicate
    for name in names:
        stem = re.sub(r"[^\w.-]+", "_", re.sub(r"\.\w{2,4}$", "", re.split(r"[/\\]", name)[-1])).lstrip(".") or "clip"
        first, number = stem, stems.get(stem, 1)
        while stem in stems:
            number += 1
            stem = f"{first}-{number}"
        stems[stem] = 1
        stems[first] = number
    return list(stems)


def create_output_folder(out: Path) -> None:
    """Create the output folder. Raises UsageError."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out} cannot be a folder: {write_error_hint(out, error, 'Give another one')}.") from None


def load_lifting_network(manifest: Manifest, name: str, runtime: str, threads: int | None) -> tuple[LiftNetwork, str]:
    """Load the lifting network as a function of key points, with a description; converts its weights once. Raises RemiError."""
    from remi_stream.convert.onnx_conversion import convert_missing
    from remi_stream.inference.load import load_model
    from remi_stream.models.manifest import licence_notice
    from remi_stream.models.store import ensure_model_file

    file: ModelFile = next(file for file in manifest.weights if file.name == name)
    ensure_model_file(file)
    if notice := licence_notice([file]):
        print(notice)
    if runtime != "torch":
        convert_missing([file], on_message=print)
    # f32, because offline accuracy matters more than speed.
    settings = manifest.runtimes[runtime] | ({"threads": threads} if threads else {})
    network = load_model(file, runtime, **settings | ({"precision": "f32"} if runtime == "openvino" else {}))
    return lambda keypoints: network.run({"keypoints": keypoints})["joints"], f"{name} in {network.name}"


def lift_keypoints(
    run: LiftNetwork, clip: KeypointClip, advance: Callable[[int], object], field: int, causal: bool, flip: bool, max_frames: int
) -> np.ndarray:
    """Lift a clip to joints (F, 17, 3) float32, m, camera axes, relative to the hip.

    field: receptive field of the network, frames. max_frames: frames per inference.
    """
    assert clip.size
    frames = min(max_frames, max(RECEPTIVE_FIELD, len(clip.keypoints_px) + field - 1))
    keypoints = normalise_keypoints(clip.keypoints_px, clip.size)
    return lift_clip(run_in_chunks(run, field, frames, advance), keypoints, is_causal=causal, receptive_field=field, flip=flip)
