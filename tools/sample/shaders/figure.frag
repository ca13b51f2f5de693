uniform vec3 garments[4];
in vec3 at, up, rest_at, paint;
in vec4 hems;
in float hair;

void main() {
  vec3 view = normalize(camera - at), base = linear(paint);
  vec4 inside = smoothstep(-0.5 * fwidth(hems) - 0.0008, 0.5 * fwidth(hems) + 0.0008, hems);
  for (int i = 0; i < 4; ++i) base = mix(base, linear(garments[i]), inside[i]);
  float cloth = max(inside.z, inside.w), bare = (1.0 - max(cloth, inside.x)) * (1.0 - hair);

  // A seam, the shade at the hem, weave, strands of hair, and folds in the cloth.
  float hem = mix(hems.z, hems.w, inside.w);
  base *= 1.0 - cloth * (0.16 * smoothstep(0.003, 0.0, abs(hem - 0.016)) + 0.25 * smoothstep(0.005, 0.0, hem));
  vec3 q = rest_at * vec3(26.0, 17.0, 26.0);
  vec3 fold = vec3(noise(q), noise(q + 31.7), noise(q + 67.1)) - 0.5;
  vec3 strand = vec3(noise(rest_at * vec3(230, 40, 90)), 0.5, noise(rest_at * vec3(90, 40, 230))) - 0.5;
  float weave = 0.16 * cloth * (noise(rest_at * 420.0) - 0.5), pores = 0.07 * bare * (noise(rest_at * 60.0) - 0.5);
  base *= 1.0 + weave + pores + 0.7 * hair * strand.x;
  vec3 normal = normalize(normalize(up) + 0.38 * cloth * fold + 0.55 * hair * strand);

  // Skin lets light bleed round its edge, red first.
  float facing = dot(normal, to_light), wrap = 0.12 + 0.16 * bare;
  vec3 lamp = vec3(max(0.0, (facing + wrap) / (1.0 + wrap)));
  lamp = mix(lamp, pow(lamp, vec3(0.86, 1.0, 1.06)), bare);
  float seen = lamp_seen(at + 0.012 * normalize(up), 0.0035) * smoothstep(-0.25, 0.15, facing);
  float near_floor = mix(0.55, 1.0, smoothstep(0.0, 0.9, at.y));
  vec3 room = mix(vec3(0.30, 0.26, 0.22), vec3(0.46, 0.49, 0.54), 0.5 + 0.5 * normal.y) * near_floor;
  vec3 fill = vec3(0.20, 0.20, 0.22) * max(0.0, dot(normal, normalize(vec3(0.75, 0.25, 0.6))));
  vec3 light = vec3(1.28, 1.20, 1.08) * lamp * mix(0.12, 1.0, seen) + room + fill;

  float gloss = mix(mix(0.05, 0.02, cloth), 0.09, hair);
  float shine = gloss * seen * pow(max(0.0, dot(normal, normalize(view + to_light))), mix(18.0, 40.0, hair));
  float rim = 0.05 * pow(1.0 - max(0.0, dot(normal, view)), 3.0) * (0.7 + 0.3 * normal.y);
  pixel = vec4(film(base * light + (shine + rim) * vec3(1.0, 0.97, 0.92)), 1.0);
}
