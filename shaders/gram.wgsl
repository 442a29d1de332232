// Centred Gram matrix XᵀX of every class of a batch, in two passes: 64×64 blocks of the upper triangle per row tile, then the tiles of
// a class added in order and mirrored. Rows are centred as a tile is loaded.
// CPU twin: src/kernels/gram.ts
//
// One workgroup of 128 threads makes one block; each thread holds 8×4 sums. 8 rows are staged at a time: 2 × 8 × 64 floats = 4 KiB.
// Loads beyond the rows or columns are moved inside, not branched over; a row beyond the tile is zero on the left.
// Rounding: a sum of L products of a tile errs by at most L · 2⁻²⁴ · Σ|ab|, L ≤ 512 by default; tiles are added in float32.

struct Params {
  cols: u32,       // columns of x, a multiple of 4
  tiles: u32,      // row tiles of the batch
  classes: u32,    // classes of the batch
  blocks: u32,     // ceil(cols / 64)
  pairs: u32,      // blocks · (blocks + 1) / 2
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;               // [n, cols / 4]
@group(0) @binding(2) var<storage, read> means: array<vec4f>;           // [classes, cols / 4]
@group(0) @binding(3) var<storage, read> tiles: array<vec4u>;           // [tiles]: class in batch, first row, rows, class
@group(0) @binding(4) var<storage, read> firstTile: array<u32>;         // [classes + 1]
@group(0) @binding(5) var<storage, read_write> blockSums: array<vec4f>; // [tiles · pairs, 64 · 16]
@group(0) @binding(6) var<storage, read_write> gram: array<f32>;        // [classes · cols, cols]

var<workgroup> left: array<vec4f, 128>;  // 8 rows × 64 columns
var<workgroup> right: array<vec4f, 128>;

/** The `pair`-th block of the upper triangle, row by row: its row and its column of blocks. */
fn blockOf(pair: u32) -> vec2u {
  var rest = pair;
  var block = 0u;
  while (rest >= params.blocks - block) {
    rest -= params.blocks - block;
    block++;
  }
  return vec2u(block, block + rest);
}

@compute @workgroup_size(128)
fn blockProducts(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = group.x + group.y * grid.x;
  let index = id / params.pairs;
  if (index >= params.tiles) {
    return;
  }
  let block = blockOf(id % params.pairs);
  let tile = tiles[index];
  let quads = params.cols / 4u;
  let loadRow = local.x / 16u;
  let leftQuad = min(block.x * 16u + local.x % 16u, quads - 1u);
  let rightQuad = min(block.y * 16u + local.x % 16u, quads - 1u);
  let leftMean = means[tile.x * quads + leftQuad];
  let rightMean = means[tile.x * quads + rightQuad];
  let outRow = local.x / 16u;  // rows 4·outRow … and 32 + 4·outRow … of the block
  let outCol = local.x % 16u;  // columns 4·outCol …

  var sum0 = vec4f(0.0);
  var sum1 = vec4f(0.0);
  var sum2 = vec4f(0.0);
  var sum3 = vec4f(0.0);
  var sum4 = vec4f(0.0);
  var sum5 = vec4f(0.0);
  var sum6 = vec4f(0.0);
  var sum7 = vec4f(0.0);
  for (var start = 0u; start < tile.z; start += 8u) {
    let row = start + loadRow;
    let at = (tile.y + min(row, tile.z - 1u)) * quads;
    let leftIn = x[at + leftQuad];
    let rightIn = x[at + rightQuad];
    workgroupBarrier();
    left[local.x] = select(vec4f(0.0), leftIn - leftMean, row < tile.z);
    right[local.x] = rightIn - rightMean;
    workgroupBarrier();
    for (var r = 0u; r < 8u; r++) {
      let a = left[r * 16u + outRow];
      let b = left[r * 16u + outRow + 8u];
      let c = right[r * 16u + outCol];
      sum0 += a.x * c;
      sum1 += a.y * c;
      sum2 += a.z * c;
      sum3 += a.w * c;
      sum4 += b.x * c;
      sum5 += b.y * c;
      sum6 += b.z * c;
      sum7 += b.w * c;
    }
  }
  let at = id * 1024u + outRow * 64u + outCol;
  blockSums[at] = sum0;
  blockSums[at + 16u] = sum1;
  blockSums[at + 32u] = sum2;
  blockSums[at + 48u] = sum3;
  blockSums[at + 512u] = sum4;
  blockSums[at + 528u] = sum5;
  blockSums[at + 544u] = sum6;
  blockSums[at + 560u] = sum7;
}

// One invocation: four neighbours in a row of one block of one class, written to both halves, so that the result is exactly symmetric.
@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let within = id % 1024u;
  let pair = (id / 1024u) % params.pairs;
  let class_ = id / 1024u / params.pairs;
  if (class_ >= params.classes) {
    return;
  }
  let block = blockOf(pair);
  let row = block.x * 64u + within / 16u;
  let col = block.y * 64u + (within % 16u) * 4u;
  if (row >= params.cols || col >= params.cols) {
    return;
  }
  var total = vec4f(0.0);
  for (var index = firstTile[class_]; index < firstTile[class_ + 1u]; index++) {
    total += blockSums[(index * params.pairs + pair) * 1024u + within];
  }
  let at = class_ * params.cols * params.cols;
  for (var j = 0u; j < 4u; j++) {
    if (col + j >= row) {
      gram[at + row * params.cols + col + j] = total[j];
      gram[at + (col + j) * params.cols + row] = total[j];
    }
  }
}
