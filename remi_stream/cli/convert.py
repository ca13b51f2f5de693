"""`remi-stream convert`: converts checkpoints to ONNX and TensorRT plans."""

from __future__ import annotations

import enum
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from remi_stream.cli.console import progress_bar
from remi_stream.errors import EXIT_DONE, RemiError, UsageError, closest_name_text
from remi_stream.inference.runtime import RUNTIME_SUFFIXES
from remi_stream.install_hint import install_command
from remi_stream.models.array_files import open_archive
from remi_stream.models.manifest import ModelFile, list_manifests, model_files_by_name
from remi_stream.models.safe_pickle import damage_errors

if TYPE_CHECKING:
    from remi_stream.convert.conversion import ConversionRequest, ConversionResult
    from remi_stream.convert.tensorrt import ProgressCallback
    from remi_stream.inference.onnx_cache import OnnxMetadata

TENSORRT_SUFFIX = "-trt"
PARITY_FORMATS = {
    "joints_mm": "joints {:g} mm",
    "rotations_deg": "rotations {:g} degrees",
    "points_px": "points {:g} px",
    "boxes_px": "boxes {:g} px",
}


class Precision(str, enum.Enum):
    """Precision of a plan."""

    fp32 = "fp32"
    fp16 = "fp16"


class PlanBuilder(str, enum.Enum):
    """What builds a plan."""

    tensorrt = "tensorrt"
    torch_tensorrt = "torch-tensorrt"


def convert(
    name: Annotated[str, typer.Argument(help="Engine, detector, or one of their models; NAME-trt for TensorRT.")],
    precision: Annotated[
        Precision | None, typer.Option(help="Precision of the plan; fp16 (the default) keeps the head in fp32.")
    ] = None,
    max_batch: Annotated[int, typer.Option(help="Largest batch of the plan.", min=1, max=64)] = 8,
    compute_capability: Annotated[
        list[str] | None,
        typer.Option(help="Compute capability of another GPU, e.g. 8.9; may be repeated.", metavar="N.N"),
    ] = None,
    memory_limit: Annotated[float | None, typer.Option(help="GPU memory for the build, GiB.", min=0.1)] = None,
    via: Annotated[
        PlanBuilder, typer.Option(help="What builds the plan; torch-tensorrt needs PyTorch at run time.")
    ] = PlanBuilder.tensorrt,
    again: Annotated[bool, typer.Option("--again", help="Convert again, even if the result exists.")] = False,
) -> int:
    """Convert checkpoints to ONNX (for OpenVINO and ONNX Runtime) or, with -trt, to TensorRT plans.

    The result is compared with PyTorch before it is kept. --engine converts to ONNX by itself; plans are built only here.
    """
    reject_embedded_engine(name)
    files = convertible_models(name)
    if not name.endswith(TENSORRT_SUFFIX):
        for file in files:
            convert_to_onnx(file, again)
        return EXIT_DONE
    from remi_stream.convert.conversion import ConversionRequest

    request = ConversionRequest(
        precision=precision.value if precision else None,
        max_batch=max_batch,
        capabilities=tuple(compute_capability or ()),
        memory_gib=memory_limit,
        via=via.value,
        rebuild=again,
    )
    for file in files:
        build_plan(file, request)
    return EXIT_DONE


def convert_to_onnx(file: ModelFile, again: bool) -> None:
    """Convert a checkpoint to ONNX and print the path."""
    from remi_stream.convert.onnx_conversion import convert_to_onnx as convert
    from remi_stream.inference import onnx_cache

    is_new = again or not onnx_cache.onnx_path(file).is_file()
    path = convert(file, rebuild=again, on_message=lambda line: print(line, file=sys.stderr, flush=True))
    how = "converted" if is_new else "already there"
    print(f"{file.name}: {path} ({path.stat().st_size / 1e6:.1f} MB, {how}{parity_hint(onnx_cache.read_onnx_metadata(file))})")


