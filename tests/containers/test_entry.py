"""The GPU image's entry point in processes of its own: a made-up /models, NVML and PyTorch; everything else is real."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from remi_stream.cli.container.entrypoint import CLEANUP_TIMEOUT_S
from remi_stream.cli.container.mounted_weights import import_mounted
from remi_stream.cli.container.requirements import command_requirements
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, EXIT_USAGE, RemiError
from remi_stream.models.manifest import find_model_file
from tests.sinks import nvml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

GPU = nvml.Gpu("NVIDIA GeForce RTX 3060", total=12288 * 2**20, used=1024 * 2**20)
NO_GPU = (
    "remi-stream: pare-trt cannot run here. GPU: this container has no NVIDIA GPU. If the machine has one: "
    "docker run --gpus all (Podman: --device nvidia.com/gpu=all). If it has none, use: --engine pare"
)
FILM = ("video", str(ROOT / "remi_stream/data/sample.mp4"), "--out", "out")
MISTAKEN = ("video", "in.mp4", "--out", "out", "--start", "5", "--end", "1")
"""What the command itself refuses, once it is run."""
RUN = "remi-stream: --end 1 is not after --start 5. Give a later end"
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
    """What the container is given: /models, and what is put before the packages that are installed."""

    models: Path
    site: Path

    def run(self, *arguments: str) -> tuple[int, str, list[str]]:
        """Type a command; gives the exit code, stdout, and stderr's lines with /models for its folder."""
        with self.starting(*arguments) as process:
            out, err = process.communicate()
        return process.returncode, out, err.replace(str(self.models), "/models").splitlines()

    def starting(self, *arguments: str) -> subprocess.Popen[str]:
        """The process of a command that was typed."""
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
        """Give it a GPU that answers, and a PyTorch for CUDA 13."""
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
    """Stand-ins that are quickly made, by their published names."""
    from tools.make_weights import MODELS

    folder = tmp_path_factory.mktemp("made")
    for model in ("smoothnet_w8", "smpl_neutral", "j_regressor_extra", "instanthmr"):
        file, write = MODELS[model]
        write(folder / file, 1)
    return folder


def mount(container: Container, folder: str, **files: Path) -> None:
    """Put files into a mounted folder, by the names that they have there ("_" for ".")."""
    (container.models / folder).mkdir(exist_ok=True)
    for name, file in files.items():
        shutil.copy(file, container.models / folder / name.replace("__", "."))


