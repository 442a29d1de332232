// k-means on rows of few dimensions (at most 16) into at most 4 clusters, every class and every restart at once. One Lloyd step is `assignTiles` (sums per row
// tile) and `finish` (tiles added in order, new centres); `distances` gives each row's distance to each of its class's centres.
// CPU twins: src/kernels/kmeans.ts
//
// A centre is a row of dims + 2 numbers: its coordinates, how many rows the last step gave it, and their squared distances to the
// centre they were given to. Ties go to the lower centre; a centre that gets no row stays where it was. No atomics: the threads of
// a workgroup first assign its 64 rows, then each adds up one number of one restart in row order, for all clusters at once.
// Workgroup memory: 16 restarts × 64 rows × 8 bytes = 8 KiB, restarts beyond 16 in further rounds.

struct Params {
  dims: u32,
  tiles: u32,       // tiles of at most 64 rows
  classes: u32,
  restarts: u32,
  clusters: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> points: array<f32>;        // [n, dims]
@group(0) @binding(2) var<storage, read> tiles: array<vec4u>;       // [tiles]: class in batch, first row, rows, class
@group(0) @binding(3) var<storage, read> firstTile: array<u32>;     // [classes + 1]
@group(0) @binding(4) var<storage, read> centres: array<f32>;       // [classes · restarts · clusters, dims + 2]
@group(0) @binding(5) var<storage, read_write> tileSums: array<f32>; // [tiles, restarts · clusters · (dims + 2)]
@group(0) @binding(6) var<storage, read_write> result: array<f32>;

var<workgroup> chosen: array<u32, 1024>;   // 16 restarts × 64 rows
var<workgroup> nearest: array<f32, 1024>;

fn squaredDistance(row: u32, centreAt: u32) -> f32 {
  var sum = 0.0;
  for (var j = 0u; j < params.dims; j++) {
    let difference = points[row * params.dims + j] - centres[centreAt + j];
    sum += difference * difference;
  }
  return sum;
}

@compute @workgroup_size(64)
fn assignTiles(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let index = group.x + group.y * grid.x;
  if (index >= params.tiles) {
    return;
  }
  let tile = tiles[index];
  let stride = params.dims + 2u;
  let perClass = params.restarts * params.clusters;
  for (var firstRestart = 0u; firstRestart < params.restarts; firstRestart += 16u) {
    let rounds = min(16u, params.restarts - firstRestart);
    workgroupBarrier();
    if (local.x < tile.z) {
      for (var r = 0u; r < rounds; r++) {
        var best = 0u;
        var bestDistance = 0.0;
        for (var k = 0u; k < params.clusters; k++) {
          let centre = tile.x * perClass + (firstRestart + r) * params.clusters + k;
          let distance = squaredDistance(tile.y + local.x, centre * stride);
          if (k == 0u || distance < bestDistance) {
            best = k;
            bestDistance = distance;
          }
        }
        chosen[r * 64u + local.x] = best;
        nearest[r * 64u + local.x] = bestDistance;
      }
    }
    workgroupBarrier();
    for (var e = local.x; e < rounds * stride; e += 64u) {
      let j = e % stride;
      let r = e / stride;
      var totals = vec4f(0.0); // one a cluster
      for (var row = 0u; row < tile.z; row++) {
        var value = 1.0;
        if (j < params.dims) {
          value = points[(tile.y + row) * params.dims + j];
        } else if (j > params.dims) {
          value = nearest[r * 64u + row];
        }
        totals += select(vec4f(0.0), vec4f(value), vec4u(chosen[r * 64u + row]) == vec4u(0u, 1u, 2u, 3u));
      }
      for (var k = 0u; k < params.clusters; k++) {
        tileSums[index * perClass * stride + ((firstRestart + r) * params.clusters + k) * stride + j] = totals[k];
      }
    }
  }
}

// One invocation: one number of one new centre.
@compute @workgroup_size(64)
fn finish(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let stride = params.dims + 2u;
  let perClass = params.restarts * params.clusters * stride;
  let class_ = id / perClass;
  if (class_ >= params.classes) {
    return;
  }
  let e = id % perClass;
  let j = e % stride;
  var total = 0.0;
  var rows = 0.0;
  for (var index = firstTile[class_]; index < firstTile[class_ + 1u]; index++) {
    total += tileSums[index * perClass + e];
    rows += tileSums[index * perClass + e - j + params.dims];
  }
  if (j < params.dims) {
    if (rows > 0.0) {
      total = total / rows;
    } else {
      total = centres[id];
    }
  }
  result[id] = total;
}

// One invocation: one row. Writes [n, clusters]; `restarts` is 1 here.
@compute @workgroup_size(64)
fn distances(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let index = group.x + group.y * grid.x;
  if (index >= params.tiles) {
    return;
  }
  let tile = tiles[index];
  if (local.x >= tile.z) {
    return;
  }
  let row = tile.y + local.x;
  for (var k = 0u; k < params.clusters; k++) {
    let centreAt = (tile.x * params.clusters + k) * (params.dims + 2u);
    result[row * params.clusters + k] = sqrt(squaredDistance(row, centreAt));
  }
}
