// Flags every 4,096 values of which one is not finite.
// CPU twin: src/core/non-finite.ts
//
// One workgroup: 4,096 values, 64 a thread, four at a time. They come as bits, since a device may take it for granted that there are no
// infinities: a value is not finite where all eight bits of its exponent are set.

struct Params {
  values: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> bits: array<u32>;          // [values]
@group(0) @binding(2) var<storage, read_write> flags: array<f32>;   // [values / 4,096]

var<workgroup> found: array<u32, 64>;

@compute @workgroup_size(64)
fn flag(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let index = group.x + group.y * grid.x;
  let first = index * 4096u;
  var own = 0u;
  for (var i = local.x; i < 4096u; i += 64u) {
    let at = min(first + i, params.values - 1u);
    own |= select(0u, 1u, (bits[at] & 0x7f800000u) == 0x7f800000u);
  }
  found[local.x] = own;
  workgroupBarrier();
  if (local.x == 0u && first < params.values) {
    var any = 0u;
    for (var i = 0u; i < 64u; i++) {
      any |= found[i];
    }
    flags[index] = f32(any);
  }
}
