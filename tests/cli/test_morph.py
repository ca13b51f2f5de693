"""`remi-stream morph`: the files that it writes, and its errors."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from remi_stream import cli
from remi_stream.errors import EXIT_DONE, EXIT_NOT_STARTED, EXIT_USAGE
from remi_stream.morph.files import read_mesh
from tests.morph.meshes import body, cube, write_obj, write_scene

Run = Callable[..., tuple[int, str, str]]
QUICK = ("--frames", "3", "--size", "96x80")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in tmp_path; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def morph(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["remi-stream", "morph", *map(str, words)])
        code = cli.main()
        return code, *capsys.readouterr()

    return morph


@pytest.fixture
def bodies(tmp_path: Path) -> tuple[Path, Path]:
    """The default body in two poses, with a texture each."""
    textures = [np.full((16, 16, 3), 90, np.uint8) for _ in range(2)]
    textures[1][:8] += 30
    return (
        write_obj(tmp_path / "straight.obj", *body(0.0), textures[0]),
        write_obj(tmp_path / "bent.obj", *body(1.0), textures[1]),
    )


def cubes(folder: Path, *sizes: float) -> list[Path]:
    """Cubes of sizes, as c1.obj and so on."""
    folder.mkdir(exist_ok=True)
    return [write_obj(folder / f"c{number}.obj", *cube(size)) for number, size in enumerate(sizes, start=1)]


def files_in(folder: Path) -> dict[str, bytes]:
    """Content of the files of a folder, by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_pair_makes_every_file_and_the_same_bytes_twice(run: Run, bodies: tuple[Path, Path], tmp_path: Path) -> None:
    words = (*bodies, "--frames", "3", "--size", "160x160")
    assert run(*words)[0] == EXIT_DONE
    folder = tmp_path / "morph" / "straight_to_bent"
    first = files_in(folder)
    assert sorted(first) == sorted(
        [*(f"frames/{k:06d}.png" for k in range(3)), *(f"meshes/{k:06d}.obj" for k in range(3)), "morph.mp4"]
        + ["displacement.png", "displacements.csv", "statistics.csv", "texture_difference.png", "texture_differences.csv"]
    )
    assert run(*words, "--overwrite")[0] == EXIT_DONE
    assert files_in(folder) == first
    assert "started: morph" in (tmp_path / "morph" / "session.log").read_text()


def test_the_tables_contain_the_differences(run: Run, bodies: tuple[Path, Path], tmp_path: Path) -> None:
    run(*bodies, *QUICK)
    folder = tmp_path / "morph" / "straight_to_bent"
    (a, _), (b, _) = body(0.0), body(1.0)
    rows = table(folder / "displacements.csv")
    moved = np.array([[float(row[name]) for name in ("dx", "dy", "dz")] for row in rows])
    assert np.allclose(moved, b - a, atol=1e-6)
    lengths = np.linalg.norm(b - a, axis=1)
    (row,) = table(folder / "statistics.csv")
    assert float(row["displacement_mean"]) == pytest.approx(lengths.mean(), abs=1e-6)
    assert float(row["displacement_p95"]) == pytest.approx(np.percentile(lengths, 95), abs=1e-6)
    assert int(row["displacement_max_vertex"]) == lengths.argmax()
    assert (row["vertices"], row["faces"]) == ("13524", "27036")
    assert float(row["max_y_a"]) == pytest.approx(a[:, 1].max(), abs=1e-6)
    assert float(row["texture_mean"]) == 15
    changed = {row["difference"] for row in table(folder / "texture_differences.csv")}
    assert {"0", "30"} <= changed


def test_the_video_has_every_frame_and_the_meshes_are_half_way(run: Run, tmp_path: Path) -> None:
    a, b = cubes(tmp_path / "in", 1.0, 2.0)
    assert run(a, b, "--frames", 5, "--size", "97x81", "--out", "out")[0] == EXIT_DONE
    with av.open(str(tmp_path / "out" / "c1_to_c2" / "morph.mp4")) as video:
        frames = list(video.decode(video=0))
    assert [round(frame.time * 20) for frame in frames if frame.time is not None] == [0, 1, 2, 3, 4]
    assert (frames[0].width, frames[0].height) == (98, 82)
    assert cv2.imread(str(tmp_path / "out" / "c1_to_c2" / "frames" / "000002.png")).shape == (81, 97, 3)
    half = read_mesh(tmp_path / "out" / "c1_to_c2" / "meshes" / "000002.obj")
    assert np.allclose(half.vertices, cube(1.5)[0])


def test_minimal_makes_images_only(run: Run, bodies: tuple[Path, Path], tmp_path: Path) -> None:
    code, out, _ = run(*bodies, *QUICK, "--minimal")
    assert code == EXIT_DONE
    assert "straight.obj to bent.obj: 3 frames in" in out
    names = sorted(files_in(tmp_path / "morph" / "straight_to_bent"))
    assert names == ["displacement.png", *(f"frames/{k:06d}.png" for k in range(3))]


def test_every_pair_of_a_folder_is_morphed(run: Run, tmp_path: Path) -> None:
    cubes(tmp_path / "in", 1.0, 2.0, 3.0)
    assert run("--batch", "in", *QUICK)[0] == EXIT_DONE
    rows = table(tmp_path / "morph" / "statistics.csv")
    assert [(row["a"], row["b"]) for row in rows] == [("c1.obj", "c2.obj"), ("c1.obj", "c3.obj"), ("c2.obj", "c3.obj")]
    assert all((tmp_path / "morph" / name / "morph.mp4").exists() for name in ("c1_to_c2", "c1_to_c3", "c2_to_c3"))


