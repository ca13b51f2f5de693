"""Tools whose packages are missing end in one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"
NEEDS = {
    "draw_dashboard": "matplotlib",
    "make_dashboard": "grafana_foundation_sdk",
    "render_sample": "moderngl",
    "bench_live": "numpy",
}


@pytest.mark.parametrize("tool", NEEDS)
def test_tool_without_its_package_ends_in_one_line(tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {NEEDS[tool]!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = subprocess.run([sys.executable, TOOLS / f"{tool}.py", "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    wanted = f"{tool}.py needs {NEEDS[tool]}, which is not installed: pip install -e '{TOOLS.parent}[dev]'\n"
    assert done.stderr == wanted


def test_every_tool_reports_missing_packages() -> None:
    plain = {"extras_hint.py", "measure_code.py", "convert.py", "bench_cold_starts.py", "make_reference.py"}  # core only
    without = {path.name for path in TOOLS.glob("*.py") if "import extras_hint" not in path.read_text()}
    assert without <= plain
