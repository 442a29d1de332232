// Products of 64 rows with directions, four at a time, by 128 threads: what project.wgsl and gram-apply.wgsl have in common. Both declare `directions`.
// CPU twins: src/kernels/project.ts, src/kernels/gram-apply.ts

var<workgroup> parts: array<vec4f, 576>;  // 64 rows × (8 + 1): of four directions, what each thread of a row has

/** A vec4 of each of a thread's four rows, less the mean. */
struct Rows {
  a: vec4f,
  b: vec4f,
  c: vec4f,
  d: vec4f,
}

fn plusDot(sum: f32, a: vec4f, b: vec4f) -> f32 {
  return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

/** Adds the products with the four directions from `at` on: a column of `sums` is a row. */
fn plusProducts(sums: mat4x4f, rows: Rows, at: u32, step: u32) -> mat4x4f {
  let v0 = directions[at];
  let v1 = directions[at + step];
  let v2 = directions[at + 2u * step];
  let v3 = directions[at + 3u * step];
  let a = sums[0];
  let b = sums[1];
  let c = sums[2];
  let d = sums[3];
  return mat4x4f(
    vec4f(plusDot(a.x, rows.a, v0), plusDot(a.y, rows.a, v1), plusDot(a.z, rows.a, v2), plusDot(a.w, rows.a, v3)),
    vec4f(plusDot(b.x, rows.b, v0), plusDot(b.y, rows.b, v1), plusDot(b.z, rows.b, v2), plusDot(b.w, rows.b, v3)),
    vec4f(plusDot(c.x, rows.c, v0), plusDot(c.y, rows.c, v1), plusDot(c.z, rows.c, v2), plusDot(c.w, rows.c, v3)),
    vec4f(plusDot(d.x, rows.d, v0), plusDot(d.y, rows.d, v1), plusDot(d.z, rows.d, v2), plusDot(d.w, rows.d, v3)),
  );
}

/** The sums of a row over its eight threads; for the threads below 64, a row each. */
fn whole(sums: mat4x4f, row: u32, lane: u32, own: u32) -> vec4f {
  workgroupBarrier();
  parts[row * 9u + lane] = sums[0];
  parts[(row + 16u) * 9u + lane] = sums[1];
  parts[(row + 32u) * 9u + lane] = sums[2];
  parts[(row + 48u) * 9u + lane] = sums[3];
  workgroupBarrier();
  let at = min(own, 63u) * 9u;
  let low = (parts[at] + parts[at + 1u]) + (parts[at + 2u] + parts[at + 3u]);
  let high = (parts[at + 4u] + parts[at + 5u]) + (parts[at + 6u] + parts[at + 7u]);
  return low + high;
}