def test_meshes_of_the_same_name_keep_their_suffixes(run: Run, tmp_path: Path) -> None:
    cubes(tmp_path / "in", 1.0)
    write_scene(tmp_path / "in" / "c1.ply", *cube(2.0))
    assert run("--batch", "in", *QUICK, "--minimal")[0] == EXIT_DONE
    assert (tmp_path / "morph" / "c1.obj_to_c1.ply").is_dir()


def test_a_bad_mesh_fails_only_its_pairs_and_is_reported_at_the_end(run: Run, tmp_path: Path) -> None:
    cubes(tmp_path / "in", 1.0, 2.0)
    (tmp_path / "in" / "bad.obj").write_text("v 0 0\n")
    write_scene(tmp_path / "in" / "body.ply", *body())
    code, out, err = run("--batch", "in", *QUICK, "--minimal")
    assert code == EXIT_NOT_STARTED
    assert "1 of 6 pairs -> morph" in out
    lines = [line.split("skipped: ")[1] for line in err.splitlines()]
    assert lines[0] == "bad.obj is not a valid OBJ file: line 1 is 'v 0 0'. Export it again"
    assert [line.split(" differ")[0] for line in lines[1:]] == [
        "body.ply (13524 vertices, 27036 faces) and c1.obj (8 vertices, 12 faces)",
        "body.ply (13524 vertices, 27036 faces) and c2.obj (8 vertices, 12 faces)",
    ]
    assert "skipped: bad.obj" in (tmp_path / "morph" / "session.log").read_text()


def test_no_texture_is_reported_in_a_line_and_none_is_compared(run: Run, bodies: tuple[Path, Path], tmp_path: Path) -> None:
    bodies[1].with_suffix(".mtl").write_text("newmtl skin\n")
    code, _, err = run(*bodies, *QUICK)
    assert code == EXIT_DONE
    assert err.splitlines()[-1].endswith("warning: no texture in bent.obj: textures are not compared")
    assert not (tmp_path / "morph" / "straight_to_bent" / "texture_differences.csv").exists()


def test_without_a_gpu_the_cpu_draws_and_says_so(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moderngl", None)
    code, _, err = run(*cubes(tmp_path / "in", 1.0, 2.0), *QUICK, "--gpu", "--minimal")
    assert code == EXIT_DONE
    assert "moderngl is missing" in err
    assert "Drawing on the CPU" in err
    assert len(err.splitlines()) == 1


WRONG = {
    "one mesh only": (["in/c1.obj"], "Give two meshes, A and B, or a folder of meshes: --batch DIR"),
    "a mesh and a folder": (["in/c1.obj", "in/c2.obj", "--batch", "in"], "Give two meshes"),
    "no such mesh": (["in/c1.obj", "in/c9.obj"], "in/c9.obj cannot be read: No such file or directory"),
    "no mesh": (["in/c1.obj", "in/c1.txt"], "in/c1.txt has the extension '.txt'; mesh formats: .obj"),
    "another topology": (["in/c1.obj", "fan.obj"], "differ in topology"),
    "an empty folder": (["--batch", "empty"], "empty contains no mesh files. Supported: .obj"),
    "a folder with one": (["--batch", "single"], "single contains only one mesh, c1.obj. A morph needs two"),
    "no folder": (["--batch", "nowhere"], "--batch nowhere is not a folder"),
    "a size of words": (["in/c1.obj", "in/c2.obj", "--size", "big"], "--size 'big' is not a size; allowed: WIDTHxHEIGHT"),
    "no such axis": (["in/c1.obj", "in/c2.obj", "--up", "x"], "Unknown axis for --up 'x'"),
    "no such level": (["in/c1.obj", "in/c2.obj", "--log-level", "loud"], "Unknown --log-level 'loud'"),
    "a file as --out": (["in/c1.obj", "in/c2.obj", "--out", "in/c1.obj"], "--out in/c1.obj cannot be a folder"),
}


@pytest.mark.parametrize("case", WRONG)
def test_invalid_arguments_are_reported_in_one_line(case: str, run: Run, tmp_path: Path) -> None:
    words, message = WRONG[case]
    cubes(tmp_path / "in", 1.0, 2.0)
    cubes(tmp_path / "single", 1.0)
    (tmp_path / "empty").mkdir()
    (tmp_path / "fan.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 3\n")
    code, out, err = run(*QUICK, *words)
    assert (code, out, err.count("\n")) == (EXIT_USAGE, "", 1)
    assert message in err


def test_existing_output_is_kept_without_overwrite(run: Run, tmp_path: Path) -> None:
    meshes = cubes(tmp_path / "in", 1.0, 2.0)
    assert run(*meshes, *QUICK, "--minimal")[0] == EXIT_DONE
    code, _, err = run(*meshes, *QUICK)
    assert code == EXIT_USAGE
    assert "morph/c1_to_c2 already exists. Give --overwrite" in err
    assert run("--batch", "in", *QUICK)[0] == EXIT_USAGE


def test_a_failed_morph_leaves_only_the_log(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    meshes = cubes(tmp_path / "in", 1.0, 2.0)
    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = run(*meshes, *QUICK)
    assert code == EXIT_NOT_STARTED
    assert "Cannot write morph/c1_to_c2: No space left on device" in err
    assert [path.name for path in (tmp_path / "morph").iterdir()] == ["session.log"]
