"""Preparation of a pipeline: checks the engines, detector, filter and sources, and pulls or converts weights."""

from __future__ import annotations

import logging
from typing import NamedTuple

from remi_stream.config import Config, check_source
from remi_stream.errors import UsageError
from remi_stream.models.manifest import Manifest, ModelFile, find_manifest

RUNTIMES_WITHOUT_ONNX = ("torch", "tensorrt")
"""Runtimes that need no ONNX file: they run the checkpoint or a plan."""

log = logging.getLogger("remi_stream")


class PipelineNeeds(NamedTuple):
    """Engines and weights that a pipeline loads."""

    engines: list[tuple[Manifest, str]]
    """Manifest and runtime of each camera's engine."""
    detector_files: list[ModelFile]
    """Weights of the detector."""
    pose_files: list[tuple[ModelFile, str]]
    """Weights of engines, lifters and the filter, with their runtime."""

    @property
    def all_files(self) -> list[ModelFile]:
        """All required weights, without duplicates."""
        return list({file.name: file for file in [*self.detector_files, *(file for file, _ in self.pose_files)]}.values())


def pipeline_needs(config: Config) -> PipelineNeeds:
    """Engines and weights of a configuration, present or not. Raises UsageError."""
    from remi_stream.detect.detector import detector_entry
    from remi_stream.filters.registry import filter_weights, resolve_filter
    from remi_stream.models.manifest import find_model_file

    smoothing = filter_weights(resolve_filter(config.filter, config.filter_options))
    engines = choose_engines(config)
    detector_files = [find_model_file(name) for name in detector_entry(config.detector).model_files if config.engine_by_camera]
    own = [(file, runtime) for manifest, runtime in engines for file in manifest.weights]
    return PipelineNeeds(engines, detector_files, own + choose_lifters(config) + smoothing)


def prepare_pipeline(config: Config) -> None:
    """Check names and addresses, pull missing weights and convert them to ONNX. Raises UsageError or RemiError."""
    from remi_stream.convert.onnx_conversion import convert_missing
    from remi_stream.models.manifest import licence_notice
    from remi_stream.models.store import file_fault, pull_files

    for camera in config.cameras:
        check_source(camera)
    needs = pipeline_needs(config)
    require_gpus(needs.engines)  # before anything is downloaded for an engine that cannot run here
    missing = [file for file in needs.all_files if file_fault(file)]
    if missing:
        pull_files(missing, on_message=log.info)
    convert_missing(
        [*needs.detector_files, *(file for file, runtime in needs.pose_files if runtime not in RUNTIMES_WITHOUT_ONNX)],
        on_message=log.info,
    )
    if notice := licence_notice(needs.all_files):
        log.info(notice)


def choose_engines(config: Config) -> list[tuple[Manifest, str]]:
    """Manifest and runtime of each camera's engine; raises UsageError for torch and OpenVINO in the same process."""
    from remi_stream.pose.engine import resolve_engine

    chosen = {camera: resolve_engine(name, config.options_for_engine(name)) for camera, name in config.engine_by_camera.items()}
    user = {runtime: f"{camera!r} ({config.engine_by_camera[camera]})" for camera, (_, runtime) in chosen.items()}
    if {"torch", "openvino"} <= user.keys():
        raise UsageError(
            f"Cameras {user['torch']} and {user['openvino']} would run torch and OpenVINO in one process, which slows down both. "
            "Use engines of one runtime, or run one camera in a daemon of its own: remi-stream run OTHER.yaml --name other"
        )
    return list(chosen.values())


def require_gpus(engines: list[tuple[Manifest, str]]) -> None:
    """Raise RemiError if an engine needs TensorRT and there is no GPU."""
    for manifest, runtime in engines:
        if runtime == "tensorrt":
            from remi_stream.inference.load import require_gpu

            require_gpu(manifest.weights[0])


def choose_lifters(config: Config) -> list[tuple[ModelFile, str]]:
    """Weights and runtime of the lifters: used if present, required if the configuration asks for lifting."""
    from remi_stream.pose.engine import resolve_engine
    from remi_stream.pose.videopose3d import VIDEOPOSE3D_MANIFEST, find_live_weights, lifter_runtime

    present, lifters = find_live_weights(), []
    for name in dict.fromkeys(config.engine_by_camera.values()):
        manifest, runtime = resolve_engine(name, config.options_for_engine(name))
        requested = config.options_for_engine(name).get("lift", 0)
        if {**manifest.options, **config.options_for_engine(name)}.get("lift", 0) and (present or requested):
            lifters.append((present or find_manifest(VIDEOPOSE3D_MANIFEST, "lifter").weights[0], lifter_runtime(runtime)))
    return lifters
