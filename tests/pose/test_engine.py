from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from remi_stream.errors import UsageError
from remi_stream.models.manifest import list_engines
from remi_stream.pose.alphapose import AlphaPoseEngine
from remi_stream.pose.blazepose import BlazePoseEngine
from remi_stream.pose.engine import Engine, find_adapter, load_engine, resolve_engine
from remi_stream.pose.instanthmr import InstantHmrEngine
from remi_stream.pose.lifting.engine import LiftingEngine
from remi_stream.pose.onnx_engine import OnnxEngine
from remi_stream.pose.smpl_regressor import SmplRegressor

MANIFEST = """
what = "a test"
adapter = "{adapter}"
skeleton = "smpl24"
licence = "none"
runtime = "openvino"
[runtimes.openvino]
threads = 3
"""


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's own folder of engines, empty."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path))
    (tmp_path / "engines").mkdir()
    return tmp_path / "engines"


def test_unknown_engine_is_reported_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"Unknown engine 'blazpose'. Did you mean 'blazepose'\? Known: .*blazepose") as error:
        load_engine("blazpose")
    assert "\n" not in str(error.value)


def test_suffix_names_the_runtime() -> None:
    assert resolve_engine("blazepose-ov")[1] == resolve_engine("blazepose")[1] == "openvino"


def test_runtime_that_an_engine_lacks_is_reported() -> None:
    with pytest.raises(UsageError, match=r"'blazepose' does not run in tensorrt \(it runs in: openvino\)"):
        resolve_engine("blazepose-trt")


def test_users_own_manifest_is_found_and_a_hyphen_is_no_suffix(engines: Path) -> None:
    (engines / "my-net.toml").write_text(MANIFEST.format(adapter="blazepose"))
    manifest, runtime = resolve_engine("my-net")
    assert (manifest.name, runtime, manifest.runtimes[runtime]) == ("my-net", "openvino", {"threads": 3})
    names = [manifest.name for manifest in list_engines()]
    assert {"blazepose", "my-net", "synthetic"} <= set(names)
    assert names == sorted(names)
    assert "yolov3" not in names


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("what = ", "cannot be used"),
        (MANIFEST.replace("licence", "license"), r"there is no key `license`. Did you mean `licence`\?"),
        (f"{MANIFEST}[[weights]]\nname = 3", r"`weights\[0\].name` is 3; allowed: 1 to 40 of A-Z"),
        (MANIFEST.replace('"openvino"', '"onnx"'), r"runtime 'onnx' has no table of its own \(there are: openvino\)"),
    ],
)
def test_mistake_in_a_manifest_is_reported_with_its_file(engines: Path, text: str, complaint: str) -> None:
    (engines / "mine.toml").write_text(text)
    with pytest.raises(UsageError, match=complaint) as error:
        resolve_engine("mine")
    assert "mine.toml" in str(error.value)


def test_broken_manifest_of_another_engine_does_no_harm(engines: Path) -> None:
    (engines / "mine.toml").write_text("what = ")
    assert resolve_engine("blazepose")[0].name == "blazepose"


def test_unknown_adapter_is_reported_with_the_known_ones(engines: Path) -> None:
    (engines / "mine.toml").write_text(MANIFEST.format(adapter="blazeposes"))
    with pytest.raises(UsageError, match=r"engine 'mine': 'blazeposes'. Did you mean 'blazepose'\?"):
        find_adapter(resolve_engine("mine")[0])


def test_engine_of_another_package_is_found_by_its_entry_point(engines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = engines.parent / "site"
    (site / "a_package-1.dist-info").mkdir(parents=True)
    (site / "a_package-1.dist-info" / "entry_points.txt").write_text("[remi_stream.engines]\nmine = an_engine:open_engine\n")
    (site / "an_engine.py").write_text("def open_engine(manifest, runtime, settings): return manifest.name, runtime, settings\n")
    monkeypatch.syspath_prepend(site)
    (engines / "net.toml").write_text(MANIFEST.format(adapter="mine"))
    found: object = load_engine("net")
    assert found == ("net", "openvino", {"threads": 3})


@pytest.mark.parametrize(
    ("engine", "stateless"),
    [
        (AlphaPoseEngine, True),
        (BlazePoseEngine, False),
        (InstantHmrEngine, False),
        (LiftingEngine, False),
        (OnnxEngine, True),
        (SmplRegressor, True),
    ],
)
def test_engines_declare_whether_batches_may_span_frames(engine: type[Engine], stateless: bool) -> None:
    assert engine.is_stateless is stateless


def test_listing_engines_loads_no_network_library() -> None:
    code = "import sys; from remi_stream.models.manifest import list_engines; list_engines(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"openvino", "torch", "cv2", "scipy"} & set(loaded)
