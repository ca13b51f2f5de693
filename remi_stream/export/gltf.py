"""Export a take as binary glTF 2.0 (.glb): skinned, animated meshes of all people, with the frames' own times.

Metres, y up, x right, z back to the camera, which is at the origin. Meshes have the median betas and move by linear blend
skinning with four joints per vertex; SMPL's pose correctives are not exported. A person out of sight has scale 0. The file is
built in memory: a JSON chunk and one binary chunk of all arrays.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from remi_stream import __version__
from remi_stream.atomic_files import atomic_file
from remi_stream.body.smpl import Body
from remi_stream.export.motion import MAX_GAP_S, PersonMotion, person_motion, to_y_up
from remi_stream.geometry import cross_product, unit_vectors
from remi_stream.recordings.take import SmplTrack, Take, retarget_to_available_body, smpl_tracks
from remi_stream.render.colours import track_colour
from remi_stream.skeletons import JOINT_NAMES, SMPL_PARENTS

GLB_MAGIC, JSON_CHUNK, BIN_CHUNK = 0x46546C67, 0x4E4F534A, 0x004E4942
"""ASCII "glTF", "JSON" and "BIN", little-endian (glTF 2.0, GLB file format)."""
COMPONENT_TYPES = {"|u1": 5121, "<u2": 5123, "<u4": 5125, "<f4": 5126}
"""glTF's componentType by NumPy dtype."""
ACCESSOR_TYPES: dict[tuple[int, ...], str] = {(): "SCALAR", (2,): "VEC2", (3,): "VEC3", (4,): "VEC4", (16,): "MAT4"}
BUFFER_TARGETS = {"vertices": 34962, "indices": 34963}
"""ARRAY_BUFFER and ELEMENT_ARRAY_BUFFER."""
SMPL_JOINT_NAMES = JOINT_NAMES["smpl24"]
JOINTS_PER_VERTEX = 4
"""glTF's JOINTS_0 and WEIGHTS_0 hold four joints per vertex."""
SCALE_VISIBLE, SCALE_HIDDEN = np.ones(3, np.float32), np.zeros(3, np.float32)
"""Scales of a person in sight and out of sight; glTF 2.0 cannot animate visibility."""


def write_gltf(take: Take, folder: Path) -> list[Path]:
    """Write `NAME.glb` with all people; no file if there are none. Raises OSError or RemiError."""
    tracks = smpl_tracks(take, "gltf")
    if not tracks:
        return []
    path = folder / f"{take.name}.glb"
    end_s = take.frames[-1].captured_at - take.frames[0].captured_at
    with atomic_file(path) as file:
        file.write(gltf_bytes(take.name, tracks, end_s, 1 / take.fps))
    return [path]


def gltf_bytes(name: str, tracks: list[SmplTrack], end_s: float, frame_s: float) -> bytes:
    """Return the bytes of the GLB file. end_s: time of the take's last frame; frame_s: duration of a frame."""
    scene = GltfScene()
    for track in tracks:
        scene.add_person(track, to_y_up(person_motion(track, retarget_to_available_body(track.body))), end_s, frame_s)
    return scene.to_bytes(name)


