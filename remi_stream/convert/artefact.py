"""The ONNX that is made of a checkpoint, once, and kept: in `cache/onnx` of the user's folder, by the checkpoint's hash."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from remi_stream.convert.lock import alone
from remi_stream.convert.plan import Precision, remove_plans
from remi_stream.errors import RemiError
from remi_stream.models.manifest import ModelFile
from remi_stream.models.record import sha256_of
from remi_stream.models.store import hash_of, model_file
from remi_stream.resources import home

EDITION = 1
"""Another number makes everybody's ONNX anew."""


class Made(msgspec.Struct, frozen=True):
    """What is known of an ONNX, in the file beside it. parity: distances from PyTorch (see gate.py); empty if none were taken."""

    network: str
    precision: Precision
    sha256: str
    weights_sha256: str
    parity: dict[str, float]


def place(file: ModelFile, precision: Precision = "fp32") -> Path:
    """Where the ONNX of a checkpoint belongs."""
    half = "" if precision == "fp32" else f"-{precision}"
    return home() / "cache" / "onnx" / f"{file.network}-{hash_of(file)[:16]}-{EDITION}{half}.onnx"


def artefact(file: ModelFile) -> Path:
    """Where the ONNX of a checkpoint is. Raises RemiError if it has not been made."""
    model_file(file)
    path = place(file)
    if not path.is_file():
        raise RemiError(f"{file.file} has not been converted to ONNX. Convert it: remi-stream convert {file.name}")
    return path


def made(file: ModelFile, precision: Precision = "fp32") -> Made | None:
    """What is known of the ONNX of a checkpoint; None if there is none, or nothing is known of it."""
    path = place(file, precision)
    try:
        return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=Made) if path.is_file() else None
    except (OSError, msgspec.MsgspecError):
        return None


def convert(file: ModelFile, precision: Precision = "fp32", again: bool = False) -> Path:
    """Make the ONNX of a checkpoint in this process and compare it with PyTorch; it appears whole or not at all.

    If it is there, or another process makes it while this one waits, it is not made again, unless that is asked for.
    """
    require(file)
    path = place(file, precision)
    with alone(path.name):
        if again or not path.is_file():
            make(file, precision, path)
    return path


def make(file: ModelFile, precision: Precision, path: Path) -> None:
    """Write the ONNX, and what is known of it, to a path and beside it."""
    from remi_stream.convert.gate import can_prove, prove_onnx
    from remi_stream.convert.onnx import export

    making = path.parent / f".making-{path.stem}"
    shutil.rmtree(making, ignore_errors=True)  # of somebody who was killed
    making.mkdir(parents=True)
    new = making / path.name
    try:
        export(file.network, model_file(file), new, precision)
        what = f"The {precision.upper()} ONNX of {file.file}"
        parity = prove_onnx(file.network, what, new, model_file(file), precision) if can_prove() else {}
        known = Made(file.network, precision, sha256_of(new), hash_of(file), parity)
        new.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(known)))
        os.replace(new.with_suffix(".json"), path.with_suffix(".json"))
        os.replace(new, path)
    finally:
        shutil.rmtree(making)


def remove(file: ModelFile) -> None:
    """Remove everything that was made of a checkpoint."""
    for precision in ("fp32", "fp16"):
        for suffix in (".onnx", ".json"):
            place(file, precision).with_suffix(suffix).unlink(missing_ok=True)
    remove_plans(file)


def make_artefacts(files: list[ModelFile], tell: Callable[[str], None]) -> None:
    """Make what is missing, in a process of its own: this one may run OpenVINO later, and the two share no process."""
    for file in files:
        if not file.network or place(file).is_file():
            continue
        tell(f"Converting {file.file} to ONNX, once (a minute or so) ...")
        done = subprocess.run(
            [sys.executable, "-m", "remi_stream", "convert", file.name], capture_output=True, text=True, check=False
        )
        if done.returncode:
            reason = last_line(done.stderr).removeprefix("remi-stream: ") or f"exit code {done.returncode}"
            raise RemiError(f"{file.file} could not be converted: {reason}")


def require(file: ModelFile) -> None:
    """Raise RemiError unless what makes ONNX is installed."""
    missing = [name for name in ("torch", "onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise RemiError(
            f"Converting {file.file} needs {', '.join(missing)}, which is not installed here: pip install 'remi-stream[torch]'"
        )


def last_line(text: str) -> str:
    """The last line of a text that says something."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
