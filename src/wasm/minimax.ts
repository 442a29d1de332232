import { innerProduct } from "./inner-product.ts";
import { factor, solveLower, solveLowerTransposed } from "./triangular.ts";

/** Numbers of room that `minimax` works in. */
export function minimaxRoom(n: i32, groups: i32): i32 {
  return n * n + 6 * n + 2 + 2 * groups;
}

/**
 * The steps of linalg/minimax-direction.ts. `covariances`: the places of `groups` matrices `[n, n]`. `weights` is where it starts; the best
 * direction and its weights go to `direction` and `best`. 0 where a mix is not positive definite, else 1.
 */
export function minimax(
  apart: usize,
  n: i32,
  covariances: usize,
  groups: i32,
  steps: i32,
  weights: usize,
  direction: usize,
  best: usize,
  room: usize,
): i32 {
  const bytes = <usize>n << 3;
  const mixed = room;
  const columns = mixed + bytes * n + 8;
  const b = columns + (bytes << 2);
  const variances = b + bytes;
  const ofGroups = <usize>groups << 3;
  let least = Infinity;
  for (let step = 0; step < steps; step++) {
    memory.fill(mixed, 0, bytes * n);
    for (let g = 0; g < groups; g++) addScaled(mixed, load<u32>(covariances + (<usize>g << 2)), load<f64>(weights + (<usize>g << 3)), n);
    if (!factor(mixed, n, columns)) return 0;
    memory.copy(b, apart, bytes);
    solveLower(mixed, n, b);
    solveLowerTransposed(mixed, n, b);
    const scale = innerProduct(b, apart, n);
    if (!(scale > 0)) break;
    for (let at: usize = 0; at < bytes; at += 8) store<f64>(b + at, load<f64>(b + at) / scale);
    let largest: f64 = 0;
    for (let g = 0; g < groups; g++) {
      const variance = quadratic(load<u32>(covariances + (<usize>g << 2)), b, n);
      store<f64>(variances + (<usize>g << 3), variance);
      largest = Math.max(largest, variance);
    }
    if (largest < least) {
      least = largest;
      memory.copy(direction, b, bytes);
      memory.copy(best, weights, ofGroups);
    }
    let total: f64 = 0;
    for (let at: usize = 0; at < ofGroups; at += 8) {
      const raised = (load<f64>(weights + at) * load<f64>(variances + at)) / largest;
      store<f64>(weights + at, raised);
      total += raised;
    }
    for (let at: usize = 0; at < ofGroups; at += 8) store<f64>(weights + at, load<f64>(weights + at) / total);
  }
  return 1;
}

/** sum += weight · a, lower triangle; weights too small to matter are left out. */
function addScaled(sum: usize, a: usize, weight: f64, n: i32): void {
  if (weight < 1e-5) return;
  const bytes = <usize>n << 3;
  const w = f64x2.splat(weight);
  for (let i = 0; i < n; i++, sum += bytes, a += bytes) {
    const even = <usize>((i + 1) & ~1) << 3;
    for (let at: usize = 0; at < even; at += 16) v128.store(sum + at, f64x2.add(v128.load(sum + at), f64x2.mul(w, v128.load(a + at))));
    if (i & 1) continue;
    store<f64>(sum + even, load<f64>(sum + even) + weight * load<f64>(a + even));
  }
}

/** bᵀ·A·b of a symmetric A. */
export function quadratic(a: usize, b: usize, n: i32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < n; i++, a += <usize>n << 3) {
    const own = load<f64>(b + (<usize>i << 3));
    sum += own * (2 * innerProduct(a, b, i) + load<f64>(a + (<usize>i << 3)) * own);
  }
  return sum;
}
