// Z = Xᵀ(X·V) for every class at once, X centred as it is loaded, V of 16 directions a class: the step of a block Krylov iteration
// without the d×d matrix. One pass over X per call; then the tiles of a class are added in order.
// CPU twin: src/kernels/gram-apply.ts
//
// One workgroup of 64 threads walks its row tile in chunks of 64 rows: Y = X·V of the chunk in workgroup memory (one thread a row), then
// Z += Xᵀ·Y (one thread every 64th column; it alone owns those columns of its tile, so the sum in storage needs no lock).
// Workgroup memory: 64×33 + 32×16 + 64×16 floats = 14.3 KiB. Rounding: about √L · 2⁻²⁴ relative to Σ|ab|, as for any float32 sum.

struct Params {
  cols: u32,       // columns of x, a multiple of 4
  tiles: u32,
  classes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;               // [n, cols]
@group(0) @binding(2) var<storage, read> means: array<f32>;           // [classes, cols]
@group(0) @binding(3) var<storage, read> directions: array<f32>;      // [classes · 16, cols], a direction a row
@group(0) @binding(4) var<storage, read> tiles: array<vec4u>;         // [tiles]: class in batch, first row, rows, class
@group(0) @binding(5) var<storage, read> firstTile: array<u32>;       // [classes + 1]
@group(0) @binding(6) var<storage, read_write> tileSums: array<vec4f>; // [tiles · cols, 4]: 16 sums a column
@group(0) @binding(7) var<storage, read_write> applied: array<f32>;   // [classes · 16, cols]

var<workgroup> rowsIn: array<f32, 2112>;  // 64 rows × 32 columns, a row padded to 33 against bank conflicts
var<workgroup> vIn: array<vec4f, 128>;    // 32 columns × 16 directions
var<workgroup> y: array<vec4f, 256>;      // 64 rows × 16 directions

@compute @workgroup_size(64)
fn applyTiles(
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
  for (var start = 0u; start < tile.z; start += 64u) {
    let chunkRows = min(64u, tile.z - start);
    let firstRow = tile.y + start;
    var y0 = vec4f(0.0);
    var y1 = vec4f(0.0);
    var y2 = vec4f(0.0);
    var y3 = vec4f(0.0);
    for (var col0 = 0u; col0 < params.cols; col0 += 32u) {
      workgroupBarrier();
      for (var e = local.x; e < 2048u; e += 64u) {
        let row = e / 32u;
        let col = col0 + e % 32u;
        var value = 0.0;
        if (row < chunkRows && col < params.cols) {
          value = x[(firstRow + row) * params.cols + col] - means[meanAt + col];
        }
        rowsIn[row * 33u + e % 32u] = value;
      }
      for (var e = local.x; e < 128u; e += 64u) {
        let col = col0 + e / 4u;
        var value = vec4f(0.0);
        if (col < params.cols) {
          let at = (tile.x * 16u + (e % 4u) * 4u) * params.cols + col;
          value = vec4f(
            directions[at],
            directions[at + params.cols],
            directions[at + 2u * params.cols],
            directions[at + 3u * params.cols],
          );
        }
        vIn[e] = value;
      }
      workgroupBarrier();
      for (var c = 0u; c < 32u; c++) {
        let value = rowsIn[local.x * 33u + c];
        y0 += value * vIn[c * 4u];
        y1 += value * vIn[c * 4u + 1u];
        y2 += value * vIn[c * 4u + 2u];
        y3 += value * vIn[c * 4u + 3u];
      }
    }
    y[local.x * 4u] = y0;
    y[local.x * 4u + 1u] = y1;
    y[local.x * 4u + 2u] = y2;
    y[local.x * 4u + 3u] = y3;
    workgroupBarrier();
    for (var col = local.x; col < params.cols; col += 64u) {
      let mean = means[meanAt + col];
      var z0 = vec4f(0.0);
      var z1 = vec4f(0.0);
      var z2 = vec4f(0.0);
      var z3 = vec4f(0.0);
      for (var row = 0u; row < chunkRows; row++) {
        let value = x[(firstRow + row) * params.cols + col] - mean;
        z0 += value * y[row * 4u];
        z1 += value * y[row * 4u + 1u];
        z2 += value * y[row * 4u + 2u];
        z3 += value * y[row * 4u + 3u];
      }
      let at = (index * params.cols + col) * 4u;
      if (start > 0u) {
        z0 += tileSums[at];
        z1 += tileSums[at + 1u];
        z2 += tileSums[at + 2u];
        z3 += tileSums[at + 3u];
      }
      tileSums[at] = z0;
      tileSums[at + 1u] = z1;
      tileSums[at + 2u] = z2;
      tileSums[at + 3u] = z3;
    }
  }
}

// One invocation: one class × one column × four directions.
@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let col = id % params.cols;
  let quad = (id / params.cols) % 4u;
  let class_ = id / (params.cols * 4u);
  if (class_ >= params.classes) {
    return;
  }
  var total = vec4f(0.0);
  for (var index = firstTile[class_]; index < firstTile[class_ + 1u]; index++) {
    total += tileSums[(index * params.cols + col) * 4u + quad];
  }
  for (var j = 0u; j < 4u; j++) {
    applied[(class_ * 16u + quad * 4u + j) * params.cols + col] = total[j];
  }
}
