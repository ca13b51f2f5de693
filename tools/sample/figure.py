"""OpenGL mesh of one actor."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import moderngl
import numpy as np
from numpy.typing import NDArray
from open_body.assets import J
from open_body.mesh import unit
from open_body.outfit import COLOURS

from remi_stream.body.smpl import joint_rotations
from sample.clothing import GARMENTS, Actor, make_clothing

Array = NDArray[Any]

SHADERS = Path(__file__).parent / "shaders"
# Spheres that approximate the body for ambient occlusion: suffixes of joint names, radius in m.
SPHERES_M = {"pelvis": 0.15, "spine3": 0.16, "knee": 0.09, "ankle": 0.075, "foot": 0.06, "wrist": 0.05}


class Figure:
    """An actor's mesh: posed per frame, drawn into the shadow map and the image."""

    def __init__(self, gl: moderngl.Context, actor: Actor) -> None:
        self.actor = actor
        self.worn = make_clothing(actor)
        self.rest_joints = actor.body.rest_joints(actor.motion.betas)
        self.program, self.depth = compile_shaders(gl, "figure", "figure"), compile_shaders(gl, "depth", "depth")
        self.program["garments"] = [tuple(np.array(actor.outfit.get(name, COLOURS[name])) / 255) for name in GARMENTS]
        self.moving = gl.buffer(reserve=len(self.worn.rest) * 24, dynamic=True)
        still = np.c_[self.worn.rest, self.worn.rgb, self.worn.fields, self.worn.hair]
        painted = (gl.buffer(still.astype("f4").tobytes()), "3f 3f 4f 1f", "rest", "colour", "fields", "hairy")
        faces = gl.buffer(actor.body.faces.astype("i4").tobytes())
        self.skin = gl.vertex_array(self.program, [(self.moving, "3f 3f", "position", "normal"), painted], faces)
        self.shape = gl.vertex_array(self.depth, [(self.moving, "3f 12x", "position")], faces)

    def pose(self, frame: int) -> Array:
        """Pose the mesh for a frame; return its occlusion spheres (N, 4), centre and radius, m, world."""
        motion, worn = self.actor.motion, self.worn
        rotations, transl = joint_rotations(motion.poses[frame, :3], motion.poses[frame, 3:]), motion.transl[frame]
        vertices, joints = self.actor.body.skin(worn.rest, self.rest_joints, rotations, transl)
        tips, _ = self.actor.body.skin(worn.rest + 0.01 * worn.normals, self.rest_joints, rotations, transl)
        self.moving.write(np.c_[vertices, unit(tips - vertices)].astype("f4").tobytes())
        return np.array([[*joints[J[name]], r] for part, r in SPHERES_M.items() for name in J if name.endswith(part)])

    def outline(self, clip_from_world: Array) -> None:
        """Draw depth only."""
        set_matrix(self.depth, "clip_from_world", clip_from_world)
        self.shape.render()


def compile_shaders(gl: moderngl.Context, vertex: str, fragment: str) -> moderngl.Program:
    """Compile a program from shaders/*.vert and *.frag; light.glsl is prepended to every fragment shader."""
    light = (SHADERS / "light.glsl").read_text()
    return gl.program(
        vertex_shader=(SHADERS / f"{vertex}.vert").read_text(),
        fragment_shader=light + (SHADERS / f"{fragment}.frag").read_text(),
    )


def set_matrix(program: moderngl.Program, name: str, matrix: Array) -> None:
    """Set a mat4 uniform; OpenGL uses column-major order."""
    set_floats(program, name, matrix.T)


def set_floats(program: moderngl.Program, name: str, values: Array) -> None:
    """Set a uniform of any shape."""
    cast(moderngl.Uniform, program[name]).write(values.astype("f4").tobytes())
