"""The GPU image's entry point in processes of its own: fake /models, NVML and PyTorch; everything else is real."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from remi_stream.cli.container.entrypoint import CLEANUP_TIMEOUT_S
from remi_stream.cli.container.requirements import command_requirements
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, EXIT_USAGE
from tests.sinks import nvml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

GPU = nvml.Gpu("NVIDIA GeForce RTX 3060", total=12288 * 2**20, used=1024 * 2**20)
NO_GPU = (
    "remi-stream: pare-trt cannot run here. GPU: this container has no NVIDIA GPU. If the machine has one: "
    "docker run --gpus all (Podman: --device nvidia.com/gpu=all). If it has none, use: --engine pare"
)
VIDEO = ("video", str(ROOT / "remi_stream/data/sample.mp4"), "--out", "out")
INVALID = ("video", "in.mp4", "--out", "out", "--start", "5", "--end", "1")
"""A command line that only the command itself rejects."""
INVALID_LINE = "remi-stream: --end 1 is not after --start 5. Give a later end"
TOY = """
what = "A toy."
adapter = "pare"
licence = "none"
skeleton = "smpl24"
runtime = "tensorrt"
[runtimes.tensorrt]
strict = {strict}
[[weights]]
name = "toy"
file = "toy.pt"
network = "pare"
licence = "none"
"""


class Container(NamedTuple):
    """A fake container. models: its /models. site: folder of fake packages before the installed ones."""

    models: Path
    site: Path

    def run(self, *arguments: str) -> tuple[int, str, list[str]]:
        """Run a command; return the exit code, stdout, and the lines of stderr with /models for its folder."""
        with self.starting(*arguments) as process:
            out, err = process.communicate()
        return process.returncode, out, err.replace(str(self.models), "/models").splitlines()

    def starting(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command."""
        path = f"{self.site}:{os.environ['PATH']}"
        image = {"REMI_HOME": str(self.models), "NVIDIA_VISIBLE_DEVICES": "all", "container": "oci"}
        return subprocess.Popen(
            [sys.executable, "-m", "remi_stream.cli.container.entrypoint", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.models.parent,
            env={**os.environ, **image, "PYTHONPATH": str(self.site), "PATH": path},
        )

    def has_gpu(self, gpu: nvml.Gpu = GPU, **more: Any) -> None:
        """Add a fake GPU, and a fake PyTorch for CUDA 13."""
        nvml.write_module(self.site, gpu, **{"version": "580.95.05", "cuda": 13000, **more})
        info = self.site / "torch-2.13.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.13.0\n")
        (self.site / "torch").mkdir()
        (self.site / "torch/version.py").write_text("cuda = '13.0'\n")

    def stored(self) -> set[str]:
        """The files of the store."""
        return {path.name for path in (self.models / "models").glob("[!.]*") if path.suffix != ".json"}


