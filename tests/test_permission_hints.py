"""Hints for folders and files that cannot be written or read, on a machine and in a container."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from remi_stream import permission_hints
from remi_stream.permission_hints import empty_mount_hint, read_error_hint, write_error_hint

OURS = f"{os.geteuid()}:{os.getegid()}"
DENIED = OSError(errno.EACCES, "Permission denied")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    if os.geteuid():
        pytest.skip("needs root, to give a folder away")
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, 4321, 100)
    return folder


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("container", "oci")


@pytest.fixture
def no_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("container", raising=False)


@pytest.mark.usefixtures("no_container")
def test_folder_of_another_user_is_reported_with_both_users(theirs: Path) -> None:
    assert write_error_hint(theirs / "walk", DENIED, "Cure") == (
        f"{theirs} belongs to user 4321, and this is user {os.geteuid()}. "
        f"Give another folder, or make it yours: sudo chown {OURS} {theirs}"
    )


@pytest.mark.usefixtures("container")
def test_container_gets_the_option_to_start_it_with(theirs: Path) -> None:
    assert write_error_hint(theirs / "walk", DENIED, "Cure") == (
        f"{theirs} belongs to user 4321, and this is user {os.geteuid()}. Start the container with --user 4321:100, "
        f"or make the folder that is mounted there this user's: sudo chown {OURS} FOLDER"
    )


@pytest.mark.parametrize("error", [DENIED, OSError(errno.ENOSPC, "No space left on device")])
def test_our_own_folder_or_another_error_gets_the_remedy(error: OSError, tmp_path: Path) -> None:
    assert write_error_hint(tmp_path / "a" / "b", error, "Cure") == f"{error.strerror}. Cure"


@pytest.mark.usefixtures("container")
def test_mount_that_is_read_only_is_reported(tmp_path: Path) -> None:
    hint = write_error_hint(tmp_path / "walk", OSError(errno.EROFS, "Read-only file system"), "Cure")
    assert hint == f"{tmp_path} is mounted read-only. Mount it without :ro, or give another folder"


@pytest.mark.usefixtures("container")
def test_empty_folder_in_a_container_hints_at_a_mount(tmp_path: Path) -> None:
    words = f". {tmp_path} is empty: mount a folder there, with an absolute path: -v /PATH/FOLDER:{tmp_path}:ro"
    assert empty_mount_hint(tmp_path) == empty_mount_hint(tmp_path / "none.mp4") == words
    (tmp_path / "walk.mp4").touch()
    assert empty_mount_hint(tmp_path) == empty_mount_hint(tmp_path / "none.mp4") == ""


@pytest.mark.usefixtures("no_container")
def test_empty_folder_outside_a_container_has_no_hint(tmp_path: Path) -> None:
    assert empty_mount_hint(tmp_path) == ""


@pytest.mark.usefixtures("container")
def test_mount_of_a_missing_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = tmp_path / "input.mp4"
    video.mkdir()
    words = f". {video} is an empty folder: the file to mount must exist, and its path must be absolute: "
    assert empty_mount_hint(video) == f"{words}-v /PATH/FILE:{video}:ro"
    monkeypatch.chdir(tmp_path)
    assert empty_mount_hint(Path("input.mp4")) == f"{words}-v /PATH/FILE:{video}:ro"


@pytest.mark.usefixtures("container")
def test_mapped_user_ids_hint_at_keep_id(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permission_hints, "_has_mapped_ids", lambda: True)
    assert write_error_hint(theirs / "walk", DENIED, "Cure").endswith('podman run --userns=keep-id --user "$(id -u):$(id -g)"')


@pytest.mark.parametrize(
    ("container", "cure"), [("oci", "Start the container with --user 4321:100, or make it"), ("", "Make it")]
)
def test_folder_that_may_not_be_read_is_reported_with_its_user(
    container: str, cure: str, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("container", container)
    hint = f"{theirs} belongs to user 4321, and this is user {os.geteuid()}, who may not read it. {cure} readable for all"
    assert read_error_hint(theirs).startswith(hint)


@pytest.mark.usefixtures("no_container")
@pytest.mark.parametrize("folder", ["/", "/root", "/home", "/home/anna", "/etc/ssl", "/usr/share/models", "/var/lib", "/opt"])
def test_no_command_is_suggested_that_opens_or_gives_away_a_folder_of_the_system(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != Path(folder))
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    monkeypatch.setattr(Path, "stat", lambda path: os.stat("/"))
    monkeypatch.setattr(Path, "lstat", lambda path: os.stat("/"))
    hints = read_error_hint(Path(folder) / "models" / "a.pt"), write_error_hint(Path(folder), DENIED, "Cure")
    assert hints[0].endswith("Move a.pt to a folder that this user may read")
    assert hints[1].endswith("Give another folder")
    assert not any(word in hint for hint in hints for word in ("sudo", "chmod", "chown"))


@pytest.mark.usefixtures("no_container")
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_command_opens_no_more_than_what_is_closed(kind: str, theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = theirs / "my models" / "a.pt"
    file.parent.mkdir()
    file.touch()
    closed = file if kind == "file" else file.parent
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != closed)
    wanted = f"(sudo chmod {'a+r' if kind == 'file' else 'a+rx'} '{closed}'), or move a.pt elsewhere"
    assert read_error_hint(file).endswith(wanted)
