import { addScaled, dot, normalise } from "./doubles.ts";
import { laneSumDouble } from "./lanes.ts";

const epsilon: f64 = 2.220446049250313e-16;

/** Bytes of room that `topPairs` works in. */
export function topPairsRoom(n: i32, stride: i32): i32 {
  return 8 * (n * stride + 2 * stride + 10 * n);
}

/**
 * The `wanted` largest eigenpairs of a symmetric matrix a: `[n, n]`, float64 rows of `stride`, which is overwritten. To values, falling, and
 * vectors, rows of `stride`. Householder reduction to tridiagonal form, its eigenvalues by bisection, its vectors by inverse iteration
 * made orthogonal to those before (Golub & Van Loan, 4th ed., §8.3; Dhillon 1997 on why orthogonal), and back. About 2·n³ operations.
 */
export function topPairs(a: usize, n: i32, stride: i32, wanted: i32, values: usize, vectors: usize, room: usize): void {
  const bytes = <usize>stride << 3;
  const reflectors = room;
  const v = reflectors + <usize>n * bytes;
  const w = v + bytes;
  const diagonal = w + bytes;
  const off = diagonal + (<usize>n << 3);
  const betas = off + (<usize>n << 3);
  const scratch = betas + (<usize>n << 3);
  memory.fill(reflectors, 0, <usize>n * bytes);
  reduce(a, n, stride, reflectors, betas, off, w);
  for (let i = 0; i < n; i++) store<f64>(diagonal + (<usize>i << 3), load<f64>(a + <usize>i * bytes + (<usize>i << 3)));
  const norm = largestValues(diagonal, off, n, wanted, values, scratch);
  let shift: f64 = 0;
  for (let k = 0; k < wanted; k++) {
    const x = vectors + <usize>k * bytes;
    const value = load<f64>(values + (<usize>k << 3));
    // Equal values get shifts a few roundings apart: solutions for the very same shift would be the same.
    shift = k > 0 ? Math.min(value, shift - 4 * epsilon * norm) : value;
    inverseIterate(diagonal, off, n, stride, shift, norm, x, vectors, k, scratch);
  }
  for (let k = 0; k < wanted; k++) {
    const x = vectors + <usize>k * bytes;
    for (let i = n - 3; i >= 0; i--) {
      const q = reflectors + <usize>i * bytes;
      addScaled(x, -load<f64>(betas + (<usize>i << 3)) * dot(q, x, stride), q, stride);
    }
  }
}

/** Tridiagonal form by n − 2 reflections: a's diagonal and `off` hold it, `reflectors`' row k the k-th, `betas` 2 / its square. */
function reduce(a: usize, n: i32, stride: i32, reflectors: usize, betas: usize, off: usize, w: usize): void {
  const bytes = <usize>stride << 3;
  for (let k = 0; k < n - 1; k++) {
    const row = a + <usize>k * bytes;
    const v = reflectors + <usize>k * bytes;
    const from = k + 1;
    let scale: f64 = 0;
    for (let i = from; i < n; i++) scale = Math.max(scale, Math.abs(load<f64>(row + (<usize>i << 3))));
    store<f64>(betas + (<usize>k << 3), 0);
    if (k == n - 2 || scale == 0) {
      store<f64>(off + (<usize>k << 3), load<f64>(row + (<usize>from << 3)));
      continue;
    }
    let norm: f64 = 0;
    for (let i = from; i < n; i++) {
      const value = load<f64>(row + (<usize>i << 3)) / scale;
      store<f64>(v + (<usize>i << 3), value);
      norm += value * value;
    }
    const head = load<f64>(v + (<usize>from << 3));
    const alpha = head > 0 ? -Math.sqrt(norm) : Math.sqrt(norm);
    store<f64>(v + (<usize>from << 3), head - alpha);
    const beta = 1 / (norm - head * alpha);
    store<f64>(off + (<usize>k << 3), alpha * scale);
    store<f64>(betas + (<usize>k << 3), beta);
    // Pairs of columns from the even one before `from` on: v is zero before `from`.
    const even = from & ~1;
    const length = stride - even;
    const skip = <usize>even << 3;
    memory.fill(w, 0, bytes);
    let i = from;
    for (; i + 3 < n; i += 4) fourDots(a + <usize>i * bytes + skip, bytes, v + skip, length, w + (<usize>i << 3));
    for (; i < n; i++) store<f64>(w + (<usize>i << 3), dot(a + <usize>i * bytes + skip, v + skip, length));
    let vw: f64 = 0;
    for (i = from; i < n; i++) {
      const product = beta * load<f64>(w + (<usize>i << 3));
      store<f64>(w + (<usize>i << 3), product);
      vw += product * load<f64>(v + (<usize>i << 3));
    }
    addScaled(w + skip, (-beta * vw) / 2, v + skip, length);
    for (i = from; i < n; i++) {
      subtractTwo(a + <usize>i * bytes + skip, load<f64>(v + (<usize>i << 3)), w + skip, load<f64>(w + (<usize>i << 3)), v + skip, length);
    }
  }
}

