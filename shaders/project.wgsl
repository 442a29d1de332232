// Rows, centred by their class's mean, times their class's directions: coordinates, or (scores) the sum of their squares, which is the
// spectral-signature score. Sixteen directions a pass; one pass over X for each group of sixteen.
// CPU twin: src/kernels/project.ts
//
// One workgroup of 128 threads: 64 rows × 16 directions, 32 columns at a time through workgroup memory, the next 32 being loaded while
// these are multiplied. A thread has two rows (r, r + 32) and four directions (q, q + 4, q + 8, q + 12); where a pass has fewer
// directions, what they would cost is skipped. Loads beyond the rows or columns are moved inside, not branched over, so that all of a
// thread's loads are under way together; a direction is zero beyond the columns.
// Workgroup memory: 64×36 + 16×36 + 64×4 floats = 12.3 KiB, a row padded by a vec4 against bank conflicts.
// Rounding: sums of `cols` products in order, error at most cols · 2⁻²⁴ · Σ|x·v|, about √cols · 2⁻²⁴ in practice.

struct Params {
  cols: u32,        // columns of x, a multiple of 4
  tiles: u32,       // tiles of at most 64 rows
  directions: u32,  // directions a class
  first: u32,       // first direction of this pass, a multiple of 16
  scores: u32,      // 1: add squares into [n, 1]; 0: write coordinates [n, directions]
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4f>;           // [n, cols / 4]
@group(0) @binding(2) var<storage, read> means: array<vec4f>;       // [classes, cols / 4]
@group(0) @binding(3) var<storage, read> directions: array<vec4f>;  // [classes · directions, cols / 4], a direction a row
@group(0) @binding(4) var<storage, read> tiles: array<vec4u>;       // [tiles]: class in batch, first row, rows, class
@group(0) @binding(5) var<storage, read_write> projected: array<f32>;

var<workgroup> rowsIn: array<vec4f, 576>;  // 64 rows × (8 + 1) vec4
var<workgroup> vIn: array<vec4f, 144>;     // 16 directions × (8 + 1) vec4
var<workgroup> squares: array<vec4f, 64>;  // of each row: one sum for each q

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
  hasDirection: bool,
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
    select(vec4f(0.0), v, source.hasDirection && quad < quads),
  );
}

fn plusDot(sum: f32, a: vec4f, b: vec4f) -> f32 {
  return sum + a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w;
}

@compute @workgroup_size(128)
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
  let quads = params.cols / 4u;
  let width = min(16u, params.directions - params.first);
  let lane = local.x % 8u;
  let loadRow = local.x / 8u;
  let source = Source(
    (tile.y + min(loadRow + vec4u(0u, 16u, 32u, 48u), vec4u(tile.z - 1u))) * quads,
    tile.x * quads,
    (tile.x * params.directions + params.first + min(loadRow, width - 1u)) * quads,
    loadRow < width,
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
      low.x = plusDot(low.x, a, v0);
      high.x = plusDot(high.x, b, v0);
      if (width > 4u) {
        let v1 = vIn[(q + 4u) * 9u + k];
        low.y = plusDot(low.y, a, v1);
        high.y = plusDot(high.y, b, v1);
      }
      if (width > 8u) {
        let v2 = vIn[(q + 8u) * 9u + k];
        low.z = plusDot(low.z, a, v2);
        high.z = plusDot(high.z, b, v2);
      }
      if (width > 12u) {
        let v3 = vIn[(q + 12u) * 9u + k];
        low.w = plusDot(low.w, a, v3);
        high.w = plusDot(high.w, b, v3);
      }
    }
  }
  if (params.scores == 1u) {
    squares[row][q] = dot(low, low);
    squares[row + 32u][q] = dot(high, high);
    workgroupBarrier();
    if (local.x < tile.z) {
      let own = squares[min(local.x, 63u)];
      var score = own.x + own.y + own.z + own.w;
      if (params.first > 0u) {
        score += projected[tile.y + local.x];
      }
      projected[tile.y + local.x] = score;
    }
  } else {
    for (var j = 0u; j < 4u; j++) {
      let direction = 4u * j + q;
      if (direction < width && row < tile.z) {
        projected[(tile.y + row) * params.directions + params.first + direction] = low[j];
      }
      if (direction < width && row + 32u < tile.z) {
        projected[(tile.y + row + 32u) * params.directions + params.first + direction] = high[j];
      }
    }
  }
}
