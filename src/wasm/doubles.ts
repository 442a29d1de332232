import { fmaDouble, laneSumDouble } from "./lanes.ts";

// Rows of float64 numbers lie `stride` numbers apart, an even number; what is beyond their length is zero.

/** Inner products of the rows of a and b, to out[row · outStride + other]. Each pair of b's rows meets all of a's. */
export function doubleProducts(a: usize, rows: i32, b: usize, others: i32, stride: i32, out: usize, outStride: i32): void {
  const bytes = <usize>stride << 3;
  const step = <usize>outStride << 3;
  let other = 0;
  for (; other + 1 < others; other += 2) {
    let row = 0;
    let p = a;
    let to = out + (<usize>other << 3);
    for (; row + 3 < rows; row += 4) {
      let c00 = f64x2.splat(0);
      let c01 = f64x2.splat(0);
      let c10 = f64x2.splat(0);
      let c11 = f64x2.splat(0);
      let c20 = f64x2.splat(0);
      let c21 = f64x2.splat(0);
      let c30 = f64x2.splat(0);
      let c31 = f64x2.splat(0);
      const p1 = p + bytes;
      const p2 = p1 + bytes;
      const p3 = p2 + bytes;
      for (let at: usize = 0; at < bytes; at += 16) {
        const v0 = v128.load(b + at);
        const v1 = v128.load(b + bytes + at);
        let u = v128.load(p + at);
        c00 = fmaDouble(u, v0, c00);
        c01 = fmaDouble(u, v1, c01);
        u = v128.load(p1 + at);
        c10 = fmaDouble(u, v0, c10);
        c11 = fmaDouble(u, v1, c11);
        u = v128.load(p2 + at);
        c20 = fmaDouble(u, v0, c20);
        c21 = fmaDouble(u, v1, c21);
        u = v128.load(p3 + at);
        c30 = fmaDouble(u, v0, c30);
        c31 = fmaDouble(u, v1, c31);
      }
      store<f64>(to, laneSumDouble(c00));
      store<f64>(to, laneSumDouble(c01), 8);
      to += step;
      store<f64>(to, laneSumDouble(c10));
      store<f64>(to, laneSumDouble(c11), 8);
      to += step;
      store<f64>(to, laneSumDouble(c20));
      store<f64>(to, laneSumDouble(c21), 8);
      to += step;
      store<f64>(to, laneSumDouble(c30));
      store<f64>(to, laneSumDouble(c31), 8);
      to += step;
      p += bytes << 2;
    }
    for (; row < rows; row++) {
      store<f64>(to, dot(p, b, stride));
      store<f64>(to, dot(p, b + bytes, stride), 8);
      to += step;
      p += bytes;
    }
    b += bytes << 1;
  }
  if (other < others) {
    for (let row = 0; row < rows; row++) store<f64>(out + <usize>row * step + (<usize>other << 3), dot(a + <usize>row * bytes, b, stride));
  }
}

/** out's row k += sign · Σ over i < m of c[k · cStride + i] · basis's row i. */
export function combine(c: usize, count: i32, m: i32, cStride: i32, basis: usize, stride: i32, out: usize, sign: f64): void {
  const bytes = <usize>stride << 3;
  for (let k = 0; k < count; k++) {
    let i = 0;
    let q = basis;
    for (; i + 3 < m; i += 4) {
      const w0 = f64x2.splat(sign * load<f64>(c + (<usize>i << 3)));
      const w1 = f64x2.splat(sign * load<f64>(c + (<usize>i << 3), 8));
      const w2 = f64x2.splat(sign * load<f64>(c + (<usize>i << 3), 16));
      const w3 = f64x2.splat(sign * load<f64>(c + (<usize>i << 3), 24));
      for (let at: usize = 0; at < bytes; at += 16) {
        let sum = fmaDouble(w0, v128.load(q + at), v128.load(out + at));
        sum = fmaDouble(w1, v128.load(q + bytes + at), sum);
        sum = fmaDouble(w2, v128.load(q + (bytes << 1) + at), sum);
        v128.store(out + at, fmaDouble(w3, v128.load(q + bytes * 3 + at), sum));
      }
      q += bytes << 2;
    }
    for (; i < m; i++, q += bytes) addScaled(out, sign * load<f64>(c + (<usize>i << 3)), q, stride);
    c += <usize>cStride << 3;
    out += bytes;
  }
}

/** out: float64 rows of `stride`, from float32 rows of n numbers. */
export function widen(x: usize, rows: i32, n: i32, stride: i32, out: usize): void {
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < n; j++) store<f64>(out + (<usize>j << 3), <f64>load<f32>(x + (<usize>j << 2)));
    for (let j = n; j < stride; j++) store<f64>(out + (<usize>j << 3), 0);
    x += <usize>n << 2;
    out += <usize>stride << 3;
  }
}

/** out: `[n, n]`, symmetric float64 rows of `stride`, from the lower triangle of x, float32 rows of `stride`. */
export function widenLower(x: usize, n: i32, stride: i32, out: usize): void {
  const bytes = <usize>stride << 3;
  for (let row = 0, to = out; row < n; row++, to += bytes) {
    let mirrored = out + (<usize>row << 3);
    for (let j = 0; j <= row; j++, mirrored += bytes) {
      const value = <f64>load<f32>(x + (<usize>j << 2));
      store<f64>(to + (<usize>j << 3), value);
      store<f64>(mirrored, value);
    }
    for (let j = n; j < stride; j++) store<f64>(to + (<usize>j << 3), 0);
    x += <usize>stride << 2;
  }
}

/** Not fused, nor is what follows: the twin of `topPairs` has the same bits. */
export function dot(a: usize, b: usize, stride: i32): f64 {
  const end = a + (<usize>stride << 3);
  let sum = f64x2.splat(0);
  for (; a < end; a += 16, b += 16) sum = f64x2.add(sum, f64x2.mul(v128.load(a), v128.load(b)));
  return laneSumDouble(sum);
}

/** out += factor · x */
export function addScaled(out: usize, factor: f64, x: usize, stride: i32): void {
  const end = out + (<usize>stride << 3);
  const f = f64x2.splat(factor);
  for (; out < end; out += 16, x += 16) v128.store(out, f64x2.add(v128.load(out), f64x2.mul(f, v128.load(x))));
}

/** Scales a row to length 1; gives its length before. Rows of zeros stay. */
export function normalise(x: usize, stride: i32): f64 {
  const length = Math.sqrt(dot(x, x, stride));
  if (length > 0) {
    const f = f64x2.splat(1 / length);
    const end = x + (<usize>stride << 3);
    for (; x < end; x += 16) v128.store(x, f64x2.mul(f, v128.load(x)));
  }
  return length;
}
