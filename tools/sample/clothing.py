"""Clothes with thickness over the default body's skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from open_body.assets import J
from open_body.drape import drape
from open_body.mesh import smooth_values, unit, vertex_normals
from open_body.outfit import COLOURS, clothes
from scipy.spatial import ConvexHull

from remi_stream.body.smpl import Body
from sample.motion import Motion
from sample.timeline import ease

Array = NDArray[Any]

GARMENTS = ("shoes", "soles", "trousers", "shirt")  # as `clothes` lists them
CLOTH_M = {"trousers": 0.010, "shirt": 0.013}
SHOE_M = 0.006
HAIR_M = 0.016
FLARE_M = 0.012  # how much wider trousers are at the ankle than at the knee


@dataclass(frozen=True)
class Actor:
    """A person in the room: body, motion in world axes, and colours that override COLOURS."""

    body: Body
    motion: Motion
    outfit: Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Clothing:
    """A dressed body in its rest pose."""

    rest: Array
    """(V, 3) m, vertices including the garments' thickness."""
    normals: Array
    """(V, 3)."""
    rgb: Array
    """(V, 3) 0..1, skin colours without garments."""
    fields: Array
    """(V, 4) m, signed distance inside the hems of shoes, soles, trousers and shirt."""
    hair: Array
    """(V,) 0..1."""


def make_clothing(actor: Actor) -> Clothing:
    """Dress an actor."""
    body, betas = actor.body, actor.motion.betas
    rest, joints = body.rest_vertices(betas).astype(np.float64), body.rest_joints(betas)
    # Fabric extends slightly beyond its painted hem, so that hems are straight and cast shadows.
    inside = {name: ease(1.5 + field / 0.016) for name, field in clothes(rest, joints).items()}
    dressed = np.maximum.reduce(list(inside.values()))
    hair = hair_share(body)
    shoe_normals = put_on_shoes(rest, joints, body.faces)
    loose = dressed * ease((rest[:, 1] - joints[J["left_ankle"], 1]) / 0.03)
    rest += drape(rest, body.faces, loose)
    thickness = np.maximum.reduce([CLOTH_M[name] * inside[name] for name in CLOTH_M])
    thickness += FLARE_M * inside["trousers"] * ease((joints[J["left_knee"], 1] - rest[:, 1]) / 0.4)
    thickness += HAIR_M * ease(1.6 * smooth_values(hair[:, None], body.faces, 6)[:, 0] - 0.6)
    rest += thickness[:, None] * vertex_normals(rest, body.faces)
    normals, shoes = vertex_normals(rest, body.faces), ease((joints[J["left_ankle"], 1] - rest[:, 1]) / 0.02 - 1)
    normals += shoes[:, None] * (shoe_normals - normals)
    fields = np.stack(list(clothes(rest, joints).values()), axis=1)
    return Clothing(rest, normals, bare_rgb(actor, dressed > 0, hair), fields, hair)


def bare_rgb(actor: Actor, dressed: Array, hair: Array) -> Array:
    """Body colours with the actor's skin and hair, and plain skin where dressed (V,): (V, 3) 0..1."""
    painted = actor.body.vertex_rgb
    assert painted is not None
    skin, colour_of_hair = (np.array(actor.outfit.get(name, COLOURS[name]), float) for name in ("skin", "hair"))
    rgb = np.where(dressed[:, None], skin, painted + (skin - COLOURS["skin"]))
    return np.clip(rgb + hair[:, None] * (colour_of_hair - rgb), 0, 255) / 255


def put_on_shoes(rest: Array, joints: Array, faces: Array) -> Array:
    """Push the feet of rest (V, 3), m, out to their convex hulls, so that shoes hide the toes.

    Returns the push directions of the foot vertices, (V, 3): normals of the shoes, without folds between the toes.
    """
    outward = np.zeros_like(rest)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        ankle, ball = joints[J[f"{side}_ankle"]], joints[J[f"{side}_foot"]]
        foot = np.flatnonzero((rest[:, 1] < ankle[1] + 0.005) & (rest[:, 0] * sign > 0))
        hull = ConvexHull(rest[foot]).equations
        heel, tip = rest[foot, 2].min() + 0.04, rest[foot, 2].max() - 0.05
        low = 0.3 * ankle[1] + 0.7 * rest[foot, 1].min()
        for _ in range(8):  # smoothing between the pushes spreads the vertices between the toes
            rest[foot] = smooth_values(rest, faces, 3)[foot]
            axis_z = rest[foot, 2].clip(heel, tip)
            axis_x = np.interp(axis_z, [ankle[2], ball[2]], [ankle[0], ball[0]])
            axis = np.stack([axis_x, np.full(len(foot), low), axis_z], axis=1)
            outward[foot] = unit(rest[foot] - axis)
            rest[foot] = axis + reach(hull, axis, outward[foot])[:, None] * outward[foot]
    return outward


def reach(hull: Array, starts: Array, directions: Array) -> Array:
    """Distances (N,) m from starts (N, 3) along unit directions (N, 3) to the shoe surface around a hull, planes (P, 4)."""
    slope, room = directions @ hull[:, :3].T, SHOE_M - starts @ hull[:, :3].T - hull[:, 3]
    return np.where(slope > 1e-6, room / np.maximum(slope, 1e-6), np.inf).min(axis=1)


def hair_share(body: Body) -> Array:
    """Share of hair colour of each vertex: (V,) 0..1, brows included."""
    assert body.vertex_rgb is not None
    skin, hair = np.array(COLOURS["skin"], float), np.array(COLOURS["hair"], float)
    share = np.clip((body.vertex_rgb - skin) @ (hair - skin) / ((hair - skin) @ (hair - skin)), 0, 1)
    off_line = np.linalg.norm(body.vertex_rgb - skin - share[:, None] * (hair - skin), axis=1)
    return np.where(off_line < 14, share, 0)