/** Inner products of four rows, `bytes` apart, with v: to out. Four sums, none of which waits for another. */
function fourDots(row: usize, bytes: usize, v: usize, stride: i32, out: usize): void {
  const end = v + (<usize>stride << 3);
  const row2 = row + bytes + bytes;
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let s2 = f64x2.splat(0);
  let s3 = f64x2.splat(0);
  for (let r0 = row, r2 = row2; v < end; v += 16, r0 += 16, r2 += 16) {
    const x = v128.load(v);
    s0 = f64x2.add(s0, f64x2.mul(v128.load(r0), x));
    s1 = f64x2.add(s1, f64x2.mul(v128.load(r0 + bytes), x));
    s2 = f64x2.add(s2, f64x2.mul(v128.load(r2), x));
    s3 = f64x2.add(s3, f64x2.mul(v128.load(r2 + bytes), x));
  }
  store<f64>(out, laneSumDouble(s0));
  store<f64>(out, laneSumDouble(s1), 8);
  store<f64>(out, laneSumDouble(s2), 16);
  store<f64>(out, laneSumDouble(s3), 24);
}

/** to −= a·x + b·y. */
function subtractTwo(to: usize, a: f64, x: usize, b: f64, y: usize, stride: i32): void {
  const end = to + (<usize>stride << 3);
  const c = f64x2.splat(-a);
  const d = f64x2.splat(-b);
  for (; to < end; to += 16, x += 16, y += 16) {
    v128.store(to, f64x2.add(f64x2.add(v128.load(to), f64x2.mul(c, v128.load(x))), f64x2.mul(d, v128.load(y))));
  }
}

/** Halvings after which nothing but rounding is left of the interval that all eigenvalues lie in. */
const halvings = 55;

/**
 * The largest eigenvalues of a symmetric tridiagonal matrix, falling: to values. By counting those below the middle of an interval (Golub & Van Loan, §8.4.1), ten of
 * them at a time, since one division has to wait for the one before. Room for n numbers. Gives a bound of all absolute values.
 */
