"""Dockerfile.trt as far as it can be built without NVIDIA's and PyTorch's indexes, and what is written in the rest of it."""

from __future__ import annotations

import json
import os
import pickle
import re
import sys
from pathlib import Path

import pytest

from remi_stream.cli.doctor.nvidia import has_gpu_on_bus
from remi_stream.cli.doctor.nvidia_checks import TORCH_TENSORRT_PAIRS
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED
from remi_stream.paths import sample_clip
from tests.containers.image import ROOT, Image, Storage
from tests.morph.meshes import body, write_obj

sys.path.insert(0, str(ROOT / "tools"))

STRANGER = ("--user", "12345", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
GIVEN = "docker run --gpus all (Podman: --device nvidia.com/gpu=all)"
NO_GPU = "remi-stream: pare-trt cannot run here. GPU: this container was not given " + (
    f"the machine's NVIDIA GPU. Start it with: {GIVEN}\n"
    if has_gpu_on_bus(Path("/"))
    else f"an NVIDIA GPU. If the machine has one: {GIVEN}. If it has none, use: --engine pare\n"
)
TRT, CPU = ((ROOT / f"Dockerfile.{kind}").read_text() for kind in ("trt", "cpu"))
ALIKE = r"^RUN mkdir|^(USER|VOLUME|STOPSIGNAL|HEALTHCHECK|CMD) |^WORKDIR /out|^ARG PYTHON"
"""What both images promise those who run them."""


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def test_versions_in_the_dockerfile_fit_each_other() -> None:
    built = dict(re.findall(r"^ARG (\w+)=(\S+)$", TRT, re.MULTILINE))
    assert minor(built["TORCH"]) == minor(built["TORCH_TENSORRT"])
    assert TORCH_TENSORRT_PAIRS[minor(built["TORCH_TENSORRT"])] == minor(built["TENSORRT"])


def test_both_images_promise_the_same() -> None:
    promised, ours = ([line for line in text.splitlines() if re.search(ALIKE, line)] for text in (CPU, TRT))
    assert (len(promised), ours) == (9, promised)
    (settings,) = re.findall(r"^ENV (.*REMI_HOME.*)$", CPU, re.MULTILINE)
    assert f"ENV {settings} \\" in TRT.splitlines()


@pytest.fixture(scope="module")
def image(storage: Storage) -> Image:
    return storage.build("Dockerfile.trt", "remi-stream:without-gpu", "--target", "without-gpu")


@pytest.fixture(scope="module")
def smpl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stand-in for SMPL, as its users have it."""
    from tools.make_weights import MODELS

    folder = tmp_path_factory.mktemp("smpl")
    folder.chmod(0o755)
    for model in ("smpl_neutral", "j_regressor_extra"):
        file, write = MODELS[model]
        write(folder / file, 1)
    return folder


@pytest.mark.containers
@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("options", [(), STRANGER], ids=["as it is", "any user"])
def test_image_says_that_it_was_given_no_gpu(options: tuple[str, ...], image: Image) -> None:
    done = image.run("video", "/in/walk.mp4", "--engine", "pare-trt", "--out", "/out/run1", options=options)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_NOT_STARTED, "", NO_GPU)


@pytest.mark.containers
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mounted_smpl_is_used_by_any_user_with_nothing_imported(image: Image, smpl: Path, tmp_path: Path) -> None:
    film, out = sample_clip(), tmp_path / "out"
    out.mkdir()
    os.chown(out, 12345, 12345)
    mounts = ["-v", f"{smpl}:/models/smpl:ro", "-v", f"{film}:/input.mp4:ro", "-v", f"{out}:/out"]
    what = ("--format", "pare", "--frames", "9", "--out", "/out/run1")
    done = image.run("video", "/input.mp4", *what, options=[*STRANGER, *mounts])
    assert done.returncode == EXIT_DONE, done.stderr
    assert "remi-stream: /models/smpl/SMPL_NEUTRAL.pkl is smpl_neutral" in done.stderr
    (written,) = out.rglob("pare_output.pkl")
    (person,) = pickle.loads(written.read_bytes()).values()
    assert person["verts"].shape == (9, 6890, 3)


@pytest.mark.containers
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_meshes_are_drawn_by_the_cpu_where_opengl_finds_no_gpu(image: Image, tmp_path: Path) -> None:
    folder, out = tmp_path / "meshes", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    os.chown(out, 12345, 12345)
    write_obj(folder / "straight.obj", *body())
    write_obj(folder / "bent.obj", *body(0.5))
    mounts = ["-v", f"{folder}:/in:ro", "-v", f"{out}:/out"]
    what = ("--batch", "/in", "--gpu", "--minimal", "--frames", "3", "--size", "64x64")
    done = image.run("morph", *what, options=[*STRANGER, *mounts])
    assert done.returncode == EXIT_DONE, done.stderr
    assert re.fullmatch(r".* warning: OpenGL finds no GPU, only llvmpipe .*\. Drawing on the CPU\n", done.stderr)
    assert len(list(out.rglob("frames/*.png"))) == 3


@pytest.mark.containers
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_image_asks_for_the_gpu_and_is_bare_besides(image: Image) -> None:
    (known,) = json.loads(image.storage.podman("inspect", image.name).stdout)
    settings = dict(each.split("=", 1) for each in known["Config"]["Env"])
    assert settings["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert settings["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility,video,graphics"
    assert known["Config"]["User"] == "1000:1000"
    assert image.run("engines").returncode == EXIT_DONE
    look = "command -v gcc cc make; ls -A /tmp /out /models; find / -xdev -path '*/.cache/pip' 2>/dev/null; exit 0"
    bare = image.run("-c", look, options=["--entrypoint", "/bin/sh"])
    assert bare.stdout.split() == ["/models:", "/out:", "/tmp:"]
