"""Entry point of the GPU image: checks the GPU, imports mounted weights, builds missing plans, then runs the command.

`python -m remi_stream.cli.container.entrypoint COMMAND ...` is `remi-stream COMMAND ...` with these preparations; each missing
part is reported in one line, the GPU first, then folders that were not mounted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from remi_stream.cli import InterruptFlag
from remi_stream.errors import EXIT_INTERRUPTED, EXIT_NOT_STARTED, RemiError
from remi_stream.permission_hints import read_error_hint

if TYPE_CHECKING:  # imported inside `main`, after SIGINT is handled: the imports take seconds
    from remi_stream.cli.container.requirements import Requirements
    from remi_stream.inference.gpu import Gpu
    from remi_stream.models.manifest import Manifest, ModelFile


FILESYSTEM_ROOT = Path("/")
CLEANUP_TIMEOUT_S = 4.0
"""Time for a stopped child to remove unfinished files; `docker stop` kills the container after 10 s."""
REMI_STREAM = str(Path(sysconfig.get_path("scripts")) / "remi-stream")


def main() -> int:
    """Prepare the command and replace this process by it; returns an exit code only if it cannot run."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    interrupt = InterruptFlag()
    try:
        from remi_stream.cli.container.requirements import command_requirements

        prepare(command_requirements(sys.argv[1:]), interrupt)
        interrupt.raise_if_set()
    except (Exception, KeyboardInterrupt) as error:
        if interrupt.is_set:  # an interrupted import may end with any exception
            return EXIT_INTERRUPTED
        if isinstance(error, PermissionError) and error.filename:  # /models or a mount in it is not readable for this user
            print_lines(f"Cannot access {error.filename}: {read_error_hint(Path(error.filename))}")
            return EXIT_NOT_STARTED
        if not isinstance(error, RemiError):
            raise
        print_lines(*str(error).splitlines())
        return error.exit_code
    os.execv(REMI_STREAM, [REMI_STREAM, *sys.argv[1:]])


def prepare(requirements: Requirements, interrupt: InterruptFlag) -> None:
    """Check the GPU, import mounted weights, build missing plans. Raises RemiError."""
    from remi_stream.cli.container.mounted_weights import default_body_notice, import_mounted, require_files

    gpu = require_working_gpu(requirements.gpu_engine) if requirements.gpu_engine else None
    rejected = import_mounted(requirements.required_files, requirements.optional_files, print_lines)
    require_files(requirements.required_files, rejected)
    print_lines(*default_body_notice(requirements.optional_files, rejected))
    for manifest in requirements.tensorrt_engines:
        assert gpu
        interrupt.raise_if_set()
        build_missing_plans(manifest, gpu)


def require_working_gpu(engine: str) -> Gpu:
    """The first GPU. Raises RemiError with the first failure of `doctor`'s checks of GPU, memory and PyTorch."""
    from remi_stream.cli.doctor import nvidia, nvidia_checks
    from remi_stream.cli.doctor.machine import Machine

    run_python = Machine().run_python
    report = nvidia.NvidiaReport(
        engine=engine,
        gpu_on_bus=nvidia.has_gpu_on_bus(FILESYSTEM_ROOT),
        in_container=True,
        gpu_expected=nvidia.expects_gpu(FILESYSTEM_ROOT),
        visible_devices=os.environ.get("CUDA_VISIBLE_DEVICES"),
        driver=nvidia.probe_driver(run_python),
        torch=nvidia.probe_torch(run_python, has_gpu=False),
    )
    for title, check in {
        "GPU": nvidia_checks.check_gpu,
        "GPU memory": nvidia_checks.check_gpu_memory,
        "PyTorch": nvidia_checks.check_torch,
    }.items():
        if (result := check(report)) and result.verdict == "fail":
            raise RemiError(f"{engine} cannot run here. {title}: {result.text}")
    return report.driver.gpus[0]


def build_missing_plans(manifest: Manifest, gpu: Gpu) -> None:
    """Build missing plans for this GPU. Raises RemiError if a build fails and there is no PyTorch fallback."""
    settings = manifest.runtimes["tensorrt"]
    precision = settings.get("precision", "fp16")
    reason = next((fault for file in manifest.weights if (fault := missing_plan_reason(file, precision, gpu))), "")
    if not reason:
        return
    print_lines(f"{reason.partition(' Build it')[0]} Building it for {gpu.name}, once; this takes minutes ...")
    if run_child([REMI_STREAM, "convert", f"{manifest.name}-trt", "--precision", precision]) == 0:
        return
    if settings.get("strict") or not all(file.network for file in manifest.weights):
        raise RemiError(f"{manifest.name}-trt has no plan and no PyTorch fallback. See the line above for the reason")
    print_lines("The plan could not be built; PyTorch runs the network on the GPU instead.")


def run_child(command: Sequence[str]) -> int:
    """Run a command and return its exit code; on Ctrl-C, send SIGINT once so that it removes unfinished files."""
    # In a session of its own, so that a terminal's Ctrl-C reaches only this process.
    with subprocess.Popen(command, stdout=sys.stderr, start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(CLEANUP_TIMEOUT_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            raise


def missing_plan_reason(file: ModelFile, precision: str, gpu: Gpu) -> str:
    """Why no plan of a model fits this GPU; "" if one does."""
    from remi_stream.inference.load import choose_plan

    try:
        choose_plan(file, precision, gpu)  # type: ignore[arg-type]
    except RemiError as error:
        return str(error)
    return ""


def print_lines(*lines: str) -> None:
    """Print lines to stderr, apart from the command's own output."""
    for line in lines:
        print(f"remi-stream: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