@pytest.fixture
def container(tmp_path: Path) -> Container:
    made = Container(tmp_path / "volume", tmp_path / "site")
    made.models.mkdir()
    made.site.mkdir()
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of small stand-ins under their published names."""
    from tools.make_weights import MODELS

    folder = tmp_path_factory.mktemp("made")
    for model in ("smoothnet_w8", "smpl_neutral", "j_regressor_extra", "instanthmr"):
        file, write = MODELS[model]
        write(folder / file, 1)
    return folder


def mount(container: Container, folder: str, **files: Path) -> None:
    """Put files into a mounted folder, under these names ("__" for ".")."""
    (container.models / folder).mkdir(exist_ok=True)
    for name, file in files.items():
        shutil.copy(file, container.models / folder / name.replace("__", "."))


BLAZEPOSE = {"pose_detection", "pose_landmark_full"}
MESH = {"smpl_neutral", "j_regressor_extra"}
REQUIREMENTS: dict[str, tuple[str, list[str], set[str]]] = {
    "": ("", [], set()),
    "engines": ("", [], set()),
    "doctor --engine pare-trt": ("", [], set()),
    "--help": ("", [], set()),
    "video --help": ("", [], set()),
    "video in.mp4 --engine pare-trt --nope": ("", [], set()),
    "video in.mp4 --engine nothing-trt": ("", [], set()),
    "vidoe in.mp4 --engine pare-trt": ("", [], set()),
    "video in.mp4 --out o": ("", [], BLAZEPOSE),
    "video in.mp4 --engine pare --out o": ("", [], {"pose_detection", "pare"}),
    "video in.mp4 --engine pare-trt --out o": ("pare-trt", ["pare"], {"pose_detection", "pare"}),
    "video in.mp4 --engine pare-trt --detector yolov3": ("pare-trt", ["pare"], {"yolov3", "pare"}),
    "video in.mp4 --smooth smoothnet": ("", [], BLAZEPOSE | {"smoothnet_w32"}),
    "video in.mp4 --smooth smoothnet --window 8": ("", [], BLAZEPOSE | {"smoothnet_w8"}),
    "video in.mp4 --smooth smoothnet --smooth-weights own.tar": ("", [], BLAZEPOSE),
    "video in.mp4 --smooth one-euro --format csv,bvh": ("", [], BLAZEPOSE),
    "video in.mp4 --format csv,pare --format mp4": ("", [], BLAZEPOSE | MESH),
    "images in --engine poco-trt --format poco": ("poco-trt", ["poco"], {"pose_detection", "poco_cliff"} | MESH),
    "webcam --engine poco-pare-trt --filter smoothnet": (
        "poco-pare-trt",
        ["poco-pare"],
        {"pose_detection", "poco_pare", "smoothnet_w32"},
    ),
    "rtsp rtsp://a/b --engine alphapose-trt": ("alphapose-trt", ["alphapose"], {"pose_detection", "alphapose_halpe136"}),
    "demo --engine synthetic --detector synthetic": ("", [], set()),
    "bench poco-trt": ("poco-trt", ["poco"], {"pose_detection", "poco_cliff"}),
    "bench --engine blazepose": ("", [], BLAZEPOSE),
    "run {file}": ("instanthmr-trt", ["instanthmr"], {"pose_detection", "instanthmr", "pare"}),
    "run {file} --filter smoothnet": (
        "instanthmr-trt",
        ["instanthmr"],
        {"pose_detection", "instanthmr", "pare", "smoothnet_w32"},
    ),
    "run gone.yaml": ("", [], set()),
    "convert pare-trt": ("pare-trt", [], {"pare"}),
    "convert pare-trt --compute-capability 8.9": ("", [], {"pare"}),
    "convert pare": ("", [], {"pare"}),
    "export recording --to pare": ("", [], MESH),
    "export recording --to bvh": ("", [], set()),
    "lift in.npz --out o": ("", [], {"videopose3d"}),
    "lift in.npz --out o --causal": ("", [], {"videopose3d_causal"}),
}
PIPELINE = """
cameras:
  - {name: one, source: 'synthetic:', engine: instanthmr-trt}
  - {name: two, source: 'synthetic:', engine: pare-torch}