BLAZEPOSE = {"pose_detection", "pose_landmark_full"}
MESH = {"smpl_neutral", "j_regressor_extra"}
ASKED: dict[str, tuple[str, list[str], set[str]]] = {
    "": ("", [], set()),
    "engines": ("", [], set()),
    "doctor --engine pare-trt": ("", [], set()),
    "--help": ("", [], set()),
    "video --help": ("", [], set()),
    "video in.mp4 --engine pare-trt --nope": ("", [], set()),
    "video in.mp4 --engine nobody-trt": ("", [], set()),
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


@pytest.mark.parametrize("line", ASKED)
def test_what_a_command_asks_for_is_known_before_it_runs(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    asked = command_requirements(line.format(file=tmp_path / "pipeline.yaml").split())
    found = asked.gpu_engine, [manifest.name for manifest in asked.tensorrt_engines], {file.name for file in asked.required_files}
    assert found == ASKED[line]


@pytest.mark.parametrize("line", ["export rec --to npz", "morph a.obj b.obj", "evaluate a b", "view", "video in.mp4 --out o"])
def test_body_is_welcome_to_whatever_draws_or_measures_people(line: str) -> None:
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


TROUBLES: dict[str, tuple[nvml.Gpu, dict[str, Any], str]] = {
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


@pytest.mark.parametrize("trouble", TROUBLES)
def test_gpu_that_cannot_be_used_is_reported_in_one_line_before_anything_else(trouble: str, container: Container) -> None:
    gpu, more, line = TROUBLES[trouble]
    container.has_gpu(gpu, **more)
    assert container.run(*FILM, "--engine", "pare-trt", "--format", "pare") == (EXIT_NOT_STARTED, "", [line])


def test_every_missing_mount_is_reported_in_a_line_of_its_own(container: Container) -> None:
    container.has_gpu()
    code, out, err = container.run(*FILM, "--engine", "pare-trt", "--smooth", "smoothnet", "--format", "pare")
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


def test_folder_without_smpl_is_reported_and_the_open_body_used(container: Container) -> None:
    mount(container, "smpl")
    (container.models / "smpl").mkdir(exist_ok=True)
    (container.models / "smpl/readme.txt").touch()
    _, _, err = container.run(*MISTAKEN)
    assert err == [
        "remi-stream: No SMPL model in /models/smpl; using the default body: no file in it is SMPL. "
        "Expected: SMPL_NEUTRAL.pkl, from https://smpl.is.tue.mpg.de",
        RUN,
    ]


def test_mounted_files_are_taken_in_once_whatever_they_are_called(container: Container, made: Path) -> None:
    mount(container, "smpl", body__pkl=made / "SMPL_NEUTRAL.pkl", J_regressor_extra__npy=made / "J_regressor_extra.npy")
    mount(container, "checkpoints", smooth__tar=made / "checkpoint_8.pth.tar", other__onnx=made / "instanthmr.onnx")
    asks = (*MISTAKEN, "--smooth", "smoothnet", "--window", "8", "--format", "pare")
    code, _, err = container.run(*asks)
    once = "it was copied into /models, once."
    assert err == [
        f"remi-stream: /models/smpl/J_regressor_extra.npy is j_regressor_extra (licence: non-commercial research (MPI)); {once}",
        f"remi-stream: /models/smpl/body.pkl is smpl_neutral (licence: non-commercial research (SMPL, MPI)); {once}",
        f"remi-stream: /models/checkpoints/smooth.tar is smoothnet_w8 (licence: Apache-2.0); {once}",
        RUN,
    ]
    assert code == EXIT_USAGE
    assert container.stored() == {"J_regressor_extra.npy", "smpl_neutral.npz", "checkpoint_8.pth.tar"}
    assert container.run(*asks)[2] == [RUN]


def test_body_is_taken_in_for_an_engine_that_can_do_without(container: Container, made: Path) -> None:
    mount(container, "smpl", SMPL_NEUTRAL__pkl=made / "SMPL_NEUTRAL.pkl", SMPL_MALE__pkl=made / "SMPL_NEUTRAL.pkl")
    assert container.run(*MISTAKEN)[2][1:] == [RUN]
    assert container.stored() == {"smpl_neutral.npz"}
    assert container.run(*MISTAKEN)[2] == [RUN]


def test_file_that_was_not_wanted_is_taken_in_when_it_is(container: Container, made: Path) -> None:
    mount(container, "checkpoints", net__onnx=made / "instanthmr.onnx")
    assert container.run(*MISTAKEN, "--format", "pare")[0] == EXIT_NOT_STARTED
    assert not container.stored()
    assert container.run(*MISTAKEN, "--engine", "instanthmr")[2][1:] == [RUN]
    assert container.stored() == {"instanthmr.onnx"}


def test_file_is_looked_at_again_only_if_it_has_changed_or_is_needed(container: Container, made: Path) -> None:
    mount(container, "smpl", SMPL_NEUTRAL__pkl=made / "SMPL_NEUTRAL.pkl", J_regressor_extra__npy=made / "J_regressor_extra.npy")
    file = container.models / "smpl/J_regressor_extra.npy"
    status = file.stat()
    file.write_bytes(bytes(status.st_size))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    container.run(*MISTAKEN)
    shutil.copy(made / file.name, file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert container.run(*MISTAKEN)[2] == [RUN]
    assert container.run(*MISTAKEN, "--format", "pare")[2][1:] == [RUN]
    assert container.stored() == {"smpl_neutral.npz", "J_regressor_extra.npy"}


def test_searched_folders_are_reported_with_what_is_missing(container: Container, made: Path) -> None:
    container.has_gpu()
    mount(container, "checkpoints", pare_checkpoint__ckpt=ROOT / "README.md")
    mount(container, "smpl", SMPL_MALE__pkl=made / "SMPL_NEUTRAL.pkl")
    for _ in range(2):
        code, _, err = container.run(*FILM, "--engine", "pare-trt")
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
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # PyTorch would not find that GPU
    container.has_gpu()
    mount(container, "checkpoints", instanthmr__onnx=made / "instanthmr.onnx")
    code, out, err = container.run(*FILM, "--engine", "instanthmr-trt")
    last = "remi-stream: instanthmr-trt needs an NVIDIA GPU, and CUDA_VISIBLE_DEVICES hides every GPU. Without one: instanthmr-ov"
    assert (code, out, len(err)) == (EXIT_NOT_STARTED, "", 4)
    assert err[1] == (
        "remi-stream: There is no plan of instanthmr for TensorRT. Building it for NVIDIA GeForce RTX 3060, once; "
        "this takes minutes ..."
    )
    assert err[2].startswith("instanthmr: /models/cache/plans/instanthmr-fp32-b8-")
    assert err[3] == last
    assert container.run(*FILM, "--engine", "instanthmr-trt")[2] == [last]


@pytest.mark.parametrize("strict", [True, False])
def test_plan_that_cannot_be_built_ends_the_command_only_if_nothing_may_run_instead(strict: bool, container: Container) -> None:
    container.has_gpu()
    (container.site / "tensorrt_rtx.py").write_text("raise ImportError('broken')")
    (container.models / "engines").mkdir()
    (container.models / "engines/toy.toml").write_text(TOY.format(strict=str(strict).lower()))
    (container.models / "engines/toy.pt").write_text("weights")
    code, _, err = container.run(*MISTAKEN, "--engine", "toy-trt")
    assert err[1].startswith("remi-stream: tensorrt_rtx does not start: broken")
    if strict:
        assert (code, err[2:]) == (
            EXIT_NOT_STARTED,
            ["remi-stream: toy-trt has no plan and no PyTorch fallback. See the line above for the reason"],
        )
    else:
        instead = "remi-stream: The plan could not be built; PyTorch runs the network on the GPU instead."
        assert (code, err[2:]) == (EXIT_USAGE, [instead, RUN])


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
"""A TensorRT that is long at work; interrupted, it takes away what it has half made, or fails otherwise, or hears nothing."""


@pytest.mark.parametrize("kind", ["tidy", "confused", "stubborn"])
def test_stopped_while_a_plan_is_built_it_ends_soon_and_leaves_nothing(kind: str, container: Container) -> None:
    container.has_gpu()
    making = container.models / "making"
    (container.site / "tensorrt_rtx.py").write_text(MAKING.format(folder=str(container.models), kind=kind))
    (container.models / "engines").mkdir()
    (container.models / "engines/toy.toml").write_text(TOY.format(strict="true"))
    (container.models / "engines/toy.pt").write_text("weights")
    with container.starting(*MISTAKEN, "--engine", "toy-trt") as process:
        until(lambda: making.exists() and making.read_text())
        builder = int(making.read_text())
        ended_s, err = stopped(process)
        assert process.returncode == 128 + signal.SIGINT
    assert ended_s < CLEANUP_TIMEOUT_S + 2 if kind == "stubborn" else ended_s < CLEANUP_TIMEOUT_S
    assert (making.exists(), Path(f"/proc/{builder}").exists()) == (kind == "stubborn", False)
    assert [line for line in err if line] == [err[0]], "that a plan is built, once"
    assert "Building it for NVIDIA GeForce RTX 3060" in err[0]


def test_stopped_while_a_mounted_file_is_taken_in_it_leaves_no_part_of_it(container: Container, made: Path) -> None:
    mount(container, "smpl", SMPL_NEUTRAL__pkl=made / "SMPL_NEUTRAL.pkl")
    store = container.models / "models"
    with container.starting(*MISTAKEN) as process:
        until(lambda: list(store.glob(".pull-*")))
        ended_s, err = stopped(process)
        assert (process.returncode, err) == (128 + signal.SIGINT, [])
    assert ended_s < 3
    assert not container.stored()
    assert [path.name for path in store.iterdir()] == [".lock"]
    assert container.run(*MISTAKEN)[2][1:] == [RUN]
    assert container.stored() == {"smpl_neutral.npz"}


@pytest.mark.parametrize(
    "program", ["remi_stream.cli.container.entrypoint", "bin/remi-stream"], ids=["the entry point", "the command"]
)
def test_stopped_while_its_modules_are_imported_it_says_nothing(program: str, container: Container) -> None:
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
"""What msgspec's C code does when it is interrupted while it imports something."""


def test_stop_that_a_library_swallows_is_heard_all_the_same(container: Container) -> None:
    (container.site / "msgspec.py").write_text(SWALLOWS.format(folder=str(container.site)))
    assert container.run("engines") == (128 + signal.SIGINT, "", [])


def until(condition: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Look again and again."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def stopped(process: subprocess.Popen[str]) -> tuple[float, list[str]]:
    """Stop it as `docker stop` does: process 1 alone hears of it. How long that took, s, and what it had said."""
    begun_at = time.monotonic()
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=30)[1]
    return time.monotonic() - begun_at, err.splitlines()


def as_user(uid: int, call: Callable[[], object]) -> str:
    """What a call raises in a process of this user's."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgid(uid)
            os.setuid(uid)
            call()
        except RemiError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as said:
        return said.read()


@pytest.fixture
def foreign(made: Path) -> Iterator[Path]:
    """A folder with SMPL in it that other users can see and not write."""
    folder = Path("/tmp") / f"remi-foreign-{os.getpid()}"
    (folder / "smpl").mkdir(parents=True)
    shutil.copy(made / "J_regressor_extra.npy", folder / "smpl")
    folder.chmod(0o555)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user, as whom only root can act")
def test_models_folder_of_another_user_is_reported_with_both_users(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(foreign))
    monkeypatch.setenv("container", "oci")
    wanted = [find_model_file("j_regressor_extra")]
    said = as_user(12345, lambda: import_mounted(wanted, [], print))
    assert said.startswith(
        f"The model store cannot be written: {foreign} belongs to user 0, and this is user 12345. Make the folder"
    )
