// Column means of every class, in two passes: sums over row tiles, then the tiles of a class added in order and divided by its rows.
// CPU twin: src/kernels/class-means.ts
//
// Rounding: 16 rows are summed in a register before they join the tile's sum, so a tile of 256 rows costs at most
// (16 + 16) · 2⁻²⁴ · Σ|x|; the rows were shifted by the data set's mean at upload, so Σ|x| is of the size of the spread.

struct Params {
  cols: u32,       // columns of x, a multiple of 4
  tiles: u32,      // row tiles in all
  classes: u32,
  blocks: u32,     // groups of 64 columns
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;               // [n, cols]
@group(0) @binding(2) var<storage, read> tiles: array<vec4u>;         // [tiles]: class in batch, first row, rows, class
@group(0) @binding(3) var<storage, read> firstTile: array<u32>;       // [classes + 1]
@group(0) @binding(4) var<storage, read_write> sums: array<f32>;      // [tiles, cols]
@group(0) @binding(5) var<storage, read_write> means: array<f32>;     // [classes, cols]

// One workgroup: one tile × 64 columns.
@compute @workgroup_size(64)
fn sumTiles(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = group.x + group.y * grid.x;
  let index = id / params.blocks;
  let col = (id % params.blocks) * 64u + local.x;
  if (index >= params.tiles || col >= params.cols) {
    return;
  }
  let tile = tiles[index];
  var total = 0.0;
  for (var start = 0u; start < tile.z; start += 16u) {
    var chunk = 0.0;
    let end = min(start + 16u, tile.z);
    for (var row = start; row < end; row++) {
      chunk += x[(tile.y + row) * params.cols + col];
    }
    total += chunk;
  }
  sums[index * params.cols + col] = total;
}

// One invocation: one class × one column.
@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let class_ = id / params.cols;
  let col = id % params.cols;
  if (class_ >= params.classes) {
    return;
  }
  var total = 0.0;
  var rows = 0u;
  for (var index = firstTile[class_]; index < firstTile[class_ + 1u]; index++) {
    total += sums[index * params.cols + col];
    rows += tiles[index].z;
  }
  means[id] = total / f32(max(rows, 1u));
}