function largestValues(d: usize, e: usize, n: i32, wanted: i32, values: usize, squares: usize): f64 {
  let bound: f64 = 0;
  let largest: f64 = 1;
  let before: f64 = 0;
  for (let i = 0; i < n; i++) {
    const at = <usize>i << 3;
    const next = i + 1 < n ? Math.abs(load<f64>(e + at)) : 0;
    bound = Math.max(bound, Math.abs(load<f64>(d + at)) + before + next);
    largest = Math.max(largest, next * next);
    store<f64>(squares + at, before * before);
    before = next;
  }
  const least = f64.MIN_NORMAL_VALUE * largest;
  for (let k = 0; k < wanted; k += 10) {
    let low0 = f64x2.splat(-bound);
    let low1 = low0;
    let low2 = low0;
    let low3 = low0;
    let low4 = low0;
    let high0 = f64x2.splat(bound);
    let high1 = high0;
    let high2 = high0;
    let high3 = high0;
    let high4 = high0;
    for (let step = 0; step < halvings; step++) {
      const x0 = middle(low0, high0);
      const x1 = middle(low1, high1);
      const x2 = middle(low2, high2);
      const x3 = middle(low3, high3);
      const x4 = middle(low4, high4);
      let q0 = f64x2.splat(1);
      let q1 = q0;
      let q2 = q0;
      let q3 = q0;
      let q4 = q0;
      let count0 = i64x2.splat(0);
      let count1 = count0;
      let count2 = count0;
      let count3 = count0;
      let count4 = count0;
      for (let at: usize = 0; at < <usize>n << 3; at += 8) {
        const diagonal = v128.load64_splat(d + at);
        const square = v128.load64_splat(squares + at);
        q0 = pivot(diagonal, x0, square, q0, least);
        q1 = pivot(diagonal, x1, square, q1, least);
        q2 = pivot(diagonal, x2, square, q2, least);
        q3 = pivot(diagonal, x3, square, q3, least);
        q4 = pivot(diagonal, x4, square, q4, least);
        count0 = i64x2.sub(count0, f64x2.lt(q0, f64x2.splat(0)));
        count1 = i64x2.sub(count1, f64x2.lt(q1, f64x2.splat(0)));
        count2 = i64x2.sub(count2, f64x2.lt(q2, f64x2.splat(0)));
        count3 = i64x2.sub(count3, f64x2.lt(q3, f64x2.splat(0)));
        count4 = i64x2.sub(count4, f64x2.lt(q4, f64x2.splat(0)));
      }
      const all = n - k;
      const is0 = isAbove(count0, all);
      const is1 = isAbove(count1, all - 2);
      const is2 = isAbove(count2, all - 4);
      const is3 = isAbove(count3, all - 6);
      const is4 = isAbove(count4, all - 8);
      high0 = v128.bitselect(x0, high0, is0);
      high1 = v128.bitselect(x1, high1, is1);
      high2 = v128.bitselect(x2, high2, is2);
      high3 = v128.bitselect(x3, high3, is3);
      high4 = v128.bitselect(x4, high4, is4);
      low0 = v128.bitselect(low0, x0, is0);
      low1 = v128.bitselect(low1, x1, is1);
      low2 = v128.bitselect(low2, x2, is2);
      low3 = v128.bitselect(low3, x3, is3);
      low4 = v128.bitselect(low4, x4, is4);
    }
    storeTwo(values, k, wanted, middle(low0, high0));
    storeTwo(values, k + 2, wanted, middle(low1, high1));
    storeTwo(values, k + 4, wanted, middle(low2, high2));
    storeTwo(values, k + 6, wanted, middle(low3, high3));
    storeTwo(values, k + 8, wanted, middle(low4, high4));
  }
  return bound;
}

// @ts-ignore: decorator
@inline
function middle(low: v128, high: v128): v128 {
  return f64x2.mul(f64x2.splat(0.5), f64x2.add(low, high));
}

/** Of elimination on T − x, never zero: as many are negative as eigenvalues are less than x. */
// @ts-ignore: decorator
@inline
function pivot(diagonal: v128, x: v128, square: v128, before: v128, least: f64): v128 {
  const q = f64x2.sub(f64x2.sub(diagonal, x), f64x2.div(square, before));
  return v128.bitselect(f64x2.splat(-least), q, f64x2.lt(f64x2.abs(q), f64x2.splat(least)));
}

