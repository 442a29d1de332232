// Z = Xᵀ(X·V) for every class at once, X centred as it is loaded, V of 16 directions a class: the step of an iteration for the leading
// directions without the d×d matrix. Three passes: Y = X·V, the sums of XᵀY over row tiles, then the tiles of a class added in order.
// CPU twin: src/kernels/gram-apply.ts
//
// X is read twice. One kernel that keeps Y of 64 rows in workgroup memory and reads those rows again from cache was slower (1.23 ms
// against 1.02 for 160,000 × 2048 on an NVIDIA H200): its halves want different numbers of threads and registers.
//
// `multiply`, 128 threads: 64 rows × 16 directions, as in project.wgsl. `multiplyTransposed`, 64 threads: each holds 4 columns × 8
// directions of Z in registers throughout its tile; the rows of Y come through workgroup memory, 64 at a time (4 KiB), those of X straight
// from memory, eight under way at a time. Loads beyond the rows or columns are moved inside, not branched over.
// Y and the tile sums hold directions in groups: component j of group q is direction 4j + q.
// Workgroup memory: at most 64×36 + 16×36 floats = 11.3 KiB. Rounding: about √L · 2⁻²⁴ relative to Σ|ab|, as for any float32 sum.

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

var<workgroup> rowsIn: array<vec4f, 576>;  // 64 rows × (8 + 1) vec4
var<workgroup> vIn: array<vec4f, 144>;     // 16 directions × (8 + 1) vec4
var<workgroup> yIn: array<vec4f, 256>;     // 64 rows × 4 groups

/** What a thread brings in: a vec4 of four rows and of one direction. */
struct Loaded {
  x0: vec4f,
  x1: vec4f,
  x2: vec4f,
  x3: vec4f,
  v: vec4f,
}

struct Source {
  rowAt: vec4u,      // where the four rows begin
  meanAt: u32,
  directionAt: u32,
}

fn load(source: Source, quad: u32) -> Loaded {
  let quads = params.cols / 4u;
  let at = min(quad, quads - 1u);
  let mean = means[source.meanAt + at];
  let v = directions[source.directionAt + at];
  return Loaded(
    x[source.rowAt.x + at] - mean,
    x[source.rowAt.y + at] - mean,
    x[source.rowAt.z + at] - mean,
    x[source.rowAt.w + at] - mean,
    select(vec4f(0.0), v, quad < quads),
  );
}

fn plusDot(sum: f32, a: vec4f, b: vec4f) -> f32 {
  return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

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
  let loadRow = local.x / 8u;
  let source = Source(
    (tile.y + min(start + loadRow + vec4u(0u, 16u, 32u, 48u), vec4u(tile.z - 1u))) * quads,
    tile.x * quads,
    (tile.x * 16u + loadRow) * quads,
  );
  let row = local.x / 4u;
  let q = local.x % 4u;
  var low = vec4f(0.0);   // row r; component j is direction 4j + q
  var high = vec4f(0.0);  // row r + 32
  var next = load(source, lane);
  for (var quad0 = 0u; quad0 < quads; quad0 += 8u) {
    workgroupBarrier();
    rowsIn[loadRow * 9u + lane] = next.x0;
    rowsIn[(loadRow + 16u) * 9u + lane] = next.x1;
    rowsIn[(loadRow + 32u) * 9u + lane] = next.x2;
    rowsIn[(loadRow + 48u) * 9u + lane] = next.x3;
    vIn[loadRow * 9u + lane] = next.v;
    workgroupBarrier();
    next = load(source, quad0 + 8u + lane);
    for (var k = 0u; k < 8u; k++) {
      let a = rowsIn[row * 9u + k];
      let b = rowsIn[(row + 32u) * 9u + k];
      let v0 = vIn[q * 9u + k];
      let v1 = vIn[(q + 4u) * 9u + k];
      let v2 = vIn[(q + 8u) * 9u + k];
      let v3 = vIn[(q + 12u) * 9u + k];
      low = vec4f(plusDot(low.x, a, v0), plusDot(low.y, a, v1), plusDot(low.z, a, v2), plusDot(low.w, a, v3));
      high = vec4f(plusDot(high.x, b, v0), plusDot(high.y, b, v1), plusDot(high.z, b, v2), plusDot(high.w, b, v3));
    }
  }
  // Rows beyond the tile are written too, into its own 128: nobody reads them.
  products[(index * 128u + start + row) * 4u + q] = low;
  products[(index * 128u + start + row + 32u) * 4u + q] = high;
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
    applied[(class_ * 16u + 4u * j + q) * params.cols + col] = total[j];
  }
}
