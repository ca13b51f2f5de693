"""`doctor`: each check on a fake machine, and all of them on this one."""

from __future__ import annotations

import grp
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remi_stream.capture.webcam import VideoDevice, VideoMode
from remi_stream.cli.doctor import checks
from remi_stream.cli.doctor.checks import CHECKS
from remi_stream.cli.doctor.machine import Machine
from remi_stream.cli.doctor.nvidia import NvidiaReport
from remi_stream.cli.doctor.nvidia_checks import CheckResult
from remi_stream.config import METRICS_SERVICE, daemon_port
from remi_stream.errors import RemiError
from remi_stream.install_hint import install_command
from tests.cli.command import finish, start


class FakeMachine(Machine):
    """A machine with some facts replaced."""

    def __init__(self, **answers: Any) -> None:
        for name, answer in answers.items():
            assert hasattr(Machine, name), name
            setattr(self, name, answer if callable(answer) else lambda *_, answer=answer: answer)


def broken(*_: object) -> str:
    raise RemiError("ImportError: libfoo.so: not found")


def unloadable(**faults: str) -> Callable[[list[str]], dict[str, str]]:
    return lambda modules: {module: faults.get(module, "") for module in modules}


def lacks(library: str) -> str:
    return f"ImportError: {library}: cannot open shared object file: No such file or directory"


MODES = (VideoMode("MJPG", 1280, 720, (30.0,)),)
USABLE = VideoDevice("/dev/video0", "Cam", MODES)
LOCKED = VideoDevice("/dev/video2", "Desk", fault="permission denied")
USED = VideoDevice("/dev/video4", "Door", MODES, used_by=("7 (zoom)", "9 (obs)"))
BUSY = VideoDevice("/dev/video6", "Wall", fault="device or resource busy")
ODD = VideoDevice("/dev/video8", "Odd", fault="is no video device: inappropriate ioctl for device")
DAEMON = {"name": "default", "engine": "blazepose", "stages": {"capture/a": {"pid": 7}, "pose": {"pid": 8}}}


def installed(**versions: str) -> Callable[[str], str | None]:
    return lambda package: versions.get(package.replace("-", "_"))


def raising(words: str) -> str:
    raise RemiError(words)


NEEDS = {
    "requirements": ["av>=14", "opencv-python-headless<5,>=4.10", "openvino>=2025.0", "prometheus-client>=0.21", "pyzmq>=26"]
}
NO_DAEMON = {"daemon": None}

