"""Dockerfile.trt: its stages that need neither NVIDIA's nor PyTorch's index are built, the rest of it is read."""

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

OTHER_USER = ("--user", "12345", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
GPU_OPTIONS = "docker run --gpus all (Podman: --device nvidia.com/gpu=all)"
NO_GPU = "remi-stream: pare-trt cannot run here. GPU: this container " + (
    f"cannot access the NVIDIA GPU of the machine. Start it with: {GPU_OPTIONS}\n"
    if has_gpu_on_bus(Path("/"))
    else f"has no NVIDIA GPU. If the machine has one: {GPU_OPTIONS}. If it has none, use: --engine pare\n"
)
TRT, CPU = ((ROOT / f"Dockerfile.{kind}").read_text() for kind in ("trt", "cpu"))
SHARED = r"^RUN mkdir|^(USER|VOLUME|STOPSIGNAL|HEALTHCHECK|CMD) |^WORKDIR /out|^ARG PYTHON"
"""Instructions that must be the same in both images."""


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def test_versions_in_the_dockerfile_fit_each_other() -> None:
    built = dict(re.findall(r"^ARG (\w+)=(\S+)$", TRT, re.MULTILINE))
    assert minor(built["TORCH"]) == minor(built["TORCH_TENSORRT"])
    assert TORCH_TENSORRT_PAIRS[minor(built["TORCH_TENSORRT"])] == minor(built["TENSORRT"])


def test_both_images_have_the_same_interface() -> None:
    cpu, trt = ([line for line in text.splitlines() if re.search(SHARED, line)] for text in (CPU, TRT))
    assert (len(cpu), trt) == (9, cpu)
    (settings,) = re.findall(r"^ENV (.*REMI_HOME.*)$", CPU, re.MULTILINE)
    assert f"ENV {settings} \\" in TRT.splitlines()


@pytest.fixture(scope="module")
def image(storage: Storage) -> Image:
    return storage.build("Dockerfile.trt", "remi-stream:without-gpu", "--target", "without-gpu")


@pytest.fixture(scope="module")
def smpl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stand-in for SMPL under its published names."""
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
@pytest.mark.parametrize("options", [(), OTHER_USER], ids=["as it is", "any user"])
def test_image_reports_a_missing_gpu(options: tuple[str, ...], image: Image) -> None:
    done = image.run("video", "/in/walk.mp4", "--engine", "pare-trt", "--out", "/out/run1", options=options)
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_NOT_STARTED, "", NO_GPU)


@pytest.mark.containers
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_mounted_smpl_is_used_by_any_user_with_nothing_imported(image: Image, smpl: Path, tmp_path: Path) -> None:
    video, out = sample_clip(), tmp_path / "out"
    out.mkdir()
    os.chown(out, 12345, 12345)
    mounts = ["-v", f"{smpl}:/models/smpl:ro", "-v", f"{video}:/input.mp4:ro", "-v", f"{out}:/out"]
    what = ("--format", "pare", "--frames", "9", "--out", "/out/run1")
    done = image.run("video", "/input.mp4", *what, options=[*OTHER_USER, *mounts])
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
    done = image.run("morph", *what, options=[*OTHER_USER, *mounts])
    assert done.returncode == EXIT_DONE, done.stderr
    assert re.fullmatch(r".* warning: OpenGL finds no GPU, only llvmpipe .*\. Drawing on the CPU\n", done.stderr)
    assert len(list(out.rglob("frames/*.png"))) == 3


@pytest.mark.containers
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_image_requests_the_gpu_and_contains_no_build_tools(image: Image) -> None:
    (known,) = json.loads(image.storage.podman("inspect", image.name).stdout)
    settings = dict(each.split("=", 1) for each in known["Config"]["Env"])
    assert settings["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert settings["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility,video,graphics"
    assert known["Config"]["User"] == "1000:1000"
    assert image.run("engines").returncode == EXIT_DONE
    look = "command -v gcc cc make; ls -A /tmp /out /models; find / -xdev -path '*/.cache/pip' 2>/dev/null; exit 0"
    bare = image.run("-c", look, options=["--entrypoint", "/bin/sh"])
    assert bare.stdout.split() == ["/models:", "/out:", "/tmp:"]
