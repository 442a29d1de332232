// Rayleigh–Ritz for sixteen orthonormal vectors V of every class, Z being A·V: `products` VᵀZ, which the host finds the eigenpairs of;
// then `residuals` ‖U·Z − θ·U·V‖ of the Ritz pairs, and `ritzVectors` U·V themselves.
// CPU twins: src/kernels/ritz.ts
//
// `products`: 256 threads a class, one an element of the 16×16 matrix; 64 columns at a time in workgroup memory (2 × 16×68 floats =
// 8.5 KiB, rows padded by a vec4 against bank conflicts). `residuals`: 64 threads a vector, each sums over every 64th vec4, then a tree.
// Rounding: sums of `cols` products in chunks, about √cols · 2⁻²⁴ relative to Σ|ab|.

struct Params {
  cols: u32,      // columns, a multiple of 4
  classes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vectors: array<vec4f>;  // V: [at least classes · 16, cols / 4]
@group(0) @binding(2) var<storage, read> applied: array<vec4f>;  // Z: [classes · 16, cols / 4]
@group(0) @binding(3) var<storage, read> pairs: array<f32>;      // [classes · 16, 17]: a row of U, then θ
@group(0) @binding(4) var<storage, read_write> numbers: array<f32>;
@group(0) @binding(5) var<storage, read_write> rotated: array<vec4f>;

var<workgroup> vIn: array<vec4f, 272>;  // 16 × (16 + 1)
var<workgroup> zIn: array<vec4f, 272>;
var<workgroup> partial: array<f32, 64>;

// One workgroup: one class. Writes [classes · 16, 16].
@compute @workgroup_size(256)
fn products(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let class_ = group.x + group.y * grid.x;
  if (class_ >= params.classes) {
    return;
  }
  let quads = params.cols / 4u;
  let i = local.x / 16u;
  let j = local.x % 16u;
  let at = (class_ * 16u + i) * quads;
  var sum = 0.0;
  for (var quad0 = 0u; quad0 < quads; quad0 += 16u) {
    let quad = quad0 + j;
    workgroupBarrier();
    vIn[i * 17u + j] = select(vec4f(0.0), vectors[at + min(quad, quads - 1u)], quad < quads);
    zIn[i * 17u + j] = applied[at + min(quad, quads - 1u)];
    workgroupBarrier();
    var chunk = 0.0;
    for (var k = 0u; k < 16u; k++) {
      chunk += dot(vIn[i * 17u + k], zIn[j * 17u + k]);
    }
    sum += chunk;
  }
  numbers[class_ * 256u + local.x] = sum;
}

// One workgroup: one Ritz pair. Writes [classes · 16, 1].
@compute @workgroup_size(64)
fn residuals(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let row = group.x + group.y * grid.x;
  if (row >= params.classes * 16u) {
    return;
  }
  let quads = params.cols / 4u;
  let first = (row / 16u) * 16u * quads;
  let value = pairs[row * 17u + 16u];
  var sum = 0.0;
  for (var quad = local.x; quad < quads; quad += 64u) {
    var difference = vec4f(0.0);
    for (var j = 0u; j < 16u; j++) {
      let at = first + j * quads + quad;
      difference += pairs[row * 17u + j] * (applied[at] - value * vectors[at]);
    }
    sum += dot(difference, difference);
  }
  partial[local.x] = sum;
  workgroupBarrier();
  for (var half = 32u; half > 0u; half /= 2u) {
    if (local.x < half) {
      partial[local.x] += partial[local.x + half];
    }
    workgroupBarrier();
  }
  if (local.x == 0u) {
    numbers[row] = sqrt(partial[0]);
  }
}

// One invocation: four columns of one vector. Writes [classes · 16, cols].
@compute @workgroup_size(64)
fn ritzVectors(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let quads = params.cols / 4u;
  let row = id / quads;
  if (row >= params.classes * 16u) {
    return;
  }
  let first = (row / 16u) * 16u * quads + id % quads;
  var sum = vec4f(0.0);
  for (var j = 0u; j < 16u; j++) {
    sum += pairs[row * 17u + j] * vectors[first + j * quads];
  }
  rotated[id] = sum;
}
