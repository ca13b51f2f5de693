"""Meshes to morph: the open body in two poses, and writers of mesh files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from remi_stream.body.smpl import load_default_body

ELBOWS, SHOULDERS = (18, 19), (16, 17)


def body(bend: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) float64, m, y up, and faces (F, 3) of the open body, its arms lowered and bent by so many radians."""
    open_body, pose = load_default_body(), np.zeros((23, 3), np.float32)
    for (shoulder, elbow), side in zip(zip(SHOULDERS, ELBOWS), (-1, 1)):
        pose[shoulder - 1, 2], pose[elbow - 1, 1] = side * bend, side * bend
    zero = np.zeros(3, np.float32)
    vertices = open_body.vertices(zero, pose.ravel(), np.zeros(10, np.float32), zero)
    return vertices.astype(float), open_body.faces


def cube(size: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (8, 3) around the origin and faces (12, 3), outwards."""
    vertices = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) * size
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return vertices, np.array([triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))])


def write_obj(path: Path, vertices: np.ndarray, faces: np.ndarray, texture: np.ndarray | None = None) -> Path:
    """Write an OBJ; with a texture (h, w, 3) uint8 RGB also its MTL and PNG, mapped by x and y."""
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices.tolist()]
    if texture is None:
        lines += [f"f {i} {j} {k}" for i, j, k in (faces + 1).tolist()]
    else:
        lines = [f"mtllib {path.stem}.mtl", "usemtl skin", *lines]
        lines += [f"vt {u:.6f} {v:.6f}" for u, v in flat(vertices).tolist()]
        lines += [f"f {i}/{i} {j}/{j} {k}/{k}" for i, j, k in (faces + 1).tolist()]
        path.with_suffix(".mtl").write_text(f"newmtl skin\nmap_Kd {path.stem}.png\n")
        cv2.imwrite(str(path.with_suffix(".png")), texture[..., ::-1])
    path.write_text("\n".join(lines) + "\n")
    return path


def flat(vertices: np.ndarray) -> np.ndarray:
    """Texture coordinates (V, 2): x and y, from 0 to 1."""
    low, high = vertices.min(0)[:2], vertices.max(0)[:2]
    return (vertices[:, :2] - low) / (high - low)


def write_scene(path: Path, vertices: np.ndarray, faces: np.ndarray) -> Path:
    """Write a PLY or a GLB."""
    import trimesh

    trimesh.Trimesh(vertices, faces, process=False).export(path)
    return path


def write_fbx(path: Path, vertices: np.ndarray, faces: np.ndarray, up: str = "y", centimetres: float = 100.0) -> Path:
    """Write an FBX as text: one mesh, with so many centimetres to a unit. Polygons (F, K) may have any number of corners."""
    corners = faces.astype(int).copy()
    corners[:, -1] = ~corners[:, -1]
    upwards, front = {"y": (1, 2), "z": (2, 1)}[up]
    path.write_text(
        FBX
        % (
            upwards,
            front,
            -1 if up == "z" else 1,
            centimetres,
            vertices.size,
            ",".join(map(repr, vertices.ravel().tolist())),
            corners.size,
            ",".join(map(str, corners.ravel().tolist())),
        )
    )
    return path


def write_binary_fbx(path: Path, vertices: np.ndarray, faces: np.ndarray) -> Path:
    """Write an FBX as most programs do: one mesh, in centimetres, y up. vertices: (V, 3), m."""
    corners = faces.astype(int).copy()
    corners[:, -1] = ~corners[:, -1]
    unit = (b"P", [b"UnitScaleFactor", b"double", b"Number", b"", 1.0], [])
    sides = {b"UpAxis": 1, b"FrontAxis": 2, b"CoordAxis": 0}
    axes = [(b"P", [name, b"int", b"Integer", b"", axis], []) for name, axis in sides.items()]
    signs = [(b"P", [name + b"Sign", b"int", b"Integer", b"", 1], []) for name in sides]
    geometry = [(b"Vertices", [vertices.ravel() * 100], []), (b"PolygonVertexIndex", [corners.ravel().astype("<i4")], [])]
    nodes = [
        (b"GlobalSettings", [], [(b"Properties70", [], [unit, *axes, *signs])]),
        (
            b"Objects",
            [],
            [(b"Geometry", [1001, b"body\0\1Geometry", b"Mesh"], geometry), (b"Model", [1002, b"body\0\1Model", b"Mesh"], [])],
        ),
        (b"Connections", [], [(b"C", [b"OO", *ends], []) for ends in ((1002, 0), (1001, 1002))]),
    ]
    data = b"Kaydara FBX Binary  \0\x1a\0" + struct.pack("<I", 7400)
    for node in nodes:
        data += _record(node, len(data))
    path.write_bytes(data + bytes(13))
    return path


def _record(node: Any, at: int) -> bytes:
    """A node of a binary FBX that begins at byte `at`."""
    name, properties, children = node
    values = b"".join(map(_value, properties))
    body = b""
    for child in children:
        body += _record(child, at + 13 + len(name) + len(values) + len(body))
    body += bytes(13) if children else b""
    end = at + 13 + len(name) + len(values) + len(body)
    return struct.pack("<IIIB", end, len(properties), len(values), len(name)) + name + values + body


def _value(value: Any) -> bytes:
    if isinstance(value, bytes):
        return b"S" + struct.pack("<I", len(value)) + value
    if isinstance(value, np.ndarray):
        data = value.tobytes()
        return (b"d" if value.dtype == float else b"i") + struct.pack("<III", len(value), 0, len(data)) + data
    return b"D" + struct.pack("<d", value) if isinstance(value, float) else b"L" + struct.pack("<q", value)


FBX = """; FBX 7.4.0 project file
FBXHeaderExtension:  {
	FBXHeaderVersion: 1003
	FBXVersion: 7400
}
GlobalSettings:  {
	Version: 1000
	Properties70:  {
		P: "UpAxis", "int", "Integer", "",%d
		P: "UpAxisSign", "int", "Integer", "",1
		P: "FrontAxis", "int", "Integer", "",%d
		P: "FrontAxisSign", "int", "Integer", "",%d
		P: "CoordAxis", "int", "Integer", "",0
		P: "CoordAxisSign", "int", "Integer", "",1
		P: "UnitScaleFactor", "double", "Number", "",%g
	}
}
Objects:  {
	Geometry: 1001, "Geometry::body", "Mesh" {
		Vertices: *%d {
			a: %s
		}
		PolygonVertexIndex: *%d {
			a: %s
		}
		GeometryVersion: 124
	}
	Model: 1002, "Model::body", "Mesh" {
		Version: 232
	}
}
Connections:  {
	C: "OO",1002,0
	C: "OO",1001,1002
}
"""
