// Copies rows to their places in a larger matrix, less a shift; columns are padded with zeros.
// CPU twin: src/core/place-rows.ts
//
// One invocation: four columns of one row. Rows come as they are, so that a row may begin anywhere: they are read number by number.

struct Params {
  rows: u32,
  cols: u32,        // of the rows as they come
  paddedCols: u32,  // of the output, a multiple of 4
  places: u32,      // rows of the output; a place beyond them is none
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> given: array<f32>;         // [rows, cols]
@group(0) @binding(2) var<storage, read> places: array<u32>;        // [rows]
@group(0) @binding(3) var<storage, read> shift: array<vec4f>;       // [paddedCols / 4]
@group(0) @binding(4) var<storage, read_write> placed: array<vec4f>;  // [places, paddedCols / 4]

@compute @workgroup_size(64)
fn place(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let id = (group.x + group.y * grid.x) * 64u + local.x;
  let quads = params.paddedCols / 4u;
  let row = id / quads;
  if (row >= params.rows) {
    return;
  }
  let to = places[row];
  if (to >= params.places) {
    return;
  }
  let quad = id % quads;
  let at = row * params.cols + quad * 4u;
  let inside = quad * 4u + vec4u(0u, 1u, 2u, 3u) < vec4u(params.cols);
  let values = vec4f(given[at], given[at + 1u], given[at + 2u], given[at + 3u]);
  placed[to * quads + quad] = select(vec4f(0.0), values - shift[quad], inside);
}
