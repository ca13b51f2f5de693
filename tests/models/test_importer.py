"""Import of model files: recognised by content, checked, recorded."""

from __future__ import annotations

import gzip
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from remi_stream import cli
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, EXIT_USAGE
from remi_stream.models import checkpoint, store
from remi_stream.models.manifest import ModelFile, find_model_file

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stand-ins that are small enough to be made here."""
    from tools.make_weights import MODELS

    folder = tmp_path_factory.mktemp("made")
    for model in ("smoothnet_w8", "smoothnet_w32", "smpl_neutral", "j_regressor_extra", "instanthmr"):
        file, write = MODELS[model]
        write(folder / file, 1)
    return folder


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Type `remi-stream models ...` with an empty store; gives the exit code, stdout and stderr."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["remi-stream", "models", *map(str, arguments)])
        code = cli.main()
        out, err = capsys.readouterr()
        return code, out, err

    return run


def made(name: str) -> dict[str, torch.Tensor]:
    """The keys and shapes of a network, its numbers all one."""
    return {key: torch.zeros(()).expand(shape) for key, shape in checkpoint.expected_shapes(name).items()}


@pytest.mark.parametrize(
    ("file", "model", "licence"),
    [
        ("checkpoint_8.pth.tar", "smoothnet_w8", "Apache-2.0"),
        ("checkpoint_32.pth.tar", "smoothnet_w32", "Apache-2.0"),
        ("SMPL_NEUTRAL.pkl", "smpl_neutral", "non-commercial research (SMPL, MPI)"),
        ("J_regressor_extra.npy", "j_regressor_extra", "non-commercial research (MPI)"),
        ("instanthmr.onnx", "instanthmr", "CC BY-NC 4.0"),
    ],
)
def test_published_file_is_recognised_and_its_hash_and_licence_are_reported(
    file: str, model: str, licence: str, folder: Path, say: Say
) -> None:
    code, out, err = say("import", folder / file)
    assert (code, err) == (EXIT_DONE, "")
    kept = find_model_file(model)
    assert out.startswith(f"{file} is {model}: {store.model_path(kept)} (")
    assert store.model_sha256(kept) in out
    assert f"Licence: {licence}" in out
    assert ("Non-commercial use only" in out) == ("non-commercial" in licence or "NC" in licence)
    assert say("verify")[1].splitlines()[0 if model < "pose" else -1] == f"{model}: intact"
    shown = say("show", model)[1]
    assert f"from {file} (SHA-256 " in shown
    assert "state       ready" in shown
    assert say("remove", model)[1] == f"{model}: removed\n"
    assert store.file_fault(kept) == "missing"


def test_several_files_are_imported_and_one_bad_one_stops_none(folder: Path, tmp_path: Path, say: Say) -> None:
    (tmp_path / "bad.pt").write_text("weights")
    files = folder / "checkpoint_8.pth.tar", tmp_path / "bad.pt", folder / "J_regressor_extra.npy"
    code, out, err = say("import", *files)
    assert (code, err.count("\n")) == (EXIT_NOT_STARTED, 1)
    assert err.startswith("remi-stream: bad.pt is not a known model")
    assert [line.split()[2] for line in out.splitlines() if " is " in line] == ["smoothnet_w8:", "j_regressor_extra:"]
    code, _, err = say("import", *files[:2], "--as", "smoothnet_w8")
    assert code == EXIT_USAGE
    assert "--as is the name of one file, got 2 files" in err


def test_smpl_as_npz_is_taken_directly(folder: Path, tmp_path: Path, say: Say) -> None:
    np.savez(tmp_path / "SMPL_NEUTRAL.npz", **pickle.loads((folder / "SMPL_NEUTRAL.pkl").read_bytes()))
    code, out, err = say("import", tmp_path / "SMPL_NEUTRAL.npz")
    assert (code, err) == (EXIT_DONE, "")
    assert out.startswith("SMPL_NEUTRAL.npz is smpl_neutral: ")


def test_renamed_file_is_taken_for_what_it_is(folder: Path, tmp_path: Path, say: Say) -> None:
    renamed = tmp_path / "poco_cliff.pt"
    renamed.write_bytes((folder / "checkpoint_8.pth.tar").read_bytes())
    code, out, _ = say("import", renamed)
    assert code == EXIT_DONE
    assert out.startswith("poco_cliff.pt is smoothnet_w8: ")
    assert store.file_fault(find_model_file("poco_cliff")) == "missing"


def test_causal_lifter_is_reported_by_its_name_or_by_the_user(tmp_path: Path, say: Say) -> None:
    for name in ("some.bin", "videopose3d_causal.bin"):
        torch.save({"model_pos": made("videopose3d_causal")}, tmp_path / name)
    code, out, _ = say("import", tmp_path / "some.bin")
    assert (code, out.splitlines()[1]) == (
        EXIT_DONE,
        "Its content also fits videopose3d_causal; to import it as that: --as videopose3d_causal",
    )
    assert say("import", tmp_path / "videopose3d_causal.bin")[1].startswith("videopose3d_causal.bin is videopose3d_causal: ")
    assert say("import", tmp_path / "some.bin", "--as", "videopose3d_causal")[1].startswith("some.bin is videopose3d_causal: ")


class Malice:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch trace",)


def damaged(path: Path, whole: bytes) -> None:
    at = len(whole) // 4  # among the numbers, not between them
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("SMPL_python_v.1.1.0/models/basicmodel.pkl", b"")


BAD: dict[str, tuple[str, Callable[[Path, Path], object], str]] = {
    "not there": ("gone.pt", lambda path, made: None, r"There is no file .*gone.pt\."),
    "a folder": ("folder.pt", lambda path, made: path.mkdir(), "cannot be read: Is a directory"),
    "empty": ("empty.pt", lambda path, made: path.touch(), r"empty.pt is empty\. Download it again\."),
    "a web page": (
        "poco_cliff.pt",
        lambda path, made: path.write_text("\n<!DOCTYPE html><html>"),
        "poco_cliff.pt is a web page, not a model",
    ),
    "a pointer": (
        "a.pt",
        lambda path, made: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "pointer of Git LFS",
    ),
    "packed": (
        "data.tar.gz",
        lambda path, made: path.write_bytes(gzip.compress(b"x")),
        r"data.tar.gz is an archive \(tar.gz\)\. Unpack it",
    ),
    "zipped": (
        "SMPL.zip",
        lambda path, made: zipped(path),
        r"SMPL.zip is an archive \(SMPL_python\S+pkl\)\. Unpack it and import",
    ),
    "text": ("poco_cliff.pt", lambda path, made: path.write_text("weights"), "is not a known model"),
    "truncated": (
        "checkpoint_8.pth.tar",
        lambda path, made: path.write_bytes((made / "checkpoint_8.pth.tar").read_bytes()[:-2000]),
        "checkpoint_8.pth.tar is truncated: its end is missing",
    ),
    "a bit turned": (
        "checkpoint_8.pth.tar",
        lambda path, made: damaged(path, (made / "checkpoint_8.pth.tar").read_bytes()),
        "checkpoint_8.pth.tar is damaged: .* fails its checksum",
    ),
    "another network": (
        "other.pt",
        lambda path, made: torch.save({"w": torch.zeros(2)}, path),
        "its 1 tensor .w. belong to none of poco_cliff",
    ),
    "a part missing": (
        "poco.pt",
        lambda path, made: torch.save({key: value for key, value in list(made_cliff().items())[5:]}, path),
        r"poco.pt is not a known checkpoint: it is nearest to poco_cliff, but 5 keys missing: (backbone\S+, ){3}\.\.\.",
    ),
    "malice": (
        "poco.pt",
        lambda path, made: torch.save({"a": Malice()}, path),
        r"would run code when it is read \(it asks for posix.system\); it is refused",
    ),
    "malice in a body": (
        "SMPL.pkl",
        lambda path, made: path.write_bytes(pickle.dumps(Malice())),
        r"SMPL.pkl would run code when .* \(it asks for posix.system\)",
    ),
    "no regressor": (
        "SMPL.pkl",
        lambda path, made: path.write_bytes(pickle.dumps({"f": np.zeros(3)})),
        r"SMPL.pkl is not an SMPL body: it has no v_template, .* \(it has: f\)",
    ),
    "a man": (
        "basicmodel_m_lbs_10_207_0_v1.0.0.pkl",
        lambda path, made: path.write_bytes((made / "SMPL_NEUTRAL.pkl").read_bytes()),
        "seems to be the male or female SMPL; engines use the neutral one. To use it: --as smpl_neutral",
    ),
    "another array": (
        "J_regressor_h36m.npy",
        lambda path, made: np.save(path, np.zeros((17, 6890))),
        "is an array of 17 x 6890 float64; the only known one",
    ),
    "rows": ("J_regressor_extra.npy", lambda path, made: np.save(path, np.zeros((9, 6890))), "its rows do not sum to 1"),
    "array of objects": ("a.npy", lambda path, made: np.save(path, np.array([Malice()])), "it holds objects instead of numbers"),
    "array cut off": (
        "J_regressor_extra.npy",
        lambda path, made: path.write_bytes((made / "J_regressor_extra.npy").read_bytes()[:-8]),
        "is truncated",
    ),
    "ONNX cut off": (
        "instanthmr.onnx",
        lambda path, made: path.write_bytes((made / "instanthmr.onnx").read_bytes()[:-8]),
        "is not an ONNX network, or it is truncated",
    ),
    "short weights": (
        "yolov3.weights",
        lambda path, made: path.write_bytes(bytes(4000)),
        r"yolov3.weights has 4000 bytes, but .* yolov3 248007048, .* It may be truncated",
    ),
    "no wheel": ("some.whl", lambda path, made: path.write_text("no zip"), "some.whl is not a wheel, or it is truncated"),
}


def made_cliff() -> dict[str, torch.Tensor]:
    return made("poco_cliff")


@pytest.mark.parametrize("kind", BAD)
def test_bad_file_is_reported_in_one_line_and_nothing_is_kept(
    kind: str, folder: Path, tmp_path: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, make, wanted = BAD[kind]
    make(tmp_path / name, folder)
    code, out, err = say("import", tmp_path / name)
    assert (code, out, err.count("\n")) == (EXIT_NOT_STARTED, "", 1)
    import re

    assert re.search(wanted, err), err
    assert not (tmp_path / "trace").exists()
    kept = tmp_path / "home/models"
    assert not kept.exists() or {path.name for path in kept.iterdir()} <= {".lock"}


def test_file_of_another_model_than_declared_is_refused(tmp_path: Path, say: Say) -> None:
    torch.save(made("poco_pare"), tmp_path / "poco_cliff.pt")
    code, out, err = say("import", tmp_path / "poco_cliff.pt", "--as", "poco_cliff")
    assert (code, out) == (EXIT_USAGE, "")
    assert err == "remi-stream: poco_cliff.pt is poco_pare, not poco_cliff. Import it without --as, or --as poco_pare.\n"
    assert say("import", tmp_path / "poco_cliff.pt", "--as", "pocco")[::2] == (
        EXIT_USAGE,
        say("show", "pocco")[2],
    )


def test_other_onnx_is_refused_with_what_it_lacks(tmp_path: Path, say: Say) -> None:
    import onnx
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 256, 256]) for name in ("image", "out")]
    onnx.save(
        helper.make_model(helper.make_graph([helper.make_node("Relu", ["image"], ["out"])], "g", ports[:1], ports[1:])),
        str(tmp_path / "n.onnx"),
    )
    code, _, err = say("import", tmp_path / "n.onnx")
    assert code == EXIT_NOT_STARTED
    assert "is not InstantHMR: it has no input cliff_cond (it has: image); it has no output mhr_params (it has: out)" in err


def test_male_smpl_is_imported_with_as(folder: Path, tmp_path: Path, say: Say) -> None:
    man = tmp_path / "SMPL_MALE.pkl"
    man.write_bytes((folder / "SMPL_NEUTRAL.pkl").read_bytes())
    assert say("import", man, "--as", "smpl_neutral")[0] == EXIT_DONE


def test_list_fits_a_page_and_shows_the_source_of_missing_files(say: Say) -> None:
    out = say("list")[1].splitlines()
    table = out[: out.index("")]
    assert max(map(len, table)) <= 100
    assert any(line.split() == ["poco_cliff", "missing", "non-commercial", "research", "(MPI)"] for line in table)
    assert out[out.index("  https://poco.is.tue.mpg.de") + 1] == "    poco_cliff.pt  poco_pare.pt"
    assert out[out.index("  https://smpl.is.tue.mpg.de") + 1] == "    SMPL_NEUTRAL.pkl"


def test_pull_of_a_file_that_must_be_imported_shows_its_source(say: Say) -> None:
    code, _, err = say("pull", "poco_cliff")
    assert code == EXIT_NOT_STARTED
    assert err == (
        "remi-stream: poco_cliff is missing and cannot be pulled (licence: non-commercial research (MPI)). "
        "Get it from https://poco.is.tue.mpg.de, then: remi-stream models import poco_cliff.pt\n"
    )


def test_what_was_converted_from_a_model_goes_with_it(folder: Path, tmp_path: Path, say: Say) -> None:
    from remi_stream.inference import onnx_cache

    say("import", folder / "checkpoint_8.pth.tar")
    file: ModelFile = find_model_file("smoothnet_w8")
    converted = onnx_cache.onnx_path(file)
    converted.parent.mkdir(parents=True)
    converted.touch()
    say("remove", "smoothnet_w8")
    assert not converted.exists()


MANIFEST = """
what = "Dots"
adapter = "onnx"
licence = "MIT"
skeleton = "dots"
runtime = "onnx"
[runtimes.onnx]
[network]
size = [32, 32]
keypoints = { output = "out", unit = "pixels" }
skeleton = { joints = ["a"] }
[[weights]]
name = "dots"
file = "dots.onnx"
licence = "MIT"
source = "https://example.org"
"""


def test_network_with_a_manifest_is_imported_by_its_name_and_used_from_beside_it(tmp_path: Path, say: Say) -> None:
    import onnx
    from onnx import TensorProto, helper

    def write(name: str) -> Path:
        ports = [helper.make_tensor_value_info(port, TensorProto.FLOAT, ["N", 1, 2]) for port in ("image", name)]
        graph = helper.make_graph([helper.make_node("Relu", ["image"], [name])], "g", ports[:1], ports[1:])
        onnx.save(helper.make_model(graph), str(tmp_path / f"{name}.onnx"))
        return tmp_path / f"{name}.onnx"

    engines = tmp_path / "home" / "engines"
    engines.mkdir(parents=True)
    (engines / "dots.toml").write_text(MANIFEST)
    code, _, err = say("import", write("other"), "--as", "dots")
    assert (code, err) == (
        EXIT_NOT_STARTED,
        "remi-stream: other.onnx has no output out, which the manifest of dots names (it has: other).\n",
    )
    assert say("import", write("out"), "--as", "dots")[0] == EXIT_DONE
    assert say("remove", "dots")[1] == "dots: removed\n"
    write("out").rename(engines / "dots.onnx")
    assert [line.split()[:2] for line in say("list")[1].splitlines() if "dots" in line] == [["dots", "ready"]]
    assert say("import", engines / "dots.onnx", "--as", "dots")[0] == EXIT_USAGE
    assert say("remove", "dots")[0] == EXIT_USAGE
    assert (engines / "dots.onnx").is_file()
