#version 330
uniform mat4 clip_from_world;
in vec3 position, normal, rest, colour;
in vec4 fields;
in float hairy;
out vec3 at, up, rest_at, paint;  // rest_at: where it was in the T-pose, so that cloth keeps its weave
out vec4 hems;                    // metres inside shoes, soles, trousers, shirt
out float hair;

void main() {
  gl_Position = clip_from_world * vec4(position, 1.0);
  at = position;
  up = normal;
  rest_at = rest;
  paint = colour;
  hems = fields;
  hair = hairy;
}
