#version 330
uniform mat4 clip_from_world;
uniform mat4 motions[24];
uniform vec3 eye, to_light;
uniform float ambient, shine;
in vec3 rest, normal, colour;
in vec4 skin_joint, skin_weight;
out vec3 shaded;

void main() {
  mat4 motion = skin_weight.x * motions[int(skin_joint.x)] + skin_weight.y * motions[int(skin_joint.y)]
              + skin_weight.z * motions[int(skin_joint.z)] + skin_weight.w * motions[int(skin_joint.w)];
  vec4 at = motion * vec4(rest, 1.0);
  vec3 up = normalize(mat3(motion) * normal), view = normalize(eye - at.xyz);
  float lamp = max(0.0, dot(up, to_light)), sky = 0.5 + 0.5 * up.y;
  float gloss = shine * pow(max(0.0, dot(up, normalize(view + to_light))), 20.0);
  gl_Position = clip_from_world * at;
  shaded = sqrt(clamp(colour * colour * (0.9 * lamp + ambient * sky + 0.12 * max(0.0, dot(up, view))) + gloss, 0.0, 1.0));
}
