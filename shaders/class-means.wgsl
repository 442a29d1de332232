// Column means of every class, in two passes: sums over row tiles, then the tiles of a class added in order and divided by its rows.
// CPU twin: src/kernels/class-means.ts
//
// A thread has four columns and asks for eight rows before it adds the first: memory is the limit, and it answers late.
// Rounding: eight rows are summed as a tree before they join the tile's sum, so a tile of 128 rows costs at most
// (3 + 16) · 2⁻²⁴ · Σ|x|; the rows were shifted by the data set's mean at upload, so Σ|x| is of the size of the spread.

struct Params {
  cols: u32,       // columns of x, a multiple of 4
  tiles: u32,      // row tiles in all
  classes: u32,
  blocks: u32,     // groups of 256 columns
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;             // [n, cols / 4]
@group(0) @binding(2) var<storage, read> tiles: array<vec4u>;         // [tiles]: class in batch, first row, rows, class
@group(0) @binding(3) var<storage, read> firstTile: array<u32>;       // [classes + 1]
@group(0) @binding(4) var<storage, read_write> sums: array<vec4f>;    // [tiles, cols / 4]
@group(0) @binding(5) var<storage, read_write> means: array<vec4f>;   // [classes, cols / 4]

// One workgroup: one tile × 256 columns.
@compute @workgroup_size(64)
fn sumTiles(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = group.x + group.y * grid.x;
  let quads = params.cols / 4u;
  let index = id / params.blocks;
  let quad = (id % params.blocks) * 64u + local.x;
  if (index >= params.tiles || quad >= quads) {
    return;
  }
  let tile = tiles[index];
  var total = vec4f(0.0);
  var at = tile.y * quads + quad;
  var row = 0u;
  for (; row + 8u <= tile.z; row += 8u) {
    let x0 = x[at];
    let x1 = x[at + quads];
    let x2 = x[at + 2u * quads];
    let x3 = x[at + 3u * quads];
    let x4 = x[at + 4u * quads];
    let x5 = x[at + 5u * quads];
    let x6 = x[at + 6u * quads];
    let x7 = x[at + 7u * quads];
    total += ((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7));
    at += 8u * quads;
  }
  for (; row < tile.z; row++) {
    total += x[at];
    at += quads;
  }
  sums[index * quads + quad] = total;
}

// One invocation: one class × four columns.
@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let quads = params.cols / 4u;
  let class_ = id / quads;
  let quad = id % quads;
  if (class_ >= params.classes) {
    return;
  }
  let first = firstTile[class_];
  let end = firstTile[class_ + 1u];
  var total = vec4f(0.0);
  var index = first;
  for (; index + 4u <= end; index += 4u) {
    let s0 = sums[index * quads + quad];
    let s1 = sums[(index + 1u) * quads + quad];
    let s2 = sums[(index + 2u) * quads + quad];
    let s3 = sums[(index + 3u) * quads + quad];
    total += (s0 + s1) + (s2 + s3);
  }
  for (; index < end; index++) {
    total += sums[index * quads + quad];
  }
  var rows = 0u; // the tiles of a class follow each other
  if (end > first) {
    let last = tiles[end - 1u];
    rows = last.y + last.z - tiles[first].y;
  }
  means[id] = total / f32(max(rows, 1u));
}
