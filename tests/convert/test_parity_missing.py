"""`convert` reports the parity of an existing ONNX, also of one without metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.cli.convert import convert_to_onnx
from remi_stream.convert import onnx_conversion
from remi_stream.inference import onnx_cache
from remi_stream.install_hint import install_command
from remi_stream.models.manifest import ModelFile
from tests.convert.stand_ins import bring


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    """The smallest network, and an ONNX of it (no runtime reads it here)."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    file = bring("smoothnet_w8", tmp_path)
    onnx_cache.onnx_path(file).parent.mkdir(parents=True)
    onnx_cache.onnx_path(file).write_bytes(b"onnx")
    return file


UNKNOWN = "made by an earlier version, without a recorded comparison with PyTorch; to compare it: "
CASES = [
    (None, True, f", {UNKNOWN}--again"),
    (None, False, f", {UNKNOWN}{install_command('onnx')}, and --again"),
    ("{}", True, ", not compared with PyTorch; to compare it: --again"),
    ("{}", False, f", not compared with PyTorch; to compare it: {install_command('onnx')}, and --again"),
    ('{"relative": 0.0001}', False, ""),
]


@pytest.mark.parametrize(("parity", "able", "line"), CASES)
def test_old_onnx_is_reported_with_its_known_parity(
    there: ModelFile,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    parity: str | None,
    able: bool,
    line: str,
) -> None:
    monkeypatch.setattr(onnx_conversion, "can_check_parity", lambda: able)
    path = onnx_cache.onnx_path(there)
    if parity:
        known = f'{{"network": "smoothnet_8", "precision": "fp32", "sha256": "", "weights_sha256": "", "parity": {parity}}}'
        path.with_suffix(".json").write_text(known)
    convert_to_onnx(there, again=False)
    assert capsys.readouterr().out == f"smoothnet_w8: {path} (0.0 MB, already there{line})\n"


def test_conversion_without_onnx_runtime_says_so_before_it_works_and_shows_its_steps(
    there: ModelFile, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(onnx_conversion, "can_check_parity", lambda: False)
    convert_to_onnx(there, again=True)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (f"smoothnet_w8 will not be compared with PyTorch: ONNX Runtime is missing. {install_command('onnx')}")
    assert [line.partition(":")[2] for line in lines[1:3]] == [
        " loading PyTorch ...",
        f" exporting {there.file} to ONNX (about a minute) ...",
    ]