CASES: list[tuple[Callable[[Machine, str], CheckResult], dict[str, Any], str, str]] = [
    (checks.check_python, {"python": (3, 11)}, "ok", "3.11"),
    (checks.check_python, {"python": (3, 9)}, "fail", "3.10 to 3.13 are supported. Make a new environment"),
    (checks.check_python, {"python": (3, 14)}, "warn", "3.14 is untested"),
    (checks.check_packages, {"requirements": ["av>=14"], "version": "15.0"}, "ok", "av 15.0"),
    (checks.check_packages, {"requirements": ["av>=14"], "version": "13.1"}, "fail", "av>=14 (got 13.1)"),
    (checks.check_packages, {"requirements": ["cv<5,>=4.10"], "version": "5.0"}, "fail", "cv<5,>=4.10 (got 5.0)"),
    (checks.check_packages, {"requirements": ["cv<5,>=4.10"], "version": "4.9.9"}, "fail", "(got 4.9.9)"),
    (checks.check_packages, {"requirements": ["cv<5,>=4.10"], "version": "4.10.0.84"}, "ok", "cv 4.10.0.84"),
    (checks.check_packages, {"requirements": ["cv"], "version": None}, "fail", f"cv (got none). Reinstall: {install_command()}"),
    (checks.check_opencv, {"version": installed(opencv_python_headless="4.11"), "run_python": ""}, "ok", "one cv2"),
    (
        checks.check_opencv,
        {"version": installed(opencv_python_headless="4.11"), "run_python": broken},
        "fail",
        "cv2 does not work: ImportError: libfoo.so: not found. Reinstall it: pip install --force-reinstall opencv-python-",
    ),
    (checks.check_opencv, {"version": None}, "fail", "no cv2"),
    (checks.check_opencv, {"version": "4.11"}, "warn", "overwrite each other. Keep one: pip uninstall"),
    (checks.check_cpu, {"cores": 8, "cpu_flags": {"avx2", "amx_bf16"}}, "ok", "8 cores, AVX2, AMX bf16"),
    (checks.check_cpu, {"cores": 1, "cpu_flags": {"avx2"}}, "warn", "1 core, AVX2; detection and pose share it"),
    (checks.check_cpu, {"cores": 2, "cpu_flags": {"sse2"}}, "warn", "no AVX2"),
    (checks.check_cpu, {"cores": 2, "cpu_flags": set()}, "ok", "2 cores"),
    (checks.check_openvino, {"run_python": "2026.1 CPU GPU"}, "ok", "2026.1, devices: CPU, GPU"),
    (checks.check_openvino, {"run_python": broken}, "fail", "does not work: ImportError: libfoo.so: not found. Reinstall it"),
    (checks.check_ffmpeg, {"run_python": "8.0"}, "ok", "8.0"),
    (checks.check_ffmpeg, {"run_python": broken}, "fail", "pip install --force-reinstall av"),
    (checks.check_ffmpeg, {"run_python": lambda _: raising(lacks("libxcb.so.1"))}, "fail", "sudo apt-get install libxcb1"),
    (checks.check_openvino, {"run_python": lambda _: raising(lacks("libgomp.so.1"))}, "fail", "sudo apt-get install libgomp1"),
    (checks.check_libraries, {**NEEDS, "import_errors": unloadable()}, "ok", "work: cv2, prometheus_client, zmq"),
    (
        checks.check_libraries,
        {**NEEDS, "import_errors": unloadable(cv2=lacks("libGL.so.1"))},
        "fail",
        f"cv2 does not work: {lacks('libGL.so.1')}. Install it: sudo apt-get install libgl1",
    ),
    (
        checks.check_libraries,
        {**NEEDS, "import_errors": unloadable(cv2=lacks("libEGL.so.1"))},
        "fail",
        "sudo apt-get install libegl1",
    ),
    (
        checks.check_libraries,
        {**NEEDS, "import_errors": unloadable(zmq=lacks("libsodium.so.23"))},
        "fail",
        "Install the system package that contains libsodium.so.23",
    ),
    (
        checks.check_libraries,
        {**NEEDS, "import_errors": unloadable(cv2="exit code -11", zmq="ModuleNotFoundError: No module named 'zmq'")},
        "fail",
        "cv2 does not work: exit code -11. Reinstall it: pip install --force-reinstall opencv-python-headless; "
        "zmq does not work: ModuleNotFoundError: No module named 'zmq'. Reinstall it: pip install --force-reinstall pyzmq",
    ),
    (checks.check_cameras, {"cameras": []}, "ok", "none on this machine; network cameras work without"),
    (checks.check_cameras, {**NO_DAEMON, "cameras": [USABLE, USABLE]}, "ok", "/dev/video0 (Cam), /dev/video0 (Cam)"),
    (
        checks.check_cameras,
        {**NO_DAEMON, "cameras": [USABLE, LOCKED], "group_of": "video"},
        "warn",
        "/dev/video2 (Desk): no permission. Add yourself to the group 'video': sudo usermod -aG video $USER, then log in again",
    ),
    (
        checks.check_cameras,
        {**NO_DAEMON, "cameras": [LOCKED], "group_of": "root"},
        "warn",
        "/dev/video2 (Desk): no permission. Only root may use it: sudo chgrp video /dev/video2 && sudo chmod g+rw /dev/video2, "
        "then join the group 'video'",
    ),
    (
        checks.check_cameras,
        {**NO_DAEMON, "cameras": [USED]},
        "warn",
        "/dev/video4 (Door) is in use by 7 (zoom), 9 (obs). It serves one program at a time: stop that one, or use another "
        "camera",
    ),
    (checks.check_cameras, {"daemon": DAEMON, "cameras": [USED]}, "warn", "is in use by 9 (obs). It serves"),
    (
        checks.check_cameras,
        {"daemon": DAEMON, "cameras": [msgspec.structs.replace(USED, used_by=("7 (python)",))]},
        "ok",
        "(Door)",
    ),
    (
        checks.check_cameras,
        {**NO_DAEMON, "cameras": [BUSY, ODD]},
        "warn",
        "/dev/video6 (Wall) is in use by another program. It serves",
    ),
    (
        checks.check_cameras,
        {**NO_DAEMON, "cameras": [ODD]},
        "warn",
        "/dev/video8 (Odd): is no video device: inappropriate ioctl for device. Unplug it and plug it in again",
    ),
    (checks.check_models, {"models": {"a": "", "b": ""}}, "ok", "a, b"),
    (checks.check_models, {"models": {"a": "", "b": "missing"}}, "warn", "missing: b. Pulled on first use"),
    (checks.check_models, {"models": {"a": "damaged", "b": "missing"}}, "fail", "damaged: a. Pull them again"),
    (checks.check_ports, {"port_is_free": True}, "ok", "free: 7710, 7720"),
    (
        checks.check_ports,
        {"port_is_free": lambda number: number == 7720, "daemon": {"name": "default", "engine": "blazepose"}},
        "ok",
        "7710 used by the running remi-stream 'default' (blazepose)",
    ),
    (checks.check_ports, {"port_is_free": lambda number: number != 7720, "daemon": None}, "fail", "7720 used by another program"),
    (checks.check_ports, {"port_is_free": lambda number: number != 7710, "daemon": None}, "fail", "7710 used by another program"),
    (checks.check_run_folder, {"make_run_folder": "/run/user/1/remi-stream"}, "ok", "/run/user/1/remi-stream"),
    (checks.check_run_folder, {"make_run_folder": broken}, "fail", "libfoo"),
    (checks.check_disk, {"free_bytes": (Path("/home/a"), 5e9)}, "ok", "5.0 GB free at /home/a"),
    (checks.check_disk, {"free_bytes": (Path("/home/a"), 5e8)}, "warn", "Free some space, or set REMI_HOME"),
    (checks.check_disk, {"free_bytes": (Path("/home/a"), 5e7)}, "fail", "0.1 GB free at /home/a. Free some space"),
]