filter_options: {min_cutoff: 1}
"""


@pytest.mark.parametrize("line", REQUIREMENTS)
def test_requirements_of_a_command_are_known_before_it_runs(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    needs = command_requirements(line.format(file=tmp_path / "pipeline.yaml").split())
    found = needs.gpu_engine, [manifest.name for manifest in needs.tensorrt_engines], {file.name for file in needs.required_files}
    assert found == REQUIREMENTS[line]


@pytest.mark.parametrize("line", ["export rec --to npz", "morph a.obj b.obj", "evaluate a b", "view", "video in.mp4 --out o"])
def test_smpl_is_optional_for_commands_that_draw_or_measure_people(line: str) -> None:
    assert "smpl_neutral" in {file.name for file in command_requirements(line.split()).optional_files}


@pytest.mark.parametrize(
    ("line", "code", "word"),
    [
        ("--version", EXIT_DONE, "remi-stream "),
        ("engines", EXIT_DONE, "pare"),
        ("video --help", EXIT_DONE, "--engine"),
        ("vidoe", EXIT_USAGE, ""),
    ],
)
def test_command_that_needs_nothing_is_run_without_a_gpu(line: str, code: int, word: str, container: Container) -> None:
    ended, out, err = container.run(*line.split())
    assert (ended, word in out) == (code, True)
    assert len(err) == (0 if code == EXIT_DONE else 1)
    assert code == EXIT_DONE or err[0].startswith("remi-stream: No such command 'vidoe'.")
    assert not list(container.models.iterdir())


PROBLEMS: dict[str, tuple[nvml.Gpu, dict[str, Any], str]] = {
    "no --gpus": (GPU, {"fault": nvml.LIBRARY_NOT_FOUND}, NO_GPU),
    "a driver that does not answer": (
        GPU,
        {"fault": "Unknown Error"},
        "remi-stream: pare-trt cannot run here. GPU: the NVIDIA driver does not answer: Failed to initialize NVML: Unknown "
        "Error. Start the container again; if that does not help, restart the machine",
    ),
    "an old driver": (
        GPU,
        {"version": "550.54.14", "cuda": 12040},
        "remi-stream: pare-trt cannot run here. PyTorch: 2.13.0 for CUDA 13.0, but driver 550.54.14 runs CUDA up to 12.4. "
        "Install driver 580 or newer on the machine around this container: sudo ubuntu-drivers install, "
        "or build the image for CUDA 12: see docs/operate/containers.md for the --build-arg",
    ),
    "a full GPU": (
        GPU._replace(used=11264 * 2**20),
        {},
        "remi-stream: pare-trt cannot run here. GPU memory: 1.1 of 12.9 GB free; a network needs about 2 GB. "
        "Stop other programs that use the GPU; nvidia-smi lists them",
    ),
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_unusable_gpu_is_reported_in_one_line_before_anything_else(problem: str, container: Container) -> None:
    gpu, more, line = PROBLEMS[problem]
    container.has_gpu(gpu, **more)
    assert container.run(*VIDEO, "--engine", "pare-trt", "--format", "pare") == (EXIT_NOT_STARTED, "", [line])


def test_every_missing_mount_is_reported_in_a_line_of_its_own(container: Container) -> None:
    container.has_gpu()
    code, out, err = container.run(*VIDEO, "--engine", "pare-trt", "--smooth", "smoothnet", "--format", "pare")
    mpi, smpl = "non-commercial research (MPI)", "non-commercial research (SMPL, MPI)"
    assert (code, out) == (EXIT_NOT_STARTED, "")
    assert err == [
        f"remi-stream: pare is missing: pare_checkpoint.ckpt (licence: {mpi}). Get it from https://pare.is.tue.mpg.de, "
        "and mount its folder: -v FOLDER:/models/checkpoints:ro",
        "remi-stream: smoothnet_w32 is missing: checkpoint_32.pth.tar (licence: Apache-2.0). "
        "Get it from https://github.com/cure-lab/SmoothNet, and mount its folder: -v FOLDER:/models/checkpoints:ro",
        f"remi-stream: smpl_neutral is missing: SMPL_NEUTRAL.pkl (licence: {smpl}). Get it from https://smpl.is.tue.mpg.de, "
        "and mount its folder: -v FOLDER:/models/smpl:ro",
        f"remi-stream: j_regressor_extra is missing: J_regressor_extra.npy (licence: {mpi}). Get it from "
        "https://pare.is.tue.mpg.de, and mount its folder: -v FOLDER:/models/smpl:ro",
    ]


def test_folder_without_smpl_is_reported_and_the_default_body_used(container: Container) -> None:
    mount(container, "smpl")
    (container.models / "smpl").mkdir(exist_ok=True)
    (container.models / "smpl/readme.txt").touch()
    _, _, err = container.run(*INVALID)
    assert err == [
        "remi-stream: No SMPL model in /models/smpl; using the default body: no file in it is SMPL. "
        "Expected: SMPL_NEUTRAL.pkl, from https://smpl.is.tue.mpg.de",
        INVALID_LINE,
    ]


def test_mounted_files_are_imported_once_whatever_their_names(container: Container, made: Path) -> None:
    mount(container, "smpl", body__pkl=made / "SMPL_NEUTRAL.pkl", J_regressor_extra__npy=made / "J_regressor_extra.npy")
    mount(container, "checkpoints", smooth__tar=made / "checkpoint_8.pth.tar", other__onnx=made / "instanthmr.onnx")
    asks = (*INVALID, "--smooth", "smoothnet", "--window", "8", "--format", "pare")
    code, _, err = container.run(*asks)
    once = "it was copied into /models, once."
    assert err == [
        f"remi-stream: /models/smpl/J_regressor_extra.npy is j_regressor_extra (licence: non-commercial research (MPI)); {once}",
        f"remi-stream: /models/smpl/body.pkl is smpl_neutral (licence: non-commercial research (SMPL, MPI)); {once}",
        f"remi-stream: /models/checkpoints/smooth.tar is smoothnet_w8 (licence: Apache-2.0); {once}",
        INVALID_LINE,
    ]
    assert code == EXIT_USAGE
    assert container.stored() == {"J_regressor_extra.npy", "smpl_neutral.npz", "checkpoint_8.pth.tar"}
    assert container.run(*asks)[2] == [INVALID_LINE]


def test_optional_body_is_imported(container: Container, made: Path) -> None:
    mount(container, "smpl", SMPL_NEUTRAL__pkl=made / "SMPL_NEUTRAL.pkl", SMPL_MALE__pkl=made / "SMPL_NEUTRAL.pkl")
    assert container.run(*INVALID)[2][1:] == [INVALID_LINE]
    assert container.stored() == {"smpl_neutral.npz"}
    assert container.run(*INVALID)[2] == [INVALID_LINE]


def test_file_is_imported_only_by_a_command_that_needs_it(container: Container, made: Path) -> None:
    mount(container, "checkpoints", net__onnx=made / "instanthmr.onnx")
    assert container.run(*INVALID, "--format", "pare")[0] == EXIT_NOT_STARTED
    assert not container.stored()
    assert container.run(*INVALID, "--engine", "instanthmr")[2][1:] == [INVALID_LINE]
    assert container.stored() == {"instanthmr.onnx"}


def test_file_is_inspected_again_only_if_it_has_changed_or_is_required(container: Container, made: Path) -> None:
    mount(container, "smpl", SMPL_NEUTRAL__pkl=made / "SMPL_NEUTRAL.pkl", J_regressor_extra__npy=made / "J_regressor_extra.npy")
    file = container.models / "smpl/J_regressor_extra.npy"
    status = file.stat()
    file.write_bytes(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    container.run(*INVALID)
    shutil.copy(made / file.name, file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert container.run(*INVALID)[2] == [INVALID_LINE]
    assert container.run(*INVALID, "--format", "pare")[2][1:] == [INVALID_LINE]
    assert container.stored() == {"smpl_neutral.npz", "J_regressor_extra.npy"}


def test_searched_folders_are_reported_with_what_is_missing(container: Container, made: Path) -> None:
    container.has_gpu()
    mount(container, "checkpoints", pare_checkpoint__ckpt=ROOT / "README.md")
    mount(container, "smpl", SMPL_MALE__pkl=made / "SMPL_NEUTRAL.pkl")
    for _ in range(2):
        code, _, err = container.run(*VIDEO, "--engine", "pare-trt")
        assert (code, err[1:]) == (
            EXIT_NOT_STARTED,
            [
                "remi-stream: /models/checkpoints was searched: pare_checkpoint.ckpt is not a known model. "
                "List what can be imported: remi-stream models",
                "remi-stream: /models/smpl was searched: SMPL_MALE.pkl seems to be the male or female SMPL; "
                "engines use the neutral one. To use it: --as smpl_neutral",
            ],
        )
        assert err[0].startswith("remi-stream: pare is missing: ")


@pytest.mark.rtx
def test_plan_is_built_before_the_command_is_run_and_only_once(
    container: Container, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # the real PyTorch would not find the fake GPU
    container.has_gpu()
    mount(container, "checkpoints", instanthmr__onnx=made / "instanthmr.onnx")
    code, out, err = container.run(*VIDEO, "--engine", "instanthmr-trt")
    last = "remi-stream: instanthmr-trt needs an NVIDIA GPU, and CUDA_VISIBLE_DEVICES hides every GPU. Without one: instanthmr-ov"
    assert (code, out, len(err)) == (EXIT_NOT_STARTED, "", 4)
    assert err[1] == (
        "remi-stream: There is no plan of instanthmr for TensorRT. Building it for NVIDIA GeForce RTX 3060, once; "
        "this takes minutes ..."
    )
    assert err[2].startswith("instanthmr: /models/cache/plans/instanthmr-fp32-b8-")
    assert err[3] == last
    assert container.run(*VIDEO, "--engine", "instanthmr-trt")[2] == [last]


@pytest.mark.parametrize("strict", [True, False])
def test_failed_plan_build_ends_the_command_only_without_a_fallback(strict: bool, container: Container) -> None:
    container.has_gpu()
    (container.site / "tensorrt_rtx.py").write_text("raise ImportError('broken')")
    (container.models / "engines").mkdir()
    (container.models / "engines/toy.toml").write_text(TOY.format(strict=str(strict).lower()))
    (container.models / "engines/toy.pt").write_text("weights")
    code, _, err = container.run(*INVALID, "--engine", "toy-trt")
    assert err[1].startswith("remi-stream: tensorrt_rtx does not start: broken")
    if strict:
        assert (code, err[2:]) == (
            EXIT_NOT_STARTED,
            ["remi-stream: toy-trt has no plan and no PyTorch fallback. See the line above for the reason"],
        )
    else:
        instead = "remi-stream: The plan could not be built; PyTorch runs the network on the GPU instead."
        assert (code, err[2:]) == (EXIT_USAGE, [instead, INVALID_LINE])


MAKING = """
import os, pathlib, signal, time
making = pathlib.Path({folder!r}, "making")
making.write_text(str(os.getpid()))
{kind!r} == "stubborn" and signal.signal(signal.SIGINT, signal.SIG_IGN)
try:
    time.sleep(60)
