// Rows, centred by their class's mean, times their class's directions: coordinates, or (scores) the sum of their squares, which is the
// spectral-signature score. Sixteen directions a pass; one pass over X for each group of sixteen.
// CPU twin: src/kernels/project.ts
//
// One workgroup of 128 threads: 64 rows × 16 directions. Eight threads share four rows (r, r + 16, r + 32, r + 48), each has every eighth vec4
// of their columns, so that a load of the eight is 128 bytes in a row; their sums are added at the end. X and the directions, which stay
// in cache, come straight to registers: through workgroup memory they move slower than memory gives X. Twelve directions are multiplied
// also where a pass has fewer: branches around them cost more. Loads beyond the rows or columns are moved inside, not branched over, so that all of a
// thread's loads are under way together; what lies beyond the columns counts as zero.
// Workgroup memory: 64×36 floats = 9 KiB, a row padded by a vec4 against bank conflicts.
// Rounding: eight sums of `cols` / 8 products in order, error at most (cols / 8 + 8) · 2⁻²⁴ · Σ|x·v|.

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

// include parts/row-products.wgsl

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
  let row = local.x / 8u;
  let rowAt = (tile.y + min(row + vec4u(0u, 16u, 32u, 48u), vec4u(tile.z - 1u))) * quads;
  let meanAt = tile.x * quads;
  // Directions beyond the last are read from the next class's, or the buffer's end, and not written.
  let directionAt = (tile.x * params.directions + params.first) * quads;
  var sums0 = mat4x4f();  // directions 0 … 3 of the pass
  var sums1 = mat4x4f();  // 4 … 7
  var sums2 = mat4x4f();  // 8 … 11
  var sums3 = mat4x4f();  // 12 … 15
  let start = min(lane, quads - 1u);
  var held = array<vec4f, 4>(x[rowAt.x + start], x[rowAt.y + start], x[rowAt.z + start], x[rowAt.w + start]);
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
    let direction = directionAt + at;
    sums0 = plusProducts(sums0, rows, direction, quads);
    sums1 = plusProducts(sums1, rows, direction + 4u * quads, quads);
    sums2 = plusProducts(sums2, rows, direction + 8u * quads, quads);
    if (width > 12u) {
      sums3 = plusProducts(sums3, rows, direction + 12u * quads, quads);
    }
  }
  var score = 0.0;
  for (var first = 0u; first < width; first += 4u) {
    var sums = sums0;
    if (first == 4u) {
      sums = sums1;
    } else if (first == 8u) {
      sums = sums2;
    } else if (first == 12u) {
      sums = sums3;
    }
    let products = whole(sums, row, lane, local.x);
    let count = min(4u, width - first);
    let known = select(vec4f(0.0), products, vec4u(0u, 1u, 2u, 3u) < vec4u(count));
    score += dot(known, known);
    if (params.scores == 0u && local.x < tile.z) {
      let to = (tile.y + local.x) * params.directions + params.first + first;
      for (var j = 0u; j < count; j++) {
        projected[to + j] = products[j];
      }
    }
  }
  if (params.scores == 1u && local.x < tile.z) {
    if (params.first > 0u) {
      score += projected[tile.y + local.x];
    }
    projected[tile.y + local.x] = score;
  }
}
