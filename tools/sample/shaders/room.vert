#version 330
uniform mat4 clip_from_world;
in vec3 position, normal;
out vec3 at, up;

void main() {
  gl_Position = clip_from_world * vec4(position, 1.0);
  at = position;
  up = normal;
}