@pytest.mark.parametrize(("check", "answers", "verdict", "text"), CASES)
def test_check_result_has_the_fact_and_the_fix(
    check: Callable[[Machine, str], CheckResult], answers: dict[str, Any], verdict: str, text: str
) -> None:
    finding = check(FakeMachine(**answers), "default")
    assert finding.verdict == verdict
    assert text in finding.text
    assert "\n" not in finding.text


def test_every_check_has_cases() -> None:
    assert {check for check, *_ in CASES} == set(CHECKS.values())


def test_port_of_another_program_fails_the_real_doctor() -> None:
    with socket.create_server(("127.0.0.1", daemon_port("doctored", METRICS_SERVICE))):
        code, out, err = finish(start("doctor", "--name", "doctored"), lambda: None, timeout_s=60)
    assert (code, err) == (3, "")
    lines = {line[5:20].strip(): line[:5].strip() for line in out.splitlines()}
    assert list(lines)[: len(CHECKS) + 1] == [*CHECKS, "GPU"]
    assert lines["ports"] == "fail"
    assert [lines[name] for name in ("Python", "packages", "OpenCV", "OpenVINO", "FFmpeg", "libraries", "run folder")] == [
        "ok"
    ] * 7


def test_crashing_library_is_reported_and_does_not_crash_doctor() -> None:
    with pytest.raises(RemiError, match="exit code -6"):
        Machine().run_python("import os; os.abort()")
    with pytest.raises(RemiError, match="ModuleNotFoundError: No module named 'no_such_module'"):
        Machine().run_python("import no_such_module")


def test_each_library_that_does_not_load_is_found_among_those_that_do() -> None:
    faults = Machine().import_errors(["json", "no_such_module", "yaml"])
    assert faults == {"json": "", "no_such_module": "ModuleNotFoundError: No module named 'no_such_module'", "yaml": ""}


@pytest.mark.parametrize("gone", ["imencode", "warpAffine", "initUndistortRectifyMap"])
def test_opencv_with_a_function_missing_does_not_work(gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import cv2\ndel cv2.{gone}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    finding = checks.check_opencv(Machine(), "default")
    assert finding.verdict == "fail"
    assert f"has no attribute '{gone}'" in finding.text
    assert set(Machine().import_errors(["cv2", "yaml"]).values()) == {
        finding.text[len("cv2 does not work: ") :].split(". ")[0],
        "",
    }


def test_named_engine_is_run_on_the_cpu() -> None:
    finding = checks.check_engine(Machine(), "synthetic")
    assert finding.verdict == "ok"
    assert finding.text.startswith("synthetic in none finds the person of the sample clip, ")
    titles = [
        title for title, _ in checks.run_checks(FakeMachine(run_python="ran", nvidia_report=NvidiaReport()), "x", "synthetic")
    ]
    assert "engine" in titles


def test_group_of_a_device_is_named_or_numbered(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    assert Machine().group_of(str(device)) == grp.getgrgid(device.stat().st_gid).gr_name
