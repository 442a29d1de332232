// Rows, centred by their class's mean, times their class's directions: coordinates, or (scores) the sum of their squares, which is the
// spectral-signature score. Sixteen directions a pass; one pass over X for each group of sixteen.
// CPU twin: src/kernels/project.ts
//
// One workgroup of 64 threads: 64 rows, one a thread. Workgroup memory: 64×33 + 32×16 floats = 10.3 KiB.
// Rounding: sums of `cols` products in order, error at most cols · 2⁻²⁴ · Σ|x·v|, about √cols · 2⁻²⁴ in practice.

struct Params {
  cols: u32,        // columns of x, a multiple of 4
  tiles: u32,       // tiles of at most 64 rows
  directions: u32,  // directions a class
  first: u32,       // first direction of this pass, a multiple of 16
  scores: u32,      // 1: add squares into [n, 1]; 0: write coordinates [n, directions]
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;             // [n, cols]
@group(0) @binding(2) var<storage, read> means: array<f32>;         // [classes, cols]
@group(0) @binding(3) var<storage, read> directions: array<f32>;    // [classes · directions, cols], a direction a row
@group(0) @binding(4) var<storage, read> tiles: array<vec4u>;       // [tiles]: class in batch, first row, rows, class
@group(0) @binding(5) var<storage, read_write> projected: array<f32>;

var<workgroup> rowsIn: array<f32, 2112>;  // 64 rows × 32 columns, a row padded to 33 against bank conflicts
var<workgroup> vIn: array<f32, 512>;      // 32 columns × 16 directions

@compute @workgroup_size(64)
fn project(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let index = group.x + group.y * grid.x;
  if (index >= params.tiles) {
    return;
  }
  let tile = tiles[index];
  let meanAt = tile.x * params.cols;
  let width = min(16u, params.directions - params.first);
  var sums = array<vec4f, 4>(vec4f(0.0), vec4f(0.0), vec4f(0.0), vec4f(0.0));
  for (var col0 = 0u; col0 < params.cols; col0 += 32u) {
    workgroupBarrier();
    for (var e = local.x; e < 2048u; e += 64u) {
      let row = e / 32u;
      let col = col0 + e % 32u;
      var value = 0.0;
      if (row < tile.z && col < params.cols) {
        value = x[(tile.y + row) * params.cols + col] - means[meanAt + col];
      }
      rowsIn[row * 33u + e % 32u] = value;
    }
    for (var e = local.x; e < 512u; e += 64u) {
      let col = col0 + e / 16u;
      let direction = e % 16u;
      var value = 0.0;
      if (direction < width && col < params.cols) {
        value = directions[(tile.x * params.directions + params.first + direction) * params.cols + col];
      }
      vIn[e] = value;
    }
    workgroupBarrier();
    for (var c = 0u; c < 32u; c++) {
      let value = rowsIn[local.x * 33u + c];
      for (var q = 0u; q < 4u; q++) {
        let at = c * 16u + q * 4u;
        sums[q] += value * vec4f(vIn[at], vIn[at + 1u], vIn[at + 2u], vIn[at + 3u]);
      }
    }
  }
  if (local.x >= tile.z) {
    return;
  }
  let row = tile.y + local.x;
  if (params.scores == 1u) {
    var score = 0.0;
    for (var q = 0u; q < 4u; q++) {
      score += dot(sums[q], sums[q]);
    }
    if (params.first > 0u) {
      score += projected[row];
    }
    projected[row] = score;
  } else {
    for (var direction = 0u; direction < width; direction++) {
      projected[row * params.directions + params.first + direction] = sums[direction / 4u][direction % 4u];
    }
  }
}
