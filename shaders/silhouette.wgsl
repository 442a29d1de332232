// Exact silhouette of every row within its class (Rousseeuw 1987): s = (b − a) / max(a, b), a the mean distance to the row's own cluster,
// b the smallest mean distance to another; 0 where the row is alone in its cluster or all rows coincide.
// CPU twin: src/kernels/silhouette.ts
//
// One workgroup of 64 threads: 64 rows, one a thread, against all rows of the class in chunks of 64: n²/2 distances twice, never an n×n
// matrix, no scatter, so the order of every sum is fixed. Distances are sums of squared differences (no |a|² + |b|² − 2ab, which
// cancels). At most 16 dimensions and 4 clusters: a row is four vec4 in registers, the four sums are one vec4.
// Workgroup memory: 64 × (16 + 4) floats = 5 KiB. Rounding: a chunk is summed apart, then added: (64 + n/64) · 2⁻²⁴ relative.

struct Params {
  dims: u32,
  tiles: u32,       // tiles of at most 64 rows
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> points: array<f32>;         // [n, dims]
@group(0) @binding(2) var<storage, read> clusterOf: array<u32>;      // [n]: 0 … 3
@group(0) @binding(3) var<storage, read> tiles: array<vec4u>;        // [tiles]: class in batch, first row, rows, class
@group(0) @binding(4) var<storage, read> starts: array<u32>;         // [classes + 1] row offsets
@group(0) @binding(5) var<storage, read> sizes: array<vec4u>;        // [classes]: rows of each cluster
@group(0) @binding(6) var<storage, read_write> silhouettes: array<f32>; // [n]

var<workgroup> others: array<vec4f, 256>;   // 64 rows × 16 dimensions
var<workgroup> memberOf: array<vec4f, 64>;  // one-hot cluster of each of those rows

/** A coordinate, 0 beyond the dimensions: loaded in any case, not branched over, so that all of a row's loads are under way together. */
fn coordinate(row: u32, j: u32) -> f32 {
  return select(0.0, points[row * params.dims + min(j, params.dims - 1u)], j < params.dims);
}

fn loadRow(row: u32, quad: u32) -> vec4f {
  let j = quad * 4u;
  return vec4f(coordinate(row, j), coordinate(row, j + 1u), coordinate(row, j + 2u), coordinate(row, j + 3u));
}

@compute @workgroup_size(64)
fn silhouette(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let index = group.x + group.y * grid.x;
  if (index >= params.tiles) {
    return;
  }
  let tile = tiles[index];
  let end = starts[tile.x + 1u];
  let row = tile.y + min(local.x, tile.z - 1u);
  let own0 = loadRow(row, 0u);
  let own1 = loadRow(row, 1u);
  let own2 = loadRow(row, 2u);
  let own3 = loadRow(row, 3u);
  var sums = vec4f(0.0);
  for (var start = starts[tile.x]; start < end; start += 64u) {
    let other = min(start + local.x, end - 1u);
    let other0 = loadRow(other, 0u);
    let other1 = loadRow(other, 1u);
    let other2 = loadRow(other, 2u);
    let other3 = loadRow(other, 3u);
    let isIn = start + local.x < end;
    let member = select(vec4f(0.0), vec4f(1.0), vec4u(clusterOf[other]) == vec4u(0u, 1u, 2u, 3u));
    workgroupBarrier();
    others[local.x * 4u] = other0;
    others[local.x * 4u + 1u] = other1;
    others[local.x * 4u + 2u] = other2;
    others[local.x * 4u + 3u] = other3;
    memberOf[local.x] = select(vec4f(0.0), member, isIn); // of no cluster beyond the class
    workgroupBarrier();
    var chunk = vec4f(0.0);
    for (var i = 0u; i < 64u; i++) {
      let d0 = own0 - others[i * 4u];
      let d1 = own1 - others[i * 4u + 1u];
      let d2 = own2 - others[i * 4u + 2u];
      let d3 = own3 - others[i * 4u + 3u];
      chunk += sqrt(dot(d0, d0) + dot(d1, d1) + dot(d2, d2) + dot(d3, d3)) * memberOf[i];
    }
    sums += chunk;
  }
  if (local.x >= tile.z) {
    return;
  }
  let own = clusterOf[row];
  let size = sizes[tile.x];
  var value = 0.0;
  if (size[own] > 1u) {
    let a = sums[own] / f32(size[own] - 1u);
    var b = -1.0;
    for (var k = 0u; k < 4u; k++) {
      if (k != own && size[k] > 0u) {
        let mean = sums[k] / f32(size[k]);
        if (b < 0.0 || mean < b) {
          b = mean;
        }
      }
    }
    let larger = max(a, b);
    if (b >= 0.0 && larger > 0.0) {
      value = (b - a) / larger;
    }
  }
  silhouettes[row] = value;
}
