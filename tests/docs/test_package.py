"""The package of docs/extend/packages.md: built, installed and run as the page says."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from remi_stream.errors import UsageError
from remi_stream.pipeline import plugin_sink

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/extend/packages.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.skipif(not importlib.util.find_spec("hatchling"), reason="needs hatchling (pip install hatchling)")
def test_package_of_the_docs_adds_an_engine_a_source_and_a_sink(tmp_path: Path) -> None:
    package = tmp_path / "my-remi"
    (package / "my_remi").mkdir(parents=True)
    project, manifest = blocks("toml")
    engine, source, sink = blocks("python")
    (pipeline,) = blocks("yaml")
    texts = {"__init__.py": "", "engine.py": engine, "source.py": source, "sink.py": sink, "boxes.toml": manifest}
    for name, text in texts.items():
        (package / "my_remi" / name).write_text(text)
    (package / "pyproject.toml").write_text(project)
    (tmp_path / "p.yaml").write_text(pipeline)
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", site, package]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    assert (site / "my_remi/boxes.toml").is_file(), "the manifest is inside the package"
    paths = os.pathsep.join([str(site), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": paths, "REMI_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-m", "remi_stream", "run", "p.yaml", "--name", f"package-{os.getpid()}"]
    with tempfile.TemporaryDirectory() as run:  # tmp_path is too long for a socket
        env["XDG_RUNTIME_DIR"] = run
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "bodies.txt").read_text().splitlines()
    assert re.fullmatch(r"tv \d+ [1-9]", lines[-1]), lines


def test_unknown_sink_is_one_line() -> None:
    with pytest.raises(UsageError, match="Unknown sink 'line'"):
        plugin_sink("line")
