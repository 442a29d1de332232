// Centred Gram matrix XᵀX of every class of a batch, in two passes: 64×64 blocks of the upper triangle per row tile, then the tiles of
// a class added in order and mirrored. Rows are centred as a tile is loaded.
// CPU twin: src/kernels/gram.ts
//
// One workgroup of 256 threads makes one block; each thread holds 4×4 sums. 16 rows are staged at a time: 2 × 16 × 64 floats = 8 KiB.
// Rounding: a sum of L products of a tile errs by at most L · 2⁻²⁴ · Σ|ab|, L ≤ 512 by default; tiles are added in float32.

struct Params {
  cols: u32,       // columns of x, a multiple of 4
  tiles: u32,      // row tiles of the batch
  classes: u32,    // classes of the batch
  blocks: u32,     // ceil(cols / 64)
  pairs: u32,      // blocks · (blocks + 1) / 2
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;               // [n, cols]
@group(0) @binding(2) var<storage, read> means: array<f32>;           // [all classes, cols]
@group(0) @binding(3) var<storage, read> tiles: array<vec4u>;         // [tiles]: class in batch, first row, rows, class
@group(0) @binding(4) var<storage, read> firstTile: array<u32>;       // [classes + 1]
@group(0) @binding(5) var<storage, read_write> blockSums: array<f32>; // [tiles · pairs, 64 · 64]
@group(0) @binding(6) var<storage, read_write> gram: array<f32>;      // [classes · cols, cols]

var<workgroup> left: array<vec4f, 256>;  // 16 rows × 64 columns
var<workgroup> right: array<vec4f, 256>;

fn centred(row: u32, rowIsIn: bool, col: u32, meanAt: u32) -> vec4f {
  var value = vec4f(0.0);
  if (rowIsIn && col < params.cols) {
    let at = row * params.cols + col;
    let mean = meanAt + col;
    value = vec4f(x[at] - means[mean], x[at + 1u] - means[mean + 1u], x[at + 2u] - means[mean + 2u], x[at + 3u] - means[mean + 3u]);
  }
  return value;
}

@compute @workgroup_size(256)
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
  var rest = id % params.pairs;
  var block = 0u;
  while (rest >= params.blocks - block) {
    rest -= params.blocks - block;
    block++;
  }
  let leftCol = block * 64u;
  let rightCol = (block + rest) * 64u;
  let tile = tiles[index];
  let meanAt = tile.x * params.cols;
  let loadRow = local.x / 16u;
  let loadCol = (local.x % 16u) * 4u;
  let outRow = local.x / 16u;
  let outCol = local.x % 16u;

  var sum0 = vec4f(0.0);
  var sum1 = vec4f(0.0);
  var sum2 = vec4f(0.0);
  var sum3 = vec4f(0.0);
  for (var start = 0u; start < tile.z; start += 16u) {
    let row = start + loadRow;
    left[local.x] = centred(tile.y + row, row < tile.z, leftCol + loadCol, meanAt);
    right[local.x] = centred(tile.y + row, row < tile.z, rightCol + loadCol, meanAt);
    workgroupBarrier();
    for (var r = 0u; r < 16u; r++) {
      let a = left[r * 16u + outRow];
      let b = right[r * 16u + outCol];
      sum0 += a.x * b;
      sum1 += a.y * b;
      sum2 += a.z * b;
      sum3 += a.w * b;
    }
    workgroupBarrier();
  }
  let at = id * 4096u + outRow * 256u + outCol * 4u;
  for (var j = 0u; j < 4u; j++) {
    blockSums[at + j] = sum0[j];
    blockSums[at + 64u + j] = sum1[j];
    blockSums[at + 128u + j] = sum2[j];
    blockSums[at + 192u + j] = sum3[j];
  }
}

// One invocation: one element of one class's matrix. Both halves read the upper one, so the result is exactly symmetric.
@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let perClass = params.cols * params.cols;
  let class_ = id / perClass;
  if (class_ >= params.classes) {
    return;
  }
  let i = (id % perClass) / params.cols;
  let j = id % params.cols;
  let low = min(i, j);
  let high = max(i, j);
  let block = low / 64u;
  // Pairs before block row `block`: Σ (blocks − b) for b < block.
  let pair = block * params.blocks - (block * (block + 1u)) / 2u + high / 64u;
  let within = (low % 64u) * 64u + high % 64u;
  var total = 0.0;
  for (var index = firstTile[class_]; index < firstTile[class_ + 1u]; index++) {
    total += blockSums[(index * params.pairs + pair) * 4096u + within];
  }
  gram[id] = total;
}
