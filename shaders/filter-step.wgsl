// One step of a filtered subspace iteration for every class at once: W = α·Z − β·V − γ·P of sixteen vectors a class (Z is A·V), made
// orthonormal by Gram–Schmidt; and V, put through the same combinations, which is the P of the next step.
// CPU twin: src/kernels/filter-step.ts
//
// A polynomial of A by three terms (α, β, γ) is linear in the vectors, so combining the vectors of a step among themselves leaves the span
// of what comes out as it would have been: the polynomial may be of any degree and nothing overflows or lines up with the first vector.
//
// One workgroup of 64 threads a class; a thread owns every 64th vec4 of all vectors, so storage needs no barrier. Each vector is made
// orthogonal twice to those before it ("twice is enough": Kahan, Parlett). One that the second round still shrinks a hundredfold is
// rounding, as the space is exhausted, and becomes zero. Sums over threads: 64 partial sums in order, four groups of sixteen.
// Workgroup memory: 16×64 + 64 floats = 4.3 KiB. Rounding: orthogonal to about √cols · 2⁻²⁴.

struct Params {
  cols: u32,      // columns, a multiple of 4
  classes: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> applied: array<vec4f>;       // Z: [classes · 16, cols / 4]
@group(0) @binding(2) var<storage, read> vectors: array<vec4f>;       // V, then P: [2 · classes · 16, cols / 4]
@group(0) @binding(3) var<storage, read> weights: array<vec4f>;       // [classes]: α, β, γ, 0
@group(0) @binding(4) var<storage, read_write> result: array<vec4f>;  // W, then the next P: [2 · classes · 16, cols / 4]

var<workgroup> partial: array<f32, 1024>;  // 16 sums × 64 threads
var<workgroup> reduced: array<f32, 64>;    // 4 groups × 16 sums

/** The sum of the i-th partial sums of all threads, once `reduce` was called. */
fn total(i: u32) -> f32 {
  return (reduced[i] + reduced[16u + i]) + (reduced[32u + i] + reduced[48u + i]);
}

/** Adds up what the threads left in `partial`. */
fn reduce(thread: u32) {
  workgroupBarrier();
  let at = (thread % 16u) * 64u + (thread / 16u) * 16u;
  var sum = 0.0;
  for (var e = 0u; e < 16u; e++) {
    sum += partial[at + e];
  }
  reduced[thread] = sum;
  workgroupBarrier();
}

@compute @workgroup_size(64)
fn step(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_id) local: vec3u,
) {
  let class_ = group.x + group.y * grid.x;
  if (class_ >= params.classes) {
    return;
  }
  let quads = params.cols / 4u;
  let first = class_ * 16u * quads;                    // of W
  let second = (params.classes + class_) * 16u * quads; // of P
  let weight = weights[class_];
  for (var row = 0u; row < 16u * quads; row += quads) {
    for (var at = row + local.x; at < row + quads; at += 64u) {
      let v = vectors[first + at];
      result[first + at] = weight.x * applied[first + at] - weight.y * v - weight.z * vectors[second + at];
      result[second + at] = v;
    }
  }
  for (var k = 0u; k < 16u; k++) {
    let own = first + k * quads;
    let before = second + k * quads;
    var shrunk = 0.0;
    for (var round = 0u; round < 2u; round++) {
      for (var i = 0u; i <= k; i++) {
        var sum = 0.0;
        for (var quad = local.x; quad < quads; quad += 64u) {
          sum += dot(result[first + i * quads + quad], result[own + quad]);
        }
        partial[i * 64u + local.x] = sum;
      }
      reduce(local.x);
      shrunk = total(k);
      for (var quad = local.x; quad < quads; quad += 64u) {
        var w = result[own + quad];
        var p = result[before + quad];
        for (var i = 0u; i < k; i++) {
          let share = total(i);
          w -= share * result[first + i * quads + quad];
          p -= share * result[second + i * quads + quad];
        }
        result[own + quad] = w;
        result[before + quad] = p;
      }
    }
    var sum = 0.0;
    for (var quad = local.x; quad < quads; quad += 64u) {
      sum += dot(result[own + quad], result[own + quad]);
    }
    partial[local.x] = sum;
    reduce(local.x);
    let left = total(0u);
    var scale = 0.0;
    if (left > 1e-4 * shrunk) {
      scale = inverseSqrt(left);
    }
    for (var quad = local.x; quad < quads; quad += 64u) {
      result[own + quad] *= scale;
      result[before + quad] *= scale;
    }
  }
}