/** Whether at least `all` eigenvalues are less, and for the second lane at least one fewer. */
// @ts-ignore: decorator
@inline
function isAbove(count: v128, all: i32): v128 {
  return i64x2.ge_s(count, i64x2.replace_lane(i64x2.splat(<i64>all), 1, <i64>(all - 1)));
}

// @ts-ignore: decorator
@inline
function storeTwo(values: usize, k: i32, wanted: i32, two: v128): void {
  if (k < wanted) store<f64>(values + (<usize>k << 3), f64x2.extract_lane(two, 0));
  if (k + 1 < wanted) store<f64>(values + (<usize>(k + 1) << 3), f64x2.extract_lane(two, 1));
}

/** x: a unit vector with (T − shift)·x ≈ 0, orthogonal to the first `found` rows of `others`. */
function inverseIterate(
  d: usize,
  e: usize,
  n: i32,
  stride: i32,
  shift: f64,
  norm: f64,
  x: usize,
  others: usize,
  found: i32,
  room: usize,
): void {
  const size = <usize>n << 3;
  const bytes = <usize>stride << 3;
  const least = Math.max(epsilon * norm, 1e-150);
  let seed: u32 = 12345 + <u32>found;
  for (let j = 0; j < stride; j++) {
    seed = seed * 1664525 + 1013904223;
    store<f64>(x + (<usize>j << 3), j < n ? <f64>(seed >> 8) / 16777216 - 0.5 : 0);
  }
  for (let turn = 0; turn < 4; turn++) {
    for (let round = 0; round < 2; round++) {
      for (let k = 0; k < found; k++) addScaled(x, -dot(others + <usize>k * bytes, x, stride), others + <usize>k * bytes, stride);
      normalise(x, stride);
    }
    if (turn < 3) solve(d, e, n, shift, least, x, room, room + size, room + 2 * size, room + 3 * size);
  }
}

/** x ← (T − shift)⁻¹·x by elimination with row exchanges; pivots below `least` are taken for that. Room for four columns. */
function solve(d: usize, e: usize, n: i32, shift: f64, least: f64, x: usize, main: usize, upper: usize, second: usize, right: usize): void {
  let pivot = load<f64>(d) - shift;
  let above = n > 1 ? load<f64>(e) : 0;
  let value = load<f64>(x);
  for (let i = 0; i < n; i++) {
    const at = <usize>i << 3;
    let next: f64 = 0;
    let nextAbove: f64 = 0;
    let nextValue: f64 = 0;
    let beyond: f64 = 0;
    if (i + 1 < n) {
      const below = load<f64>(e + at);
      next = load<f64>(d + at, 8) - shift;
      nextAbove = i + 2 < n ? load<f64>(e + at, 8) : 0;
      nextValue = load<f64>(x + at, 8);
      if (Math.abs(below) > Math.abs(pivot)) {
        const factor = pivot / below;
        pivot = below;
        const old = above;
        above = next;
        next = old - factor * next;
        beyond = nextAbove;
        nextAbove = -factor * beyond;
        const oldValue = value;
        value = nextValue;
        nextValue = oldValue - factor * value;
      } else {
        if (Math.abs(pivot) < least) pivot = least;
        const factor = below / pivot;
        next -= factor * above;
        nextValue -= factor * value;
      }
    } else if (Math.abs(pivot) < least) pivot = least;
    store<f64>(main + at, pivot);
    store<f64>(upper + at, above);
    store<f64>(second + at, beyond);
    store<f64>(right + at, value);
    pivot = next;
    above = nextAbove;
    value = nextValue;
  }
  for (let i = n - 1; i >= 0; i--) {
    const at = <usize>i << 3;
    let sum = load<f64>(right + at);
    if (i + 1 < n) sum -= load<f64>(upper + at) * load<f64>(x + at, 8);
    if (i + 2 < n) sum -= load<f64>(second + at) * load<f64>(x + at, 16);
    store<f64>(x + at, sum / load<f64>(main + at));
  }
}
