import { addScaled, dot, normalise } from "./doubles.ts";
import { laneSumDouble } from "./lanes.ts";

const epsilon: f64 = 2.220446049250313e-16;

/** Bytes of room that `topPairs` works in. */
export function topPairsRoom(n: i32, stride: i32): i32 {
  return 8 * (n * stride + 2 * stride + 10 * n);
}

/**
 * The `wanted` largest eigenpairs of a symmetric matrix a: `[n, n]`, float64 rows of `stride`, which is overwritten. To values, falling, and
 * vectors, rows of `stride`. Householder reduction to tridiagonal form, its eigenvalues by implicit QL, its vectors by inverse iteration
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
  const all = scratch;
  memory.copy(all, diagonal, <usize>n << 3);
  memory.copy(all + (<usize>n << 3), off, <usize>n << 3);
  tridiagonalValues(all, all + (<usize>n << 3), n);
  let norm: f64 = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(load<f64>(all + (<usize>i << 3))));
  // The largest first, by selection: few are wanted.
  for (let k = 0; k < wanted; k++) {
    let best = k;
    for (let i = k + 1; i < n; i++) if (load<f64>(all + (<usize>i << 3)) > load<f64>(all + (<usize>best << 3))) best = i;
    const value = load<f64>(all + (<usize>best << 3));
    store<f64>(all + (<usize>best << 3), load<f64>(all + (<usize>k << 3)));
    store<f64>(all + (<usize>k << 3), value);
    store<f64>(values + (<usize>k << 3), value);
  }
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

/** Eigenvalues of a symmetric tridiagonal matrix, in no order, in place of its diagonal d; e is overwritten. */
function tridiagonalValues(d: usize, e: usize, n: i32): void {
  for (let l = 0; l < n; l++) {
    for (let turn = 0; turn < 60; turn++) {
      let m = l;
      for (; m < n - 1; m++) {
        const size = Math.abs(load<f64>(d + (<usize>m << 3))) + Math.abs(load<f64>(d + (<usize>m << 3), 8));
        if (Math.abs(load<f64>(e + (<usize>m << 3))) <= epsilon * size) break;
      }
      if (m == l) break;
      const dl = load<f64>(d + (<usize>l << 3));
      const el = load<f64>(e + (<usize>l << 3));
      let g = (load<f64>(d + (<usize>l << 3), 8) - dl) / (2 * el);
      let r = Math.sqrt(g * g + 1);
      g = load<f64>(d + (<usize>m << 3)) - dl + el / (g + (g >= 0 ? r : -r));
      let s: f64 = 1;
      let c: f64 = 1;
      let p: f64 = 0;
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * load<f64>(e + (<usize>i << 3));
        const b = c * load<f64>(e + (<usize>i << 3));
        r = Math.sqrt(f * f + g * g);
        store<f64>(e + (<usize>i << 3), r, 8);
        if (r == 0) {
          store<f64>(d + (<usize>i << 3), load<f64>(d + (<usize>i << 3), 8) - p, 8);
          store<f64>(e + (<usize>m << 3), 0);
          break;
        }
        s = f / r;
        c = g / r;
        g = load<f64>(d + (<usize>i << 3), 8) - p;
        r = (load<f64>(d + (<usize>i << 3)) - g) * s + 2 * c * b;
        p = s * r;
        store<f64>(d + (<usize>i << 3), g + p, 8);
        g = c * r - b;
      }
      if (r == 0 && i >= l) continue;
      store<f64>(d + (<usize>l << 3), load<f64>(d + (<usize>l << 3)) - p);
      store<f64>(e + (<usize>l << 3), g);
      store<f64>(e + (<usize>m << 3), 0);
    }
  }
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
