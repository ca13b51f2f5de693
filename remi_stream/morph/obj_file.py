"""Wavefront OBJ: reads meshes with the texture of the MTL file, and writes shapes.

UV seams split no vertices, so that the vertices of two meshes correspond.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from remi_stream.errors import UsageError
from remi_stream.morph.mesh import Texture, TriangleMesh, fan_triangles, read_texture_image


def encode_obj(vertices: np.ndarray, faces: bytes) -> bytes:
    """Encode an OBJ file from vertices (V, 3) and encoded face lines."""
    return ("v %.7g %.7g %.7g\n" * len(vertices) % tuple(vertices.ravel().tolist())).encode() + faces


def encode_obj_faces(faces: np.ndarray) -> bytes:
    """Encode the OBJ lines of faces (F, 3)."""
    return ("f %d %d %d\n" * len(faces) % tuple((faces + 1).ravel().tolist())).encode()


log = logging.getLogger(__name__)


class ObjParser:
    """Parses an OBJ file line by line; indices become 0-based."""

    def __init__(self) -> None:
        self.vertices: list[list[float]] = []
        self.uv: list[list[float]] = []
        self.polygon_sizes: list[int] = []
        """Number of corners of each polygon."""
        self.corners: list[int] = []
        """Vertex indices of all corners, polygon by polygon."""
        self.uv_corners: list[int] = []
        """Indices into uv, -1 without one."""
        self.libraries: list[str] = []
        """MTL files."""
        self.materials: dict[str, None] = {}
        """Names of materials in use, as an ordered set."""

    def parse_line(self, line: str) -> None:
        """Parse a line. Raises ValueError, IndexError."""
        word, _, rest = line.partition(" ")
        if word == "v":
            self.vertices.append(parse_floats(rest, 3))
        elif word == "vt":
            self.uv.append(parse_floats(rest, 2)[:2])
        elif word == "f":
            self._add_face(rest.split())
        elif word == "mtllib":
            self.libraries.append(rest.strip())
        elif word == "usemtl":
            self.materials[rest.strip()] = None

    def _add_face(self, corners: list[str]) -> None:
        self.polygon_sizes.append(len(corners))
        for corner in corners:
            vertex, _, more = corner.partition("/")
            uv = more.partition("/")[0]
            self.corners.append(zero_based_index(int(vertex), len(self.vertices)))
            self.uv_corners.append(zero_based_index(int(uv), len(self.uv)) if uv else -1)


def parse_floats(text: str, minimum: int) -> list[float]:
    """Parse the numbers of a line, at least `minimum`. Raises ValueError."""
    values = [float(word) for word in text.split()]
    if len(values) < minimum:
        raise ValueError(f"{len(values)} numbers")
    return values


def zero_based_index(index: int, count: int) -> int:
    """Convert an OBJ index (1-based, negative from the end) to a 0-based index. Raises ValueError."""
    if index == 0:
        raise ValueError("index 0")
    return index - 1 if index > 0 else count + index


def read_obj(path: Path) -> TriangleMesh:
    """Read the mesh of an OBJ file. Raises UsageError, OSError."""
    parser = _parse(path)
    triangles = fan_triangles(np.array(parser.polygon_sizes, int))
    vertices = np.array([vertex[:3] for vertex in parser.vertices], float).reshape(-1, 3)
    return TriangleMesh(
        path.name,
        vertices,
        np.array(parser.corners, np.int32)[triangles] if len(triangles) else np.zeros((0, 3), np.int32),
        texture=_texture(path, parser, triangles),
        vertex_rgb=_colours(parser.vertices),
    )


def _parse(path: Path) -> ObjParser:
    parser = ObjParser()
    # replace: names and comments in other encodings must not stop the mesh from being read
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            try:
                parser.parse_line(line.strip())
            except (ValueError, IndexError):
                raise UsageError(
                    f"{path.name} is not a valid OBJ file: line {number} is {line.strip()!r:.40}. Export it again"
                ) from None
    return parser


def _colours(vertices: list[list[float]]) -> np.ndarray | None:
    """Vertex colours after the coordinates, an extension of ZBrush and MeshLab."""
    if not vertices or any(len(vertex) != 6 for vertex in vertices):
        return None
    return (np.array(vertices)[:, 3:].clip(0, 1) * 255).round().astype(np.uint8)


def _texture(path: Path, parser: ObjParser, triangles: np.ndarray) -> Texture | None:
    corners = np.array(parser.uv_corners, int)
    if not parser.uv or not len(triangles) or corners.min() < 0 or corners.max() >= len(parser.uv):
        return None
    maps = dict(pair for library in parser.libraries for pair in _read_texture_maps(path.with_name(library)))
    images = {maps[name]: None for name in parser.materials if name in maps}
    if len(images) > 1:
        log.warning("%s has %d textures: they are neither compared nor drawn", path.name, len(images))
    if len(images) != 1 or (image := read_texture_image(path.parent / next(iter(images)))) is None:
        return None
    return Texture(image, np.array(parser.uv, float), corners[triangles])


def _read_texture_maps(library: Path) -> list[tuple[str, str]]:
    """Read the materials of an MTL file with their texture file names."""
    try:
        text = library.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        log.warning("material file %s cannot be read: %s", library, error.strerror)
        return []
    maps, material = [], ""
    for line in text.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "newmtl":
            material = rest.strip()
        elif word == "map_Kd" and rest.strip():
            # with options (-bm 1 -s 1 1 1 file.png) the file name is last and has no spaces; without, it may have some
            maps.append((material, rest.split()[-1] if rest.startswith("-") else rest.strip().replace("\\", "/")))
    return maps
