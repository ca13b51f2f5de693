"""The entry point of the GPU image: what a command needs is looked for, taken in and built; then the command is run.

`python -m remi_stream.cli.container COMMAND ...` is `remi-stream COMMAND ...`, but before it starts, every lack is told in one
line: the GPU first, then the folders that were not mounted.
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

if TYPE_CHECKING:  # importing takes time, in which somebody may stop it: all of it is done inside `main`
    from remi_stream.cli.asked import Asked
    from remi_stream.models.manifest import Manifest, ModelFile
    from remi_stream.runtimes.gpu import Gpu

ROOT = Path("/")
TIDY_S = 4.0
"""So long may what is stopped take away what it has half made; Docker kills everything after 10 s."""
COMMAND = str(Path(sysconfig.get_path("scripts")) / "remi-stream")


def main() -> int:
    """Prepare for what was typed, and become it; an exit code only if it cannot be run."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    stop = Stop()
    try:
        from remi_stream.cli.asked import asked_for

        prepare(asked_for(sys.argv[1:]), stop)
        stop.check()
    except (Exception, KeyboardInterrupt) as error:
        if stop.heard:  # also an error of what was interrupted while it was imported
            return STOPPED
        if isinstance(error, PermissionError) and error.filename:  # /models, or what is mounted in it, is closed to this user
            tell(f"Cannot look at {error.filename}: {why_unreadable(Path(error.filename))}")
            return NOT_STARTED
        if not isinstance(error, RemiError):
            raise
        tell(*str(error).splitlines())
        return error.exit_code
    os.execv(COMMAND, [COMMAND, *sys.argv[1:]])


def prepare(asked: Asked, stop: Stop) -> None:
    """Check the GPU, take in what lies in the mounted folders, build missing plans. Raises RemiError."""
    from remi_stream.cli.brought import require_given, take_in, without_body

    gpu = require_gpu(asked.gpu) if asked.gpu else None
    refused = take_in(asked.needed, asked.welcome, tell)
    require_given(asked.needed, refused)
    tell(*without_body(asked.welcome, refused))
    for manifest in asked.planned:
        assert gpu
        stop.check()
        build_plans(manifest, gpu)


def require_gpu(engine: str) -> Gpu:
    """The GPU. Raises RemiError with what `doctor` finds wrong with it, with its driver, or with its memory."""
    from remi_stream.cli import graphics, graphics_checks
    from remi_stream.cli.machine import Machine
    from remi_stream.runtimes.gpu import Gpu

    say = Machine().say
    known = graphics.Graphics(
        engine=engine,
        board=graphics.has_board(ROOT),
        container=True,
        promised=graphics.is_promised(ROOT),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
        driver=graphics.ask_driver(say),
        torch=graphics.ask_torch(say, gpu=False),
    )
    for title, look in {
        "GPU": graphics_checks.gpu,
        "GPU memory": graphics_checks.memory,
        "PyTorch": graphics_checks.torch,
    }.items():
        if (finding := look(known)) and finding.verdict == "fail":
            raise RemiError(f"{engine} cannot run here. {title}: {finding.text}")
    card = known.driver.cards[0]
    return Gpu(card.name, card.capability, known.driver.cuda)


def build_plans(manifest: Manifest, gpu: Gpu) -> None:
    """Build what has no plan that fits this GPU, once. Raises RemiError if it must have one and cannot be built."""
    settings = manifest.runtimes["tensorrt"]
    precision = settings.get("precision", "fp16")
    why = next((fault for file in manifest.weights if (fault := planless(file, precision, gpu))), "")
    if not why:
        return
    tell(f"{why.partition(' Build it')[0]} Building it for {gpu.name}, once; that takes minutes ...")
    if run([COMMAND, "convert", f"{manifest.name}-trt", "--precision", precision]) == 0:
        return
    if settings.get("strict") or not all(file.network for file in manifest.weights):
        raise RemiError(f"{manifest.name}-trt has no plan, and nothing else may run in its place. The line above says why")
    tell("No plan could be built; PyTorch runs the network on the GPU instead.")


def run(command: Sequence[str]) -> int:
    """Run a command to its end; who stops us stops it, too: asked once, so that it takes away what it has half made."""
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
    """Why no plan of a model can be used on this GPU; nothing if one can."""
    from remi_stream.runtimes.fastest import choose

    try:
        choose(file, precision, gpu)  # type: ignore[arg-type]
    except RemiError as error:
        return str(error)
    return ""


def tell(*lines: str) -> None:
    """Say it beside the command's own output."""
    for line in lines:
        print(f"remi-stream: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
