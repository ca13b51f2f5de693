from __future__ import annotations

import argparse
import pickle
import sys
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from remi_stream.errors import RemiError
from remi_stream.models.torch_file import read_torch_file

from .malice import NAMES, orders

LAYOUTS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def tensors() -> dict[str, torch.Tensor]:
    numbers = torch.arange(24.0)
    return {
        "whole": numbers.reshape(4, 6),
        "a view": numbers.reshape(4, 6)[1:3, ::2],
        "turned": numbers.reshape(4, 6).T,
        "half": numbers.half(),
        "brain": numbers.bfloat16(),
        "double": numbers.double(),
        "counts": torch.arange(5),
        "flags": torch.tensor([True, False]),
        "scalar": torch.tensor(3.0),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


@LAYOUTS
def test_tensors_are_those_of_torch(zipped: bool, tmp_path: Path) -> None:
    content = OrderedDict(tensors())
    torch.save(content, tmp_path / "some.pt", _use_new_zipfile_serialization=zipped)
    wanted = torch.load(tmp_path / "some.pt", weights_only=True)
    got = read_torch_file(tmp_path / "some.pt")
    assert got.keys() == content.keys()
    assert all(torch.equal(got[key], wanted[key]) and got[key].dtype == wanted[key].dtype for key in content)


@LAYOUTS
def test_objects_of_other_packages_are_stood_in_for_and_never_imported(zipped: bool, tmp_path: Path) -> None:
    from weights.containers import save
    from weights.stub_pickle import StubMap, stub_class

    config = stub_class("yacs.config.CfgNode", StubMap)(MODEL=stub_class("yacs.config.CfgNode", StubMap)(N=3))
    content = {
        "hyper_parameters": config,
        "callbacks": {stub_class("pytorch_lightning.callbacks.ModelCheckpoint"): {"best": torch.ones(1)}},
        "options": argparse.Namespace(seed=1),
        "path": tmp_path,
        "random_state": np.random.RandomState(1),
        "best": np.float64(0.5),
        "logs": defaultdict(list, a=[1]),
        "sizes": torch.zeros(2, 3).shape,
        "device": torch.device("cpu"),
        "kind": torch.float32,
        "state_dict": tensors(),
    }
    save(content, tmp_path / "some.ckpt", zipped)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "some.ckpt", weights_only=True)
    got = read_torch_file(tmp_path / "some.ckpt")
    assert all(torch.equal(got["state_dict"][key], value) for key, value in tensors().items())
    assert "yacs" not in sys.modules
    assert got["hyper_parameters"].items == {"MODEL": got["hyper_parameters"].items["MODEL"]}


@LAYOUTS
@pytest.mark.parametrize("name", NAMES)
def test_checkpoint_that_would_run_code_is_refused_and_runs_nothing(name: str, zipped: bool, tmp_path: Path) -> None:
    content: Any = {"state_dict": tensors(), "extra": orders(tmp_path / "trace")[name]}
    torch.save(content, tmp_path / "bad.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(RemiError, match=rf"^bad.pt would run code when it is read \(it asks for {name}\); it is refused\.$"):
        read_torch_file(tmp_path / "bad.pt")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "name", ["torch.hub.load", "torch.load", "ctypes.CDLL", "runpy._run_code", "os.path.join", "code.interact"]
)
def test_names_of_python_and_torch_are_refused_unless_tensors_need_them(name: str, tmp_path: Path) -> None:
    from weights.containers import save
    from weights.stub_pickle import stub_class

    save({"state_dict": tensors(), "extra": stub_class(name)()}, tmp_path / "bad.pt")
    with pytest.raises(RemiError, match=f"it asks for {name}"):
        read_torch_file(tmp_path / "bad.pt")


@LAYOUTS
@pytest.mark.parametrize("share", [0.0005, 0.3, 0.6, 0.999])
def test_file_that_is_cut_off_is_reported(zipped: bool, share: float, tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(10_000)}, tmp_path / "whole.pt", _use_new_zipfile_serialization=zipped)
    whole = (tmp_path / "whole.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(RemiError, match=r"^cut.pt is truncated or damaged, or not .+ \(.+\)\. Download it again\.$") as error:
        read_torch_file(tmp_path / "cut.pt")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x80\x02}q\x00.",
        b"\x80\x02]",
        pickle.dumps({"a": 1}),
        b"PK\x03\x04 no archive",
        b"\x80\x04\x95\xff\xff\xff",
    ],
)
def test_what_is_no_checkpoint_is_reported(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "some.pt").write_bytes(content)
    with pytest.raises(RemiError, match=r"some.pt is truncated or damaged, or not a checkpoint"):
        read_torch_file(tmp_path / "some.pt")


def test_view_beyond_its_numbers_is_damage(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(10), "o": argparse.Namespace()}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as whole, zipfile.ZipFile(tmp_path / "short.pt", "w") as short:
        for name in whole.namelist():
            content = whole.read(name)
            short.writestr(name, content[:8] if "/data/" in name else content)
    with pytest.raises(RemiError, match=r"short.pt is truncated or damaged"):
        read_torch_file(tmp_path / "short.pt")
