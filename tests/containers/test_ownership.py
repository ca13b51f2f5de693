"""Mounted folders that belong to another user."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from remi_stream.cli.container.mounted_weights import import_mounted
from remi_stream.errors import RemiError
from remi_stream.models import manifest, store
from remi_stream.models.manifest import find_model_file
from remi_stream.paths import shipped_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))


def as_user(uid: int, call: Callable[[], object]) -> str:
    """Run a call in a process of another user; return the message of its RemiError."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.setgid(uid)
            os.setuid(uid)
            call()
        except RemiError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as message:
        return message.read()


@pytest.fixture
def foreign() -> Iterator[Path]:
    """A folder with an SMPL file that other users can read but not write."""
    from tools.make_weights import MODELS

    file, write = MODELS["j_regressor_extra"]
    folder = Path("/tmp") / f"remi-foreign-{os.getpid()}"
    (folder / "smpl").mkdir(parents=True)
    write(folder / "smpl" / file, 1)
    folder.chmod(0o555)
    yield folder
    shutil.rmtree(folder)


@pytest.mark.skipif(os.getuid() != 0, reason="needs a second user, as whom only root can act")
def test_models_folder_of_another_user_is_reported_with_both_users(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMI_HOME", str(foreign))
    monkeypatch.setenv("container", "oci")
    # the checkout may be in a private folder, where the other user can neither look for files nor import modules
    shutil.copytree(shipped_folder("engines"), foreign / "shipped/engines")
    for module in (store, manifest):
        monkeypatch.setattr(module, "shipped_folder", lambda kind: foreign / "shipped" / kind)
    importlib.import_module("remi_stream.models.importer")
    wanted = [find_model_file("j_regressor_extra")]
    message = as_user(12345, lambda: import_mounted(wanted, [], print))
    assert message.startswith(
        f"The model store cannot be written: {foreign} belongs to user 0, and this is user 12345. Make the folder"
    )
