"""Entry point of the GPU image: checks the GPU, imports mounted weights, builds missing plans, then runs the command.

`python -m remi_stream.cli.container COMMAND ...` is `remi-stream COMMAND ...` with these preparations; each missing part is
reported in one line, the GPU first, then folders that were not mounted.
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

from remi_stream.cli.stop import STOPPED, Stop
from remi_stream.errors import NOT_STARTED, RemiError
from remi_stream.mounts import why_unreadable

if TYPE_CHECKING:  # imported inside `main`, after SIGINT is handled: the imports take seconds
    from remi_stream.cli.asked import Asked
    from remi_stream.models.manifest import Manifest, ModelFile
    from remi_stream.runtimes.gpu import Gpu

ROOT = Path("/")
TIDY_S = 4.0
"""Time for a stopped child to remove unfinished files; `docker stop` kills the container after 10 s."""
COMMAND = str(Path(sysconfig.get_path("scripts")) / "remi-stream")


def main() -> int:
    """Prepare the command and replace this process by it; returns an exit code only if it cannot run."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    interrupt = Stop()
    try:
        from remi_stream.cli.asked import asked_for

        prepare(asked_for(sys.argv[1:]), interrupt)
        interrupt.check()
    except (Exception, KeyboardInterrupt) as error:
        if interrupt.heard:  # an interrupted import may end with any exception
            return STOPPED
        if isinstance(error, PermissionError) and error.filename:  # /models or a mount in it is not readable for this user
            tell(f"Cannot access {error.filename}: {why_unreadable(Path(error.filename))}")
            return NOT_STARTED
        if not isinstance(error, RemiError):
            raise
        tell(*str(error).splitlines())
        return error.exit_code
    os.execv(COMMAND, [COMMAND, *sys.argv[1:]])


def prepare(asked: Asked, interrupt: Stop) -> None:
    """Check the GPU, import mounted weights, build missing plans. Raises RemiError."""
    from remi_stream.cli.brought import require_given, take_in, without_body

    gpu = require_gpu(asked.gpu) if asked.gpu else None
    refused = take_in(asked.needed, asked.welcome, tell)
    require_given(asked.needed, refused)
    tell(*without_body(asked.welcome, refused))
    for manifest in asked.planned:
        assert gpu
        interrupt.check()
        build_plans(manifest, gpu)


def require_gpu(engine: str) -> Gpu:
    """The first GPU. Raises RemiError with the first failure of `doctor`'s checks of GPU, memory and PyTorch."""
    from remi_stream.cli import graphics, graphics_checks
    from remi_stream.cli.machine import Machine
    from remi_stream.runtimes.gpu import Gpu

    say = Machine().say
    report = graphics.Graphics(
        engine=engine,
        board=graphics.has_board(ROOT),
        container=True,
        promised=graphics.is_promised(ROOT),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
        driver=graphics.ask_driver(say),
        torch=graphics.ask_torch(say, gpu=False),
    )
    for title, check in {
        "GPU": graphics_checks.gpu,
        "GPU memory": graphics_checks.memory,
        "PyTorch": graphics_checks.torch,
    }.items():
        if (result := check(report)) and result.verdict == "fail":
            raise RemiError(f"{engine} cannot run here. {title}: {result.text}")
    card = report.driver.cards[0]
    return Gpu(card.name, card.capability, report.driver.cuda)


def build_plans(manifest: Manifest, gpu: Gpu) -> None:
    """Build missing plans for this GPU. Raises RemiError if a build fails and there is no PyTorch fallback."""
    settings = manifest.runtimes["tensorrt"]
    precision = settings.get("precision", "fp16")
    reason = next((fault for file in manifest.weights if (fault := planless(file, precision, gpu))), "")
    if not reason:
        return
    tell(f"{reason.partition(' Build it')[0]} Building it for {gpu.name}, once; this takes minutes ...")
    if run([COMMAND, "convert", f"{manifest.name}-trt", "--precision", precision]) == 0:
        return
    if settings.get("strict") or not all(file.network for file in manifest.weights):
        raise RemiError(f"{manifest.name}-trt has no plan and no PyTorch fallback. See the line above for the reason")
    tell("The plan could not be built; PyTorch runs the network on the GPU instead.")


def run(command: Sequence[str]) -> int:
    """Run a command and return its exit code; on Ctrl-C, send SIGINT once so that it removes unfinished files."""
    # In a session of its own, so that a terminal's Ctrl-C reaches only this process.
    with subprocess.Popen(command, stdout=sys.stderr, start_new_session=True) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(TIDY_S)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            raise


def planless(file: ModelFile, precision: str, gpu: Gpu) -> str:
    """Why no plan of a model fits this GPU; "" if one does."""
    from remi_stream.runtimes.fastest import choose

    try:
        choose(file, precision, gpu)  # type: ignore[arg-type]
    except RemiError as error:
        return str(error)
    return ""


def tell(*lines: str) -> None:
    """Print lines to stderr, apart from the command's own output."""
    for line in lines:
        print(f"remi-stream: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
