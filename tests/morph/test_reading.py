"""Mesh files: the same body from every format."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from remi_stream.errors import EXIT_NOT_STARTED, RemiError, UsageError
from remi_stream.morph.files import read_mesh
from remi_stream.morph.mesh import fan_triangles, require_same_topology
from tests.morph.meshes import body, cube, flat, write_binary_fbx, write_fbx, write_obj, write_scene

WRITERS = {".obj": write_obj, ".ply": write_scene, ".glb": write_scene, ".fbx": write_fbx}


@pytest.mark.parametrize("ending", WRITERS)
def test_the_body_is_the_same_in_every_format(ending: str, tmp_path: Path) -> None:
    vertices, faces = body(0.4)
    mesh = read_mesh(WRITERS[ending](tmp_path / f"body{ending}", vertices, faces))
    assert np.abs(mesh.vertices - vertices).max() < 1e-6
    assert np.array_equal(mesh.faces, faces)


def test_a_binary_fbx_is_the_same_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # overwrites freed memory in the process that reads the file: ufbx 0.0.5 crashes when its objects are freed
    monkeypatch.setenv("PYTHONMALLOC", "debug")
    vertices, faces = body(0.4)
    mesh = read_mesh(write_binary_fbx(tmp_path / "body.fbx", vertices, faces))
    assert np.abs(mesh.vertices - vertices).max() < 1e-6
    assert np.array_equal(mesh.faces, faces)


def test_an_fbx_in_centimetres_with_z_up_comes_in_metres_with_y_up(tmp_path: Path) -> None:
    vertices, faces = cube()
    vertices[:, 1] += 3
    z_up = np.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], 1) * 100
    mesh = read_mesh(write_fbx(tmp_path / "cube.fbx", z_up, faces, "z", centimetres=1))
    assert np.allclose(mesh.vertices, vertices)
    assert mesh.unit == "m"


def test_quads_become_triangles(tmp_path: Path) -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    fbx = read_mesh(write_fbx(tmp_path / "quad.fbx", vertices, np.array([[0, 1, 2, 3]])))
    (tmp_path / "quad.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nf -4 -3 -2 -1\n")
    assert fbx.faces.tolist() == read_mesh(tmp_path / "quad.obj").faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert fan_triangles(np.array([3, 5, 2, 4])).tolist() == [
        [0, 1, 2],
        [3, 4, 5],
        [3, 5, 6],
        [3, 6, 7],
        [10, 11, 12],
        [10, 12, 13],
    ]


def test_an_obj_has_its_texture_and_keeps_its_vertices(tmp_path: Path) -> None:
    vertices, faces = cube()
    texture = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    mesh = read_mesh(write_obj(tmp_path / "cube.obj", vertices, faces, texture))
    assert mesh.texture is not None
    assert np.array_equal(mesh.texture.image, texture)
    assert np.allclose(mesh.texture.uv[mesh.texture.faces], flat(vertices)[faces])
    assert np.allclose(mesh.vertices, vertices)


def test_a_glb_has_its_texture_the_right_way_up(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    from PIL import Image

    vertices, faces = cube()
    texture = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(texture))
    visual = trimesh.visual.TextureVisuals(flat(vertices), material)
    trimesh.Trimesh(vertices, faces, visual=visual, process=False).export(tmp_path / "cube.glb")
    mesh = read_mesh(tmp_path / "cube.glb")
    assert mesh.texture is not None
    assert np.array_equal(mesh.texture.image, texture)
    assert np.allclose(mesh.texture.uv, flat(vertices), atol=1e-6)


def test_missing_texture_is_logged_and_the_mesh_is_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_obj(tmp_path / "cube.obj", *cube(), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "cube.png").unlink()
    assert read_mesh(path).texture is None
    assert "cube.png cannot be read: No such file or directory" in caplog.text


BAD = {
    "text.obj": (b"v 0 0 0\nv 1 x 0\n", "not a valid OBJ file: line 2 is 'v 1 x 0'"),
    "points.obj": (b"v 0 0 0\nv 1 0 0\n", "not a mesh: it has 2 vertices and no faces"),
    "empty.obj": (b"", "not a mesh: it has 0 vertices and no faces"),
    "beyond.obj": (b"v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 4\n", "a face index exceeds its 3 vertices"),
    "nan.obj": (b"v 0 0 0\nv 1 nan 0\nv 1 1 0\nf 1 2 3\n", "not all of its vertices are finite"),
    "noise.ply": (b"ply? no", "is not a readable mesh"),
    "noise.glb": (b"\0" * 40, "is not a readable mesh"),
    "noise.fbx": (b"hello", "is not a readable FBX file"),
    "picture.png": (b"", "mesh formats: .obj, .ply, .glb, .gltf, .fbx"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_mesh_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    data, words = BAD[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError) as error:
        read_mesh(tmp_path / name)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("ending", WRITERS)
def test_missing_file_is_reported(ending: str, tmp_path: Path) -> None:
    with pytest.raises(RemiError, match=r"nowhere\.\w+ cannot be read: No such file or directory\. Give a mesh: \.obj, "):
        read_mesh(tmp_path / f"nowhere{ending}")


@pytest.mark.parametrize(("ending", "library"), [(".glb", "trimesh"), (".fbx", "ufbx")])
def test_missing_library_is_reported_with_how_to_install_it(
    ending: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = WRITERS[ending](tmp_path / f"cube{ending}", *cube())
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(RemiError, match=rf"needs {library}, which is missing .*pip install .*\[mesh\]") as error:
        read_mesh(path)
    assert error.value.exit_code == EXIT_NOT_STARTED


def test_meshes_of_other_counts_or_other_corners_are_not_of_one_topology(tmp_path: Path) -> None:
    vertices, faces = cube()
    a = read_mesh(write_obj(tmp_path / "a.obj", vertices, faces))
    fewer = read_mesh(write_obj(tmp_path / "fewer.obj", vertices, faces[1:]))
    other = read_mesh(write_obj(tmp_path / "other.obj", vertices, faces[::-1]))
    require_same_topology(a, a)
    with pytest.raises(UsageError, match=r"a.obj \(8 vertices, 12 faces\) and fewer.obj \(8 vertices, 11 faces\) differ"):
        require_same_topology(a, fewer)
    with pytest.raises(UsageError, match="12 of 12 faces have other vertices"):
        require_same_topology(a, other)
