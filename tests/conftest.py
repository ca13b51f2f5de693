"""Tests that need a part which is not Python (a Prometheus, an RTSP server) skip without it, unless REMI_REQUIRE names it."""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hypothesis
import pytest

from tests.v4l2.virtual import kernel

hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")

PARTS = {
    "prometheus": ("prometheus", "promtool"),
    "rtsp": ("/usr/bin/python3", "gst-rtsp-server"),
    "browser": ("chromium", "node", "npm"),
    "screen": ("Xvfb", "xdotool"),
    "egl": ("OpenGL without a screen",),
    "rtx": ("TensorRT-RTX",),
    "smplx": ("the package smplx",),
    "gpu": ("an NVIDIA GPU",),
    "aitviewer": ("aitviewer in .venv-aitviewer",),
    "containers": ("buildah", "podman", "runc", "mmdebstrap", "root"),
    "nginx": ("nginx", "openssl"),
    "v4l2": ("qemu-system-x86_64", "busybox", "a Linux with vivid"),
}
"""Marker: the programs that it stands for."""

GSTREAMER = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
GPU = "from remi_stream.inference.gpu import find_gpu; find_gpu(); import torch; raise SystemExit(not torch.cuda.is_available())"
AITVIEWER = Path(__file__).parents[1] / ".venv-aitviewer"
FINDS_AITVIEWER = "import importlib.util; assert importlib.util.find_spec('aitviewer')"
EGL = "import moderngl; moderngl.create_standalone_context(backend='egl')"
PACKAGES = {
    "egl": "libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri",
    "screen": "xvfb xdotool",
    "v4l2": "qemu-system-x86 busybox-static linux-image-amd64",
    "browser": "chromium nodejs npm",
    "nginx": "nginx-light openssl",
    "containers": "buildah podman runc mmdebstrap; be root",
    "rtsp": "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-rtsp gstreamer1.0-plugins-{base,good,bad,ugly}",
}
"""What to install, where it is not called like the marker."""
INSTALL = {
    "rtx": "pip install -e '.[rtx]'",
    "smplx": "pip install -e '.[smplx]'; for non-commercial use only",
    "gpu": "its driver, and a PyTorch with CUDA; see: remi-stream doctor",
    "aitviewer": "python3.11 -m venv .venv-aitviewer; .venv-aitviewer/bin/pip install torch==2.13.0 -e '.[aitviewer]'",
}
"""How, where it is no package of Debian."""


def require(part: str) -> None:
    """Skip the running test when a program of this part is missing; fail it when REMI_REQUIRE names the part."""
    missing = [program for program in PARTS[part] if not _is_there(program)]
    if not missing:
        return
    install = INSTALL.get(part) or f"Debian: apt-get install {PACKAGES.get(part, part)}"
    why = f"needs {' and '.join(missing)} ({install})"
    if part in os.environ.get("REMI_REQUIRE", "").split(","):
        pytest.fail(f"REMI_REQUIRE names {part}: {why}", pytrace=False)
    pytest.skip(why)


@functools.cache
def _is_there(program: str) -> bool:
    if program == "gst-rtsp-server":
        return _succeeds("/usr/bin/python3", GSTREAMER)
    if program == "OpenGL without a screen":
        return _succeeds(sys.executable, EGL)
    if program == "the package smplx":
        return importlib.util.find_spec("smplx") is not None
    if program == "TensorRT-RTX":
        return importlib.util.find_spec("tensorrt_rtx") is not None
    if program == "an NVIDIA GPU":
        return _succeeds(sys.executable, GPU)
    if program == "aitviewer in .venv-aitviewer":
        return (AITVIEWER / "bin" / "remi-stream").exists() and _succeeds(str(AITVIEWER / "bin" / "python"), FINDS_AITVIEWER)
    if program == "root":
        return os.geteuid() == 0
    if program == "a Linux with vivid":
        return kernel() != ""
    return shutil.which(program) is not None


def _succeeds(python: str, code: str) -> bool:
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def pytest_configure(config: pytest.Config) -> None:
    for part, programs in PARTS.items():
        config.addinivalue_line("markers", f"{part}: needs {' and '.join(programs)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for part in PARTS:
        if item.get_closest_marker(part):
            require(part)