except KeyboardInterrupt:
    {kind!r} == "confused" and pathlib.no_such_name
    raise
finally:
    making.unlink()
"""
"""A fake TensorRT with a long build. On SIGINT it cleans up (tidy), raises another error (confused) or ignores it (stubborn)."""


@pytest.mark.parametrize("kind", ["tidy", "confused", "stubborn"])
def test_interrupted_plan_build_ends_soon_and_leaves_nothing(kind: str, container: Container) -> None:
    container.has_gpu()
    making = container.models / "making"
    (container.site / "tensorrt_rtx.py").write_text(MAKING.format(folder=str(container.models), kind=kind))
    (container.models / "engines").mkdir()
    (container.models / "engines/toy.toml").write_text(TOY.format(strict="true"))
    (container.models / "engines/toy.pt").write_text("weights")
    with container.starting(*INVALID, "--engine", "toy-trt") as process:
        until(lambda: making.exists() and making.read_text())
        builder = int(making.read_text())
        ended_s, err = stopped(process)
        assert process.returncode == 128 + signal.SIGINT
    assert ended_s < CLEANUP_TIMEOUT_S + 2 if kind == "stubborn" else ended_s < CLEANUP_TIMEOUT_S
    assert (making.exists(), Path(f"/proc/{builder}").exists()) == (kind == "stubborn", False)
    assert [line for line in err if line] == [err[0]], "only that a plan is built, once"
    assert "Building it for NVIDIA GeForce RTX 3060" in err[0]


def test_interrupted_import_of_a_mounted_file_leaves_nothing(container: Container, made: Path) -> None:
    mount(container, "smpl", SMPL_NEUTRAL__pkl=made / "SMPL_NEUTRAL.pkl")
    store = container.models / "models"
    with container.starting(*INVALID) as process:
        until(lambda: list(store.glob(".pull-*")))
        ended_s, err = stopped(process)
        assert (process.returncode, err) == (128 + signal.SIGINT, [])
    assert ended_s < 3
    assert not container.stored()
    assert [path.name for path in store.iterdir()] == [".lock"]
    assert container.run(*INVALID)[2][1:] == [INVALID_LINE]
    assert container.stored() == {"smpl_neutral.npz"}


@pytest.mark.parametrize(
    "program", ["remi_stream.cli.container.entrypoint", "bin/remi-stream"], ids=["the entry point", "the command"]
)
def test_interrupted_module_import_prints_nothing(program: str, container: Container) -> None:
    with container.starting("engines") as process:
        proc = Path(f"/proc/{process.pid}")
        until(lambda: program in (proc / "cmdline").read_text() and "msgspec" in (proc / "maps").read_text())
        ended_s, err = stopped(process)
        assert (process.returncode, err) == (128 + signal.SIGINT, [])
    assert ended_s < 3


SWALLOWS = """
import signal, sys
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    pass
del sys.modules["msgspec"]
sys.path.remove({folder!r})
import msgspec
"""
"""As msgspec's C code, which swallows a KeyboardInterrupt during its imports."""


def test_sigint_swallowed_by_a_library_still_ends_the_command(container: Container) -> None:
    (container.site / "msgspec.py").write_text(SWALLOWS.format(folder=str(container.site)))
    assert container.run("engines") == (128 + signal.SIGINT, "", [])


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait until the condition holds."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not within {timeout_s} s"
        time.sleep(0.002)


def stopped(process: subprocess.Popen[str]) -> tuple[float, list[str]]:
    """Send SIGINT to process 1 only, as `docker stop` does; return the duration, s, and the lines of stderr."""
    begun_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=30)[1]
    return time.monotonic() - begun_at, err.splitlines()
