from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from remi_stream.paths import sample_clip
from tests.containers.image import BASE, Image, Storage
from tests.morph.meshes import body, write_obj, write_scene

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

LARGEST_BYTES = 1.2e9
OTHER_USER = ("--user", "12345", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
NOT_ROOT = 1000
HEALTH = ("python", "-m", "remi_stream.cli.container.healthcheck")
ZOMBIES = "grep -h '^State:.*zombie' /proc/[0-9]*/status"
PIDS = "print(*(path.split('/')[2] for path in glob('/proc/[0-9]*/cmdline') if b'\\0stage\\0pose\\0' in open(path, 'rb').read()))"
POSE = ("python", "-c", f"from glob import glob; {PIDS}")
LEFT_OVER = """
find /opt /root /src /wheel /pulled -name '*.whl' -o -name pip -o -name hatchling -o -name .cache 2>/dev/null
command -v gcc cc make cmake
ls -A /models /out /tmp
exit 0
"""


@pytest.fixture(scope="module")
def image(storage: Storage) -> Image:
    return storage.build("Dockerfile.cpu", "remi-stream:cpu")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("walk.mp4", "turn.mp4"):
        shutil.copy(sample_clip(), folder / name)
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder of the image's user."""
    folder = tmp_path / "out"
    folder.mkdir()
    os.chown(folder, NOT_ROOT, NOT_ROOT)
    return folder


def mounted(folder: Path, out: Path | None = None) -> list[str]:
    return ["-v", f"{folder}:/in:ro", *(["-v", f"{out}:/out"] if out else [])]


def test_demo_runs_for_any_user_with_nothing_but_its_files(image: Image) -> None:
    done = image.run("demo", "--duration", "10", "--viewer", "none", options=OTHER_USER)
    assert done.returncode == 0, done.stderr
    assert re.search(r"sample: [1-9]\d* bodies/s", done.stderr), done.stderr


def test_default_engine_runs_with_an_empty_models_mount(image: Image, videos: Path, out: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir(mode=0o555)
    options = [*mounted(videos, out), "-v", f"{models}:/models"]
    done = image.run("video", "/in/walk.mp4", "--end", "0.1", "--out", "/out", options=options)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(models.iterdir()) == []


def test_video_in_results_out_in_a_folder_that_is_there_already(image: Image, videos: Path, out: Path) -> None:
    what = ("--format", "alphapose-open", "--save-video", "--end", "0.3")
    done = image.run("video", "/in/walk.mp4", "--out", "/out", *what, options=mounted(videos, out))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"walk: 9 frames, 1 person, in .* -> /out/walk\n", done.stdout)
    assert list(json.loads((out / "walk" / "alphapose-results.json").read_text())) == [f"{number}.jpg" for number in range(9)]
    assert int(cv2.VideoCapture(str(out / "walk" / "walk.mp4")).get(cv2.CAP_PROP_FRAME_COUNT)) == 9
    assert {path.stat().st_uid for path in out.rglob("*")} == {NOT_ROOT}
    assert [path.name for path in out.iterdir()] == ["walk"]


def test_each_video_of_a_folder_gets_a_folder(image: Image, videos: Path, out: Path) -> None:
    done = image.run("video", "/in", "--out", "/out", "--end", "0.1", options=mounted(videos, out))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == ["turn", "walk"]


def test_folder_of_images(image: Image, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    has_frame, frame = cv2.VideoCapture(str(sample_clip())).read()
    assert has_frame
    cv2.imwrite(str(folder / "one.png"), frame)
    done = image.run("images", "/in", "--out", "/out", "--format", "csv", options=mounted(folder, out))
    assert done.returncode == 0, done.stderr
    assert "1 image, 1 person" in done.stdout


def test_folder_of_meshes(image: Image, out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "meshes"
    folder.mkdir()
    write_obj(folder / "straight.obj", *body())
    write_scene(folder / "bent.glb", *body(0.5))
    done = image.run("morph", "--batch", "/in", "--out", "/out", "--frames", "3", "--size", "64x64", options=mounted(folder, out))
    assert done.returncode == 0, done.stderr
    assert "1 of 1 pairs -> /out" in done.stdout
    assert {path.name for path in (out / "bent_to_straight").iterdir()} >= {"morph.mp4", "meshes", "statistics.csv"}


def nothing(tmp_path: Path) -> list[str]:
    (tmp_path / "empty").mkdir()
    return mounted(tmp_path / "empty")


def of_root(tmp_path: Path) -> list[str]:
    (tmp_path / "roots").mkdir()
    return ["-v", f"{tmp_path / 'roots'}:/out"]


def of_another_user(tmp_path: Path) -> list[str]:
    (tmp_path / "theirs").mkdir(mode=0o755)
    os.chown(tmp_path / "theirs", 4321, 100)
    return ["-v", f"{tmp_path / 'theirs'}:/out"]


def closed(tmp_path: Path) -> list[str]:
    (tmp_path / "closed").mkdir(mode=0o700)
    os.chown(tmp_path / "closed", 4321, 100)
    return mounted(tmp_path / "closed")


def read_only(tmp_path: Path) -> list[str]:
    (tmp_path / "ours").mkdir()
    return ["-v", f"{tmp_path / 'ours'}:/out:ro"]


CLIP = "/opt/remi-stream/lib/python3.11/site-packages/remi_stream/data/sample.mp4"
VIDEO = ["video", CLIP, "--out", "/out"]
HERE = "/in is empty: mount a folder there, with an absolute path: -v /PATH/FOLDER:/in:ro"
MISTAKES: dict[str, tuple[Callable[[Path], list[str]], list[str], str]] = {
    "no mount": (lambda _: [], ["video", "/in/walk.mp4", "--out", "/out"], f"No such video file: /in/walk.mp4. .* {HERE}"),
    "no videos": (nothing, ["video", "/in", "--out", "/out"], f"No video in folder /in; .* {HERE}"),
    "no images": (nothing, ["images", "/in", "--out", "/out"], f"No images in folder /in; .*{HERE}"),
    "no pipeline": (nothing, ["run", "/in/cameras.yaml"], f"Cannot read /in/cameras.yaml: .*{HERE}"),
    "no recording": (nothing, ["play", "/in/walk"], f"No such recording: /in/walk. .*{HERE}"),
    "an unreadable video": (
        closed,
        ["video", "/in/sample.mp4", "--out", "/out"],
        "Cannot read /in/sample.mp4: /in belongs to user 4321, and this is user 1000, who may not read it. "
        "Start the container with --user 4321:100, or make it readable for all where it is mounted from: chmod -R a\\+rX FOLDER",
    ),
    "an unreadable recording": (
        closed,
        ["export", "/in/walk", "--to", "csv"],
        "Cannot access /in/walk: /in belongs to user 4321, .*",
    ),
    "no meshes": (nothing, ["morph", "--batch", "/in", "--out", "/out"], f"/in contains no mesh files.*{HERE}"),
    "root's folder": (
        of_root,
        VIDEO,
        "Cannot write /out/sample: /out belongs to user 0, and this is user 1000. "
        "Make the folder that is mounted there this user's: sudo chown 1000:1000 FOLDER",
    ),
    "a folder of another user": (
        of_another_user,
        VIDEO,
        "Cannot write /out/sample: /out belongs to user 4321, and this is user 1000. "
        "Start the container with --user 4321:100, or make .* sudo chown 1000:1000 FOLDER",
    ),
    "a read-only folder": (
        read_only,
        VIDEO,
        "Cannot write /out/sample: /out is mounted read-only. Mount it without :ro, or give another folder",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_wrong_mount_is_reported_in_one_line(image: Image, mistake: str, tmp_path: Path) -> None:
    options, arguments, words = MISTAKES[mistake]
    done = image.run(*arguments, options=options(tmp_path))
    assert re.fullmatch(f"remi-stream: {words}\n", done.stderr), done.stderr
    assert done.returncode in (2, 3)


def test_daemon_is_healthy_reaps_zombies_and_stops_as_process_1(image: Image) -> None:
    with image.running("demo", "--bind", "0.0.0.0") as container:
        assert container.wait_for_line(r"viewer (\S+)")[1] == "http://127.0.0.1:7710/", "the token is in the container's log"
        assert container.do("remi-stream", "view").stdout.startswith("http://127.0.0.1:7710/?token=")
        container.wait_for_line("[1-9][0-9]* bodies/s")
        assert container.health() == 0
        pose = container.do(*POSE).stdout.strip()
        container.do("sh", "-c", f"kill -9 {pose}")
        container.wait_until(lambda pid: pid not in ("", pose), *POSE)
        container.wait_until(lambda text: '"pose": "ready"' in text, *HEALTH)
        assert container.do("sh", "-c", ZOMBIES).stdout == ""
        code, took_s = container.stop()
    assert code == 0
    assert took_s < 10


def test_video_is_never_unhealthy_and_stops_as_process_1(image: Image, videos: Path) -> None:
    with image.running("video", "/in/walk.mp4", "--out", "/out", options=mounted(videos)) as container:
        container.wait_until(lambda names: names == ".walk.part", "ls", "-A", "/out")
        assert container.health() == 0
        code, took_s = container.stop()
    assert code == 130
    assert took_s < 10


def test_image_contains_no_build_leftovers(image: Image) -> None:
    done = image.run("-c", LEFT_OVER, options=["--entrypoint", "sh"])
    assert done.stdout.split() == ["/models:", "/out:", "/tmp:"], done.stdout


def test_image_is_small_and_labelled(image: Image) -> None:
    done = image.storage.podman("image", "inspect", image.name)
    (facts,) = json.loads(done.stdout)
    assert facts["Size"] < LARGEST_BYTES
    assert facts["Config"]["User"] == "1000:1000"
    assert facts["Config"]["Labels"]["org.opencontainers.image.title"] == "remi-stream"
    assert facts["Config"]["Labels"]["org.opencontainers.image.base.name"] == BASE
    assert set(facts["Config"]["Volumes"]) == {"/in", "/out", "/models"}
