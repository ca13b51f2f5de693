from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.image import ROOT

DOCKERFILES = sorted(path.name for path in ROOT.glob("Dockerfile.*"))


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_hadolint_reports_no_problem(dockerfile: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, dockerfile], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_there_is_a_dockerfile_for_cpus() -> None:
    assert "Dockerfile.cpu" in DOCKERFILES