class GltfScene:
    """Builds a glTF scene person by person; people of one body share its faces and skin weights."""

    def __init__(self) -> None:
        self._glb = GlbBuilder()
        self._shared: dict[str, dict[str, int]] = {}
        self._parts: dict[str, list[dict[str, Any]]] = {"nodes": [], "meshes": [], "skins": [], "materials": []}
        self._roots: list[int] = []
        self._samplers: list[dict[str, Any]] = []
        self._channels: list[dict[str, Any]] = []

    def add_person(self, track: SmplTrack, motion: PersonMotion, end_s: float, frame_s: float) -> None:
        """Add a person: a node with mesh and skin, and the pelvis with all other joints below it."""
        rest = motion.body.rest_joints(motion.betas)
        # glTF refers to nodes by index: the person's node, then the pelvis and the other joints in SMPL's order
        root = len(self._parts["nodes"])
        skin = {"mesh": self._mesh(track, motion), "skin": self._skin(rest, root + 1)}
        person = {"name": track.name, "children": [root + 1], **skin, "extras": {"track_id": track.track_id}}
        self._parts["nodes"] += [person, *_joints(rest, root + 1)]
        self._roots.append(root)
        self._animate(motion, root + 1)
        times, scales = visibility_keys(motion.times_s, end_s, frame_s)
        # STEP: a linear scale would let people grow and shrink
        if len(times) > 1:
            self._channel(self._glb.add_accessor(times, bounds=True), root + 1, "scale", scales, "STEP")

    def to_bytes(self, name: str) -> bytes:
        """Return the bytes of the GLB file."""
        animation = {"name": name, "samplers": self._samplers, "channels": self._channels}
        return self._glb.to_bytes(
            {
                "asset": {"version": "2.0", "generator": f"remi-stream {__version__}"},
                "scene": 0,
                "scenes": [{"name": name, "nodes": self._roots}],
                **self._parts,
                "animations": [animation],
            }
        )

    def _mesh(self, track: SmplTrack, motion: PersonMotion) -> int:
        body = motion.body
        vertices = body.rest_vertices(motion.betas).astype("<f4")
        attributes = {
            "POSITION": self._glb.add_accessor(vertices, "vertices", bounds=True),
            "NORMAL": self._glb.add_accessor(vertex_normals(vertices, body.faces).astype("<f4"), "vertices"),
        }
        shared = self._shared.setdefault(body.name, {}) or self._share(body)
        attributes |= {key: number for key, number in shared.items() if key != "indices"}
        primitive = {"attributes": attributes, "indices": shared["indices"], "material": self._material(track, body)}
        self._parts["meshes"].append({"name": track.name, "primitives": [primitive]})
        return len(self._parts["meshes"]) - 1

    def _share(self, body: Body) -> dict[str, int]:
        joints, weights = top_skin_weights(body.skin_weights)
        shared = self._shared[body.name]
        shared["JOINTS_0"] = self._glb.add_accessor(joints, "vertices")
        shared["WEIGHTS_0"] = self._glb.add_accessor(weights, "vertices")
        if body.vertex_rgb is not None:
            shared["COLOR_0"] = self._glb.add_accessor(srgb_to_linear(body.vertex_rgb), "vertices", normalized=True)
        shared["indices"] = self._glb.add_accessor(body.faces.astype("<u4").reshape(-1), "indices")
        return shared

    def _material(self, track: SmplTrack, body: Body) -> int:
        """Add a matte material, in the track's colour if the body has no vertex colours; return its index."""
        rgb = (255, 255, 255) if body.vertex_rgb is not None else track_colour(track.track_id)
        # baseColorFactor is multiplied with COLOR_0: white leaves the vertex colours as they are
        colour = [*(srgb_to_linear(np.array(rgb)[None])[0, :3] / 65535).tolist(), 1.0]
        surface = {"baseColorFactor": colour, "metallicFactor": 0.0, "roughnessFactor": 0.9}
        self._parts["materials"].append({"name": track.name, "pbrMetallicRoughness": surface})
        return len(self._parts["materials"]) - 1

    def _skin(self, rest: np.ndarray, first: int) -> int:
        """Add a skin and return its index. rest: (24, 3) m, joint positions at rest; first: the pelvis' node."""
        inverse = np.tile(np.eye(4, dtype="<f4"), (len(rest), 1, 1))
        inverse[:, 3, :3] = -rest  # glTF's matrices are stored column by column
        skin = {"inverseBindMatrices": self._glb.add_accessor(inverse.reshape(-1, 16)), "skeleton": first}
        self._parts["skins"].append({**skin, "joints": list(range(first, first + len(rest)))})
        return len(self._parts["skins"]) - 1

    def _animate(self, motion: PersonMotion, first: int) -> None:
        times = self._glb.add_accessor(motion.times_s.astype("<f4"), bounds=True)
        self._channel(times, first, "translation", motion.pelvis_m)
        for joint in range(len(SMPL_JOINT_NAMES)):
            self._channel(times, first + joint, "rotation", motion.rotations[:, joint])

    def _channel(self, times: int, node: int, path: str, values: np.ndarray, interpolation: str = "LINEAR") -> None:
        sampler = {"input": times, "output": self._glb.add_accessor(values.astype("<f4")), "interpolation": interpolation}
        self._channels.append({"sampler": len(self._samplers), "target": {"node": node, "path": path}})
        self._samplers.append(sampler)