def parity_hint(known: OnnxMetadata | None) -> str:
    """How to compare an ONNX file with PyTorch if that was not done, or not recorded by an earlier version."""
    from remi_stream.convert.onnx_conversion import can_check_parity

    if known and known.parity:
        return ""
    what = "not compared with PyTorch" if known else "made by an earlier version, without a recorded comparison with PyTorch"
    return f", {what}; to compare it: {'' if can_check_parity() else install_command('onnx') + ', and '}--again"


def build_plan(file: ModelFile, request: ConversionRequest) -> None:
    """Build the plan of a model and print what was built and what was not checked."""
    from remi_stream.convert.conversion import convert_model

    with build_progress(file.name) as progress:
        converted = convert_model(file, request, progress)
    print(f"{file.name}: {plan_summary(converted)}")


def plan_summary(converted: ConversionResult) -> str:
    """Summary of a plan in one line."""
    key = converted.manifest.key
    gpus = ", ".join(f"sm_{each.replace('.', '')}" for each in key.capabilities)
    size = f"{converted.manifest.bytes / 1e6:.1f} MB"
    how = f"built in {converted.manifest.build_s:.1f} s" if converted.is_new else "already there"
    line = f"{converted.path} ({size}, {key.precision}, batches of 1 to {key.max_batch}, {gpus}, {how})."
    for kind, parity in (("ONNX", converted.manifest.onnx_parity), ("Plan", converted.manifest.plan_parity)):
        errors = ", ".join(text.format(parity[name]) for name, text in PARITY_FORMATS.items() if name in parity)
        line += f" {kind} compared with PyTorch: {errors}." if errors else f" {kind} compared with PyTorch." if parity else ""
    return line + (f" The plan has not been run: {converted.unchecked_reason}." if converted.unchecked_reason else "")


@contextmanager
def build_progress(name: str) -> Iterator[ProgressCallback]:
    """Progress bar of a build, on a terminal only."""
    columns = (TextColumn("{task.fields[name]}"), BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with progress_bar(*columns) as bar:
        task = bar.add_task("", total=None, name=name)
        yield lambda phase, done, steps: bar.update(task, description=phase, completed=done, total=steps)


def reject_embedded_engine(name: str) -> None:
    """Raise RemiError for REMI's TorchScript files with an embedded TensorRT engine: they fit one TensorRT and one GPU."""
    path = Path(name)
    if path.name == "poco_model_trt.pt" or (path.is_file() and is_torchscript(path)):
        raise RemiError(
            f"{path.name} is an engine of another TensorRT and GPU and cannot be used. Build one: remi-stream convert poco-trt"
        )


def is_torchscript(path: Path) -> bool:
    """Whether a file is a TorchScript program."""
    if not zipfile.is_zipfile(path):
        return False
    with damage_errors(path.name, "a zip archive"), open_archive(path) as archive:
        # TorchScript archives contain the code of their modules; plain checkpoints contain tensors only.
        return any("/code/__torch__" in member for member in archive.namelist())


def convertible_models(name: str) -> list[ModelFile]:
    """The convertible models of an engine, detector or model name. Raises UsageError if there are none."""
    offered = {manifest.name: manifest.weights for manifest in list_manifests()}
    offered |= {file.name: [file] for file in model_files_by_name().values()}
    engine, _, suffix = name.rpartition("-")
    stem = engine if name not in offered and suffix in RUNTIME_SUFFIXES else name
    candidates = {key: [file for file in files if is_convertible(file, name)] for key, files in offered.items()}
    if not candidates.get(stem):
        names = sorted(filter(candidates.get, candidates))
        guess = closest_name_text(stem, names)
        raise UsageError(f"There is nothing to convert for '{name}'.{guess} Choose from: {', '.join(names)}")
    return candidates[stem]


def is_convertible(file: ModelFile, name: str) -> bool:
    """Whether a model can be converted: checkpoints to ONNX and plans, ONNX files (NAME-trt) to plans."""
    return bool(file.network) or (name.endswith(TENSORRT_SUFFIX) and file.file.endswith(".onnx"))
