"""Crops, cameras and uncertainties are the published programs' to the last bit or so."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT.parent / "shared" / "parity" / "preprocess.npz"


@pytest.mark.parametrize("group", ["poco", "cam", "uncert"])
@pytest.mark.skipif(not GOLDEN.exists(), reason="the golden vectors are not beside the project")
def test_group_is_as_published(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    check_group = importlib.import_module("parity.preprocess").check_group
    with np.load(GOLDEN) as stored:
        rows = list(check_group(group, importlib.import_module(f"parity.group_{group}"), dict(stored), {}))
    assert rows
    assert [row for row in rows if not row.passed] == []


def test_opening_the_adapters_loads_no_network_library() -> None:
    code = "import sys, remi_stream.pose.smpl_regressor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"openvino", "torch", "onnxruntime"} & set(loaded)
