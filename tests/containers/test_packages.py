"""The wheel and the sdist: their content, and the wheel outside a checkout."""

from __future__ import annotations

import email
import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from remi_stream import __version__

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BIGGEST_MB = 8
OUTSIDE = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("hatchling"), reason="needs hatchling (pip install hatchling)")


def build(source: Path, target: str, out: Path) -> Path:
    """Build a package of a source tree; return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked sdist."""
    sdist = build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"remi_stream-{__version__}"


def contents(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def ours(folder: str, into: str) -> dict[str, bytes]:
    """The files of a folder of the checkout, by their path in the wheel."""
    files = [path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {f"{into}/{path.relative_to(ROOT / folder)}": path.read_bytes() for path in files}


def info(wheel: Path, name: str) -> str:
    return contents(wheel)[f"remi_stream-{__version__}.dist-info/{name}"].decode()


def test_wheel_holds_the_package_its_engines_and_configs_and_nothing_else(wheel: Path) -> None:
    engines = {path: data for path, data in ours("engines", "remi_stream/_share/engines").items() if path.endswith(".toml")}
    expected = ours("remi_stream", "remi_stream") | engines | ours("configs", "remi_stream/_share/configs")
    found = {path: data for path, data in contents(wheel).items() if ".dist-info/" not in path}
    assert sorted(found) == sorted(expected)
    assert found == expected


@pytest.mark.parametrize(
    "path",
    [
        "remi_stream/data/sample.mp4",
        "remi_stream/data/open_body.npz",
        "remi_stream/data/lifter.npz",
        "remi_stream/_share/engines/blazepose.toml",
        "remi_stream/_share/configs/cameras.yaml",
        "remi_stream/_share/configs/prometheus/remi-stream.rules.yml",
        "remi_stream/_share/configs/grafana/remi-stream.json",
        "remi_stream/_share/configs/systemd/remi-stream.service",
    ],
)
def test_what_is_needed_at_run_time_is_in_the_wheel(path: str, wheel: Path) -> None:
    assert contents(wheel)[path]


def test_wheel_is_for_every_machine_and_small(wheel: Path) -> None:
    assert wheel.name == f"remi_stream-{__version__}-py3-none-any.whl"
    assert wheel.stat().st_size < BIGGEST_MB * 1e6
    assert not [path for path in contents(wheel) if Path(path).suffix in (".so", ".pt", ".onnx", ".tflite", ".pkl", ".pyc")]


def test_metadata_is_that_of_the_project(wheel: Path) -> None:
    metadata = email.message_from_string(info(wheel, "METADATA"))
    assert (metadata["Name"], metadata["Version"]) == (PROJECT["name"], __version__)
    assert metadata["License-Expression"] == PROJECT["license"]
    assert set(metadata["Requires-Python"].split(",")) == set(PROJECT["requires-python"].split(","))
    assert set(metadata.get_all("Provides-Extra") or []) == set(PROJECT["optional-dependencies"])
    needed = [need for need in metadata.get_all("Requires-Dist") or [] if "extra ==" not in need]
    assert len(needed) == len(PROJECT["dependencies"])
    assert "remi-stream = remi_stream.cli:main" in info(wheel, "entry_points.txt")


def test_licences_are_in_the_wheel(wheel: Path) -> None:
    for file in PROJECT["license-files"]:
        assert info(wheel, f"licenses/{file}") == (ROOT / file).read_text()


def test_sdist_builds_the_same_wheel_and_contains_the_tests(unpacked: Path, wheel: Path, tmp_path: Path) -> None:
    again = contents(build(unpacked, "wheel", tmp_path / "wheel"))
    assert sorted(again) == sorted(contents(wheel))
    assert again == contents(wheel)
    for name in (
        "tests/conftest.py",
        "docs/reference/protocol.md",
        "Makefile",
        "README.md",
        "LICENSE",
        "docker-compose.yml",
        "Dockerfile.cpu",
    ):
        assert (unpacked / name).is_file(), name
    assert not {".git", ".ci", ".venv", ".venv-aitviewer"} & {path.name for path in unpacked.iterdir()}


@pytest.fixture(scope="module")
def beside(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of the wheel, installed where it finds the dependencies of this environment, but not this checkout."""
    folder = tmp_path_factory.mktemp("beside")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, timeout=120)
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python.with_name("remi-stream")


def run(command: Path, *arguments: str, folder: Path) -> str:
    """Run the command outside the checkout; return its output."""
    done = subprocess.run([command, *arguments], cwd=folder, env=OUTSIDE, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def check_works(command: Path, folder: Path) -> None:
    """Run commands that need each kind of file in the wheel."""
    python = command.with_name("python")
    where = run(python, "-c", "import remi_stream; print(remi_stream.__file__)", folder=folder)
    assert Path(where.strip()).is_relative_to(command.parents[1])
    assert __version__ in run(command, "--version", folder=folder)
    assert "blazepose" in run(command, "engines", folder=folder)
    shipped = Path(where).parent / "_share/configs/cameras.yaml"
    assert f"{command} run {shipped}" in run(command, "service", "install", str(shipped), "--user", "--print", folder=folder)
    name = f"t{secrets.token_hex(4)}"
    output = run(command, "demo", "--duration", "3", "--viewer", "none", "--no-metrics", "--name", name, folder=folder)
    assert "bodies on ipc://" in output


def test_wheel_works_without_the_checkout(beside: Path, tmp_path: Path) -> None:
    check_works(beside, tmp_path)


@pytest.fixture
def fresh(wheel: Path, tmp_path: Path) -> Iterator[Path]:
    """The command of the wheel in an environment of its own, with its dependencies from PyPI."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run([tmp_path / "venv/bin/pip", "install", "--quiet", wheel], check=True, env=OUTSIDE, timeout=900)
    yield tmp_path / "venv/bin/remi-stream"
    shutil.rmtree(tmp_path / "venv")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_wheel_works_with_its_own_dependencies_from_pypi(fresh: Path, tmp_path: Path) -> None:
    check_works(fresh, tmp_path)
