"""Convert checkpoints to ONNX for the ONNX cache: export, parity check with PyTorch, metadata.

PyTorch is imported only while a conversion runs, since it must not share a process with OpenVINO.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from remi_stream.atomic_files import process_lock
from remi_stream.errors import RemiError
from remi_stream.inference.onnx_cache import OnnxMetadata, onnx_path
from remi_stream.inference.plan import Precision
from remi_stream.install_hint import install_command
from remi_stream.models.manifest import ModelFile
from remi_stream.models.store import ensure_model_file, model_sha256, sha256_of

MessageCallback = Callable[[str], object]
"""Called with a line when a step begins that takes long."""


def ignore_message(_line: str) -> None:
    """Show no progress."""


def convert_to_onnx(
    file: ModelFile, precision: Precision = "fp32", rebuild: bool = False, on_message: MessageCallback = ignore_message
) -> Path:
    """Convert a checkpoint to ONNX in this process and check its parity with PyTorch; the file is written atomically.

    An ONNX that exists, or that another process writes while this one waits for the lock, is kept unless `rebuild` is set.
    """
    require_export_packages(file)
    path = onnx_path(file, precision)
    with process_lock(path.name):
        if rebuild or not path.is_file():
            build_onnx(file, precision, path, on_message)
    return path


def build_onnx(file: ModelFile, precision: Precision, path: Path, on_message: MessageCallback) -> None:
    """Export an ONNX file, check its parity and move it into the cache with its metadata."""
    if not can_check_parity():  # before a minute of work, not after it
        on_message(f"{file.name} will not be compared with PyTorch: ONNX Runtime is missing. {install_command('onnx')}")
    on_message(f"{file.name}: loading PyTorch ...")
    from remi_stream.convert.onnx_export import export_onnx
    from remi_stream.convert.parity import check_onnx_parity

    build_folder = path.parent / f".making-{path.stem}"
    shutil.rmtree(build_folder, ignore_errors=True)  # left by a process that was killed
    build_folder.mkdir(parents=True)
    new = build_folder / path.name
    try:
        on_message(f"{file.name}: exporting {file.file} to ONNX (about a minute) ...")
        export_onnx(file.network, ensure_model_file(file), new, precision)
        if can_check_parity():
            on_message(f"{file.name}: comparing the ONNX with PyTorch ...")
        subject = f"The {precision.upper()} ONNX of {file.file}"
        parity = check_onnx_parity(file.network, subject, new, ensure_model_file(file), precision) if can_check_parity() else {}
        metadata = OnnxMetadata(file.network, precision, sha256_of(new), model_sha256(file), parity)
        new.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(metadata)))
        # The metadata first: an ONNX that exists always has its metadata.
        os.replace(new.with_suffix(".json"), path.with_suffix(".json"))
        os.replace(new, path)
    finally:
        shutil.rmtree(build_folder)


def convert_missing(files: list[ModelFile], on_message: Callable[[str], None]) -> None:
    """Convert the checkpoints that have no ONNX yet, in a subprocess: PyTorch and OpenVINO must not share a process."""
    for file in files:
        if not file.network or onnx_path(file).is_file():
            continue
        on_message(f"Converting {file.file} to ONNX, once (a minute or so) ...")
        done = subprocess.run(
            [sys.executable, "-m", "remi_stream", "convert", file.name], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = last_line(done.stderr).removeprefix("remi-stream: ") or f"exit code {done.returncode}"
            raise RemiError(f"{file.file} could not be converted: {reason}")


def require_export_packages(file: ModelFile) -> None:
    """Raise RemiError unless the packages for the ONNX export are installed."""
    missing = [name for name in ("torch", "onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise RemiError(
            f"Converting {file.file} needs {', '.join(missing)}, which is not installed here: {install_command('torch')}"
        )


def last_line(text: str) -> str:
    """Return the last line of a text that is not blank."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def can_check_parity() -> bool:
    """Return whether ONNX Runtime, which the parity check needs, is installed."""
    return importlib.util.find_spec("onnxruntime") is not None
