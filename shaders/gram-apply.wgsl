// Z = Xᵀ(X·V) for every class at once, X centred as it is loaded, V of 16 directions a class: the step of an iteration for the leading
// directions without the d×d matrix. Three passes: Y = X·V, the sums of XᵀY over row tiles, then the tiles of a class added in order.
// CPU twin: src/kernels/gram-apply.ts
//
// X is read twice. One kernel that keeps Y of 64 rows in workgroup memory and reads those rows again from cache was slower (1.23 ms
// against 1.02 for 160,000 × 2048 on an NVIDIA H200): its halves want different numbers of threads and registers.
//
// `multiply`, 128 threads: 64 rows × 16 directions, as in project.wgsl, X and V straight to registers. `multiplyTransposed`, 64 threads: each holds 4 columns × 8
// directions of Z in registers throughout its tile; the rows of Y come through workgroup memory, 64 at a time (4 KiB), those of X straight
// from memory, eight under way at a time. Loads beyond the rows or columns are moved inside, not branched over.
// Y and the tile sums hold directions in groups: component j of group q is direction 4q + j.
// Workgroup memory: at most 64×36 floats = 9 KiB. Rounding: about √L · 2⁻²⁴ relative to Σ|ab|, as for any float32 sum.

struct Params {
  cols: u32,       // columns of x, a multiple of 4
  tiles: u32,      // tiles of at most 128 rows
  classes: u32,
  blocks: u32,     // groups of 128 columns
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;               // [n, cols / 4]
@group(0) @binding(2) var<storage, read> means: array<vec4f>;           // [classes, cols / 4]
@group(0) @binding(3) var<storage, read> directions: array<vec4f>;      // [classes · 16, cols / 4], a direction a row
@group(0) @binding(4) var<storage, read> tiles: array<vec4u>;           // [tiles]: class in batch, first row, rows, class
@group(0) @binding(5) var<storage, read> firstTile: array<u32>;         // [classes + 1]
@group(0) @binding(6) var<storage, read_write> products: array<vec4f>;  // Y: [tiles · 128, 4 groups]
@group(0) @binding(7) var<storage, read_write> tileSums: array<vec4f>;  // [tiles · cols, 4 groups]
@group(0) @binding(8) var<storage, read_write> applied: array<f32>;     // [classes · 16, cols]

var<workgroup> yIn: array<vec4f, 256>;  // 64 rows × 4 groups

// include parts/row-products.wgsl

// One workgroup: half a tile.
@compute @workgroup_size(128)
fn multiply(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = group.x + group.y * grid.x;
  let index = id / 2u;
  let start = (id % 2u) * 64u;
  if (index >= params.tiles || start >= tiles[index].z) {
    return;
  }
  let tile = tiles[index];
  let quads = params.cols / 4u;
  let lane = local.x % 8u;
  let row = local.x / 8u;
  let rowAt = (tile.y + min(start + row + vec4u(0u, 16u, 32u, 48u), vec4u(tile.z - 1u))) * quads;
  let meanAt = tile.x * quads;
  let directionAt = tile.x * 16u * quads;
  var sums0 = mat4x4f();  // directions 0 … 3
  var sums1 = mat4x4f();  // 4 … 7
  var sums2 = mat4x4f();  // 8 … 11
  var sums3 = mat4x4f();  // 12 … 15
  let ownQuad = min(lane, quads - 1u);
  var held = array<vec4f, 4>(x[rowAt.x + ownQuad], x[rowAt.y + ownQuad], x[rowAt.z + ownQuad], x[rowAt.w + ownQuad]);
  for (var quad0 = 0u; quad0 < quads; quad0 += 8u) {
    let quad = quad0 + lane;
    let at = min(quad, quads - 1u);
    let mean = means[meanAt + at];
    let inside = vec4<bool>(quad < quads);
    let rows = Rows(
      select(vec4f(0.0), held[0] - mean, inside),
      select(vec4f(0.0), held[1] - mean, inside),
      select(vec4f(0.0), held[2] - mean, inside),
      select(vec4f(0.0), held[3] - mean, inside),
    );
    let next = min(quad + 8u, quads - 1u); // on its way while these are multiplied
    held[0] = x[rowAt.x + next];
    held[1] = x[rowAt.y + next];
    held[2] = x[rowAt.z + next];
    held[3] = x[rowAt.w + next];
    let first = directionAt + at;
    sums0 = plusProducts(sums0, rows, first, quads);
    sums1 = plusProducts(sums1, rows, first + 4u * quads, quads);
    sums2 = plusProducts(sums2, rows, first + 8u * quads, quads);
    sums3 = plusProducts(sums3, rows, first + 12u * quads, quads);
  }
  let y0 = whole(sums0, row, lane, local.x);
  let y1 = whole(sums1, row, lane, local.x);
  let y2 = whole(sums2, row, lane, local.x);
  let y3 = whole(sums3, row, lane, local.x);
  if (local.x < 64u) {
    // Rows beyond the tile are written too, into its own 128: nobody reads them.
    let to = (index * 128u + start + local.x) * 4u;
    products[to] = y0;
    products[to + 1u] = y1;
    products[to + 2u] = y2;
    products[to + 3u] = y3;
  }
}

fn outer(columns: vec4f, y: vec4f) -> mat4x4f {
  return mat4x4f(columns.x * y, columns.y * y, columns.z * y, columns.w * y);
}

// One workgroup: one tile × 128 columns.
@compute @workgroup_size(64)
fn multiplyTransposed(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = group.x + group.y * grid.x;
  let index = id / params.blocks;
  if (index >= params.tiles) {
    return;
  }
  let tile = tiles[index];
  let quads = params.cols / 4u;
  let wanted = (id % params.blocks) * 32u + local.x / 2u;
  let quad = min(wanted, quads - 1u);
  let q = (local.x % 2u) * 2u;  // this thread's groups are q and q + 1
  let mean = means[tile.x * quads + quad];
  var sumA = mat4x4f();  // four columns × the directions of group q
  var sumB = mat4x4f();  // and of group q + 1
  for (var start = 0u; start < tile.z; start += 64u) {
    let rows = min(64u, tile.z - start);
    workgroupBarrier();
    for (var e = local.x; e < 256u; e += 64u) {
      let product = products[(index * 128u + start) * 4u + e];
      yIn[e] = select(vec4f(0.0), product, e < rows * 4u);
    }
    workgroupBarrier();
    let first = (tile.y + start) * quads + quad;
    for (var row = 0u; row < 64u; row += 8u) {
      let x0 = x[first + min(row, rows - 1u) * quads] - mean;
      let x1 = x[first + min(row + 1u, rows - 1u) * quads] - mean;
      let x2 = x[first + min(row + 2u, rows - 1u) * quads] - mean;
      let x3 = x[first + min(row + 3u, rows - 1u) * quads] - mean;
      let x4 = x[first + min(row + 4u, rows - 1u) * quads] - mean;
      let x5 = x[first + min(row + 5u, rows - 1u) * quads] - mean;
      let x6 = x[first + min(row + 6u, rows - 1u) * quads] - mean;
      let x7 = x[first + min(row + 7u, rows - 1u) * quads] - mean;
      let at = row * 4u + q;
      sumA += outer(x0, yIn[at]);
      sumB += outer(x0, yIn[at + 1u]);
      sumA += outer(x1, yIn[at + 4u]);
      sumB += outer(x1, yIn[at + 5u]);
      sumA += outer(x2, yIn[at + 8u]);
      sumB += outer(x2, yIn[at + 9u]);
      sumA += outer(x3, yIn[at + 12u]);
      sumB += outer(x3, yIn[at + 13u]);
      sumA += outer(x4, yIn[at + 16u]);
      sumB += outer(x4, yIn[at + 17u]);
      sumA += outer(x5, yIn[at + 20u]);
      sumB += outer(x5, yIn[at + 21u]);
      sumA += outer(x6, yIn[at + 24u]);
      sumB += outer(x6, yIn[at + 25u]);
      sumA += outer(x7, yIn[at + 28u]);
      sumB += outer(x7, yIn[at + 29u]);
    }
  }
  if (wanted < quads) {
    let at = (index * params.cols + quad * 4u) * 4u + q;
    tileSums[at] = sumA[0];
    tileSums[at + 1u] = sumB[0];
    tileSums[at + 4u] = sumA[1];
    tileSums[at + 5u] = sumB[1];
    tileSums[at + 8u] = sumA[2];
    tileSums[at + 9u] = sumB[2];
    tileSums[at + 12u] = sumA[3];
    tileSums[at + 13u] = sumB[3];
  }
}

// One invocation: one class × one column × one group of four directions.
@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let q = id % 4u;
  let col = (id / 4u) % params.cols;
  let class_ = id / (params.cols * 4u);
  if (class_ >= params.classes) {
    return;
  }
  var total = vec4f(0.0);
  for (var index = firstTile[class_]; index < firstTile[class_ + 1u]; index++) {
    total += tileSums[(index * params.cols + col) * 4u + q];
  }
  for (var j = 0u; j < 4u; j++) {
    applied[(class_ * 16u + 4u * q + j) * params.cols + col] = total[j];
  }
}