def visibility_keys(times_s: np.ndarray, end_s: float, frame_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a person's scale keyframes: times (n,) float32, rising, and scales (n, 3) from then on. One if always in sight."""
    gaps = np.flatnonzero(np.diff(times_s) > MAX_GAP_S)
    keys = [(0.0, SCALE_HIDDEN)] if times_s[0] > 0 else []
    keys += [(float(times_s[0]), SCALE_VISIBLE)]
    for gap in gaps:
        keys += [(float(times_s[gap] + frame_s), SCALE_HIDDEN), (float(times_s[gap + 1]), SCALE_VISIBLE)]
    if end_s - times_s[-1] > MAX_GAP_S:
        keys += [(float(times_s[-1] + frame_s), SCALE_HIDDEN)]
    return np.array([time_s for time_s, _ in keys], "<f4"), np.stack([scale for _, scale in keys])


def top_skin_weights(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the four joints (V, 4) uint8 with the largest skin weights of each vertex, and these (V, 4) float32, with sum 1."""
    joints = np.argsort(-weights, 1, kind="stable")[:, :JOINTS_PER_VERTEX]
    kept = np.take_along_axis(weights, joints, 1)
    kept = (kept / kept.sum(1, keepdims=True)).astype("<f4")
    # glTF 2.0: joint indices with weight 0 should be 0; argsort leaves arbitrary ones there.
    return np.where(kept > 0, joints, 0).astype(np.uint8), kept


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return area-weighted unit vertex normals (V, 3)."""
    a, b, c = vertices.astype(np.float64)[faces.T]
    sums = np.zeros(vertices.shape)
    for corners in faces.T:
        np.add.at(sums, corners, cross_product(b - a, c - a))
    # A vertex without faces has no normal, but glTF requires unit length.
    sums[~sums.any(1)] = (0, 1, 0)
    return unit_vectors(sums)


def srgb_to_linear(rgb: np.ndarray) -> np.ndarray:
    """Convert sRGB colours (n, 3) uint8 to glTF vertex colours (n, 4) uint16, linear and opaque. IEC 61966-2-1."""
    share = rgb / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.concatenate([np.round(light * 65535), np.full((len(rgb), 1), 65535)], 1).astype("<u2")


def _joints(rest: np.ndarray, first: int) -> list[dict[str, Any]]:
    """Return the joints' nodes in the rest pose; rest: (24, 3) m."""
    nodes: list[dict[str, Any]] = []
    for joint, parent in enumerate(SMPL_PARENTS):
        offset = rest[joint] - rest[parent] if joint else rest[0]
        nodes.append({"name": SMPL_JOINT_NAMES[joint], "translation": offset.tolist()})
        if joint:
            nodes[parent].setdefault("children", []).append(first + joint)
    return nodes


class GlbBuilder:
    """Collects arrays as glTF accessors and writes the GLB file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._views: list[dict[str, Any]] = []
        self._accessors: list[dict[str, Any]] = []

    def add_accessor(
        self,
        array: np.ndarray,
        target: Literal["vertices", "indices"] | None = None,
        *,
        bounds: bool = False,
        normalized: bool = False,
    ) -> int:
        """Add an array (n, ...) and return its accessor index. Rows of vertices must be a multiple of 4 bytes.

        bounds: write min and max, which glTF requires of positions and times. normalized: integers represent [0, 1].
        """
        data = np.ascontiguousarray(array).tobytes()
        view: dict[str, Any] = {"buffer": 0, "byteOffset": self._length, "byteLength": len(data)}
        accessor: dict[str, Any] = {
            "bufferView": len(self._views),
            "componentType": COMPONENT_TYPES[array.dtype.str],
            "count": len(array),
            "type": ACCESSOR_TYPES[array.shape[1:]],
        }
        if target:
            view["target"] = BUFFER_TARGETS[target]
        if normalized:
            accessor["normalized"] = True
        if bounds:
            accessor |= {"min": np.atleast_1d(array.min(0)).tolist(), "max": np.atleast_1d(array.max(0)).tolist()}
        self._views.append(view)
        self._accessors.append(accessor)
        self._parts.append(pad_to_4_bytes(data, b"\0"))
        self._length += len(self._parts[-1])
        return len(self._accessors) - 1

    def to_bytes(self, scene: dict[str, Any]) -> bytes:
        """Return the bytes of the file; scene: the rest of the JSON."""
        numbers = {"buffers": [{"byteLength": self._length}], "bufferViews": self._views, "accessors": self._accessors}
        text = pad_to_4_bytes(msgspec.json.encode({**scene, **numbers}), b" ")
        length = 12 + 8 + len(text) + 8 + self._length  # header, and two chunks with their heads
        head = struct.pack("<III", GLB_MAGIC, 2, length)
        return b"".join(
            [head, struct.pack("<II", len(text), JSON_CHUNK), text, struct.pack("<II", self._length, BIN_CHUNK), *self._parts]
        )


def pad_to_4_bytes(data: bytes, padding: bytes) -> bytes:
    """Pad data to a multiple of 4 bytes, the chunk alignment of GLB."""
    return data + padding * (-len(data) % 4)
