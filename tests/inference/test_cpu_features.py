"""CPU features and the precision they allow."""

from __future__ import annotations

from pathlib import Path

import pytest

from remi_stream.inference.openvino import has_bf16


@pytest.mark.parametrize(
    ("flags", "able"),
    [("sse2 avx512f amx_bf16 amx_tile", True), ("avx512_bf16", True), ("sse2 avx2 avx512f avx512_vnni", False), ("", False)],
)
def test_bf16_is_multiplied_by_processors_that_have_the_instructions(tmp_path: Path, flags: str, able: bool) -> None:
    (tmp_path / "cpuinfo").write_text(f"processor\t: 0\nmodel name\t: a processor\nflags\t\t: fpu {flags}\nbugs\t\t: amx_bf16\n")
    assert has_bf16(tmp_path / "cpuinfo") is able


def test_machine_without_cpuinfo_does_not_use_bf16(tmp_path: Path) -> None:
    assert not has_bf16(tmp_path / "missing")
