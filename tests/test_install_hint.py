"""The install commands of messages and docs work as typed."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from remi_stream import install_hint
from remi_stream.install_hint import install_command

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
EXTRAS = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
METADATA = """\
Metadata-Version: 2.4
Name: remi-stream
Version: 0.1.0
Requires-Dist: numpy>=1.26
Requires-Dist: tomli>=2; python_version < "3.11"
Provides-Extra: torch
Requires-Dist: torch>=2.6; extra == "torch"
"""
needs_hatchling = pytest.mark.skipif(not importlib.util.find_spec("hatchling"), reason="needs hatchling (pip install hatchling)")


def dry_run(command: str) -> str:
    """Run an install command as a shell would, without installing or downloading; return what would be installed."""
    if not importlib.util.find_spec("pip"):
        pytest.skip("this environment has no pip")
    done = subprocess.run(
        f"{command} --dry-run --no-deps --no-build-isolation --no-index --ignore-installed",
        shell=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def install_into(site: Path, origin: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a site-packages folder in which pip recorded this origin of the package, and let Python find it first."""
    folder = site / "remi_stream-0.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(METADATA)
    (folder / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(install_hint, "CHECKOUT", site)


@needs_hatchling
def test_command_of_a_checkout_works_in_a_path_with_blanks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "with blank" / "it's a checkout"
    for name in ("pyproject.toml", "README.md", "LICENSE", "remi_stream/__init__.py", "remi_stream/data/OPEN_BODY_LICENSE.txt"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    monkeypatch.setattr(install_hint, "CHECKOUT", checkout)
    assert dry_run(install_command("torch", "onnx")).startswith("Would install remi-stream-")


@needs_hatchling
def test_command_of_a_wheel_installs_that_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path / "my wheels")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = (tmp_path / "my wheels").iterdir()
    install_into(tmp_path / "site", {"url": wheel.as_uri(), "archive_info": {}}, monkeypatch)
    assert str(wheel) in install_command("plot")
    assert dry_run(install_command("plot")).startswith("Would install remi-stream-")


def test_command_of_a_wheel_that_is_gone_names_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_into(tmp_path / "site", {"url": (tmp_path / "gone.whl").as_uri(), "archive_info": {}}, monkeypatch)
    assert install_command("torch").endswith("pip install 'torch>=2.6'")
    assert install_command().endswith("pip install 'numpy>=1.26' 'tomli>=2'")


def test_command_of_a_repository_names_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = {"url": "https://git.example/remi.git", "vcs_info": {"vcs": "git", "commit_id": "abc123"}}
    install_into(tmp_path / "site", origin, monkeypatch)
    assert install_command("onnx").endswith("pip install 'remi-stream[onnx] @ git+https://git.example/remi.git@abc123'")


def test_command_names_this_environments_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/pip")
    assert install_command("onnx").startswith(f"{shlex.quote(sys.executable)} -m pip install ")
    monkeypatch.setattr(shutil, "which", lambda _: str(Path(sys.executable).with_name("pip")))
    assert install_command("onnx").startswith("pip install ")


def test_docs_and_messages_name_no_package_of_an_index_and_only_extras_that_exist() -> None:
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    files += [file for folder, kind in (("docs", "*.md"), ("remi_stream", "*.py")) for file in (ROOT / folder).rglob(kind)]
    text = "\n".join(file.read_text() for file in files if file.name != "install_hint.py")
    assert re.findall(r"pip install '?remi-stream\[.*", text) == []
    named = re.findall(r"pip install -e '\.\[([\w,]+)\]'", text) + re.findall(r"(?<!\w)install_command\(([^)]*)\)", text)
    assert {extra.strip(" '\"") for extras in named for extra in extras.split(",")} - {"", "NAME"} <= EXTRAS
