import { addToTotals, fma } from "./lanes.ts";

/**
 * Puts x: `[rows, cols]` less `mean: [cols]` into rows of panels of eight columns, `[…, 8]`, which are `size` bytes each; zeros beyond the last column.
 * cols is a multiple of four.
 */
export function pack(x: usize, rows: i32, cols: i32, mean: usize, panels: usize, size: usize): void {
  const bytes = <usize>cols << 2;
  const zero = f32x4.splat(0);
  for (let col = 0; col < cols; col += 8) {
    const m0 = v128.load(mean);
    const wide = col + 4 < cols;
    const m1 = wide ? v128.load(mean, 16) : zero;
    for (let to = panels, end = to + (<usize>rows << 5), from = x; to < end; to += 32, from += bytes) {
      v128.store(to, f32x4.sub(v128.load(from), m0));
      v128.store(to, wide ? f32x4.sub(v128.load(from, 16), m1) : zero, 16);
    }
    panels += size;
    x += 32;
    mean += 32;
  }
}

/** Puts the rows of x: `[rows, cols]` into panels of eight rows, `[cols, 8]` each. rows is a multiple of eight, cols of four. */
export function packEights(x: usize, rows: i32, cols: i32, panels: usize): void {
  const bytes = <usize>cols << 2;
  for (let row = 0; row < rows; row += 8, x += 7 * bytes) {
    for (const end = x + bytes; x < end; x += 16, panels += 128) {
      packFour(x, bytes, panels);
      packFour(x + 4 * bytes, bytes, panels + 16);
    }
  }
}

/** Four values of four rows, to columns of eight. */
// @ts-ignore: decorator
@inline
function packFour(x: usize, bytes: usize, out: usize): void {
  const a = v128.load(x);
  const b = v128.load(x + bytes);
  const c = v128.load(x + 2 * bytes);
  const d = v128.load(x + 3 * bytes);
  const ab = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const cd = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  v128.store(out, v128.shuffle<f32>(ab, cd, 0, 1, 4, 5));
  v128.store(out, v128.shuffle<f32>(ab, cd, 2, 3, 6, 7), 32);
  const abRest = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdRest = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(abRest, cdRest, 0, 1, 4, 5), 64);
  v128.store(out, v128.shuffle<f32>(abRest, cdRest, 2, 3, 6, 7), 96);
}

/** Puts the rows of x: `[rows, cols]` into groups of six rows, `[cols, 6]` each. rows is a multiple of six. */
export function packSixes(x: usize, rows: i32, cols: i32, sixes: usize): void {
  const bytes = <usize>cols << 2;
  for (let row = 0; row < rows; row++) {
    for (let end = x + bytes, to = sixes; x < end; x += 4, to += 24) store<f32>(to, load<f32>(x));
    sixes += row % 6 < 5 ? 4 : 6 * bytes - 20;
  }
}

/**
 * Six rows of a Gram matrix: totals[k · stride + j], float64, += Σ over rows of columns `column` + k · column j, from the panel that the first of them is in
 * to the last of `count`. `totals` is where the first of these rows begins; a row has `count · 8` numbers. `column` is even, `six: [rows, 6]` room. Columns beyond
 * the last panel's give rows of no meaning.
 */
export function gramSix(panels: usize, rows: i32, column: i32, count: i32, six: usize, totals: usize): void {
  const size = <usize>rows << 5;
  const last = (count << 3) - 2;
  for (let pair = 0; pair < 3; pair++) {
    const first = min(column + 2 * pair, last);
    let from = panels + <usize>(first >> 3) * size + (<usize>(first & 7) << 2);
    for (let to = six + (<usize>pair << 3), end = to + <usize>rows * 24; to < end; to += 24, from += 32) store<u64>(to, load<u64>(from));
  }
  const stride = <usize>count << 6;
  for (let j = column >> 3; j < count; j++) sixByEight(six, panels + <usize>j * size, size, totals + (<usize>j << 6), stride, true);
}

/**
 * out[row · stride + other], float32: products of six rows at a time with panels of eight others, `[cols, 8]` each, of which there are `count`. `sixes` are rows
 * `[cols, 6]`, in `groups` of six.
 */
export function sixProducts(sixes: usize, groups: i32, panels: usize, count: i32, cols: i32, out: usize, stride: i32): void {
  const size = <usize>cols << 5;
  const step = <usize>stride << 2;
  for (let j = 0; j < count; j++, panels += size, out += 32) {
    for (let group = 0, six = sixes, to = out; group < groups; group++, six += <usize>cols * 24, to += 6 * step) {
      sixByEight(six, panels, size, to, step, false);
    }
  }
}

/**
 * Σ over k of six[k, i] · panel[k, j], `six: [n, 6]` and `panel: [n, 8]` of `size` bytes: written to `out`, float32, or added to what is there, float64, in rows `step`
 * bytes apart. Twelve accumulators of four: multiply-adds do not wait for one another, and with what they need they fill the sixteen registers.
 */
// @ts-ignore: decorator
@inline
function sixByEight(six: usize, panel: usize, size: usize, out: usize, step: usize, isAdded: bool): void {
  let c00 = f32x4.splat(0);
  let c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0);
  let c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0);
  let c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0);
  let c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0);
  let c41 = f32x4.splat(0);
  let c50 = f32x4.splat(0);
  let c51 = f32x4.splat(0);
  for (let p = six, q = panel, end = panel + size; q < end; p += 24, q += 32) {
    const v0 = v128.load(q);
    const v1 = v128.load(q, 16);
    let u = v128.load32_splat(p);
    c00 = fma(u, v0, c00);
    c01 = fma(u, v1, c01);
    u = v128.load32_splat(p, 4);
    c10 = fma(u, v0, c10);
    c11 = fma(u, v1, c11);
    u = v128.load32_splat(p, 8);
    c20 = fma(u, v0, c20);
    c21 = fma(u, v1, c21);
    u = v128.load32_splat(p, 12);
    c30 = fma(u, v0, c30);
    c31 = fma(u, v1, c31);
    u = v128.load32_splat(p, 16);
    c40 = fma(u, v0, c40);
    c41 = fma(u, v1, c41);
    u = v128.load32_splat(p, 20);
    c50 = fma(u, v0, c50);
    c51 = fma(u, v1, c51);
  }
  putEight(out, c00, c01, isAdded);
  putEight(out + step, c10, c11, isAdded);
  putEight(out + 2 * step, c20, c21, isAdded);
  putEight(out + 3 * step, c30, c31, isAdded);
  putEight(out + 4 * step, c40, c41, isAdded);
  putEight(out + 5 * step, c50, c51, isAdded);
}

// @ts-ignore: decorator
@inline
function putEight(out: usize, a: v128, b: v128, isAdded: bool): void {
  if (isAdded) {
    addToTotals(out, a);
    addToTotals(out + 32, b);
  } else {
    v128.store(out, a);
    v128.store(out, b, 16);
  }
}

/**
 * totals[k · stride + j], float64, += Σ over rows of a's column k · column j of panel j, for four columns of a, `[rows, 8]` apart in
 * memory as in a panel, and `count` panels. Eight accumulators of four: with what they need they fill the
 * sixteen registers; a ninth would be spilled.
 */
export function panelProducts(a: usize, panels: usize, rows: i32, count: i32, totals: usize): void {
  const size = <usize>rows << 5;
  const stride = <usize>count << 6;
  const end = a + size;
  for (let j = 0; j < count; j++) {
    let q = panels + <usize>j * size;
    let c00 = f32x4.splat(0);
    let c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0);
    let c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0);
    let c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0);
    let c31 = f32x4.splat(0);
    for (let p = a; p < end; p += 32, q += 32) {
      const v0 = v128.load(q);
      const v1 = v128.load(q, 16);
      let u = v128.load32_splat(p);
      c00 = fma(u, v0, c00);
      c01 = fma(u, v1, c01);
      u = v128.load32_splat(p, 4);
      c10 = fma(u, v0, c10);
      c11 = fma(u, v1, c11);
      u = v128.load32_splat(p, 8);
      c20 = fma(u, v0, c20);
      c21 = fma(u, v1, c21);
      u = v128.load32_splat(p, 12);
      c30 = fma(u, v0, c30);
      c31 = fma(u, v1, c31);
    }
    const to = totals + (<usize>j << 6);
    putEight(to, c00, c01, true);
    putEight(to + stride, c10, c11, true);
    putEight(to + 2 * stride, c20, c21, true);
    putEight(to + 3 * stride, c30, c31, true);
  }
}

/** out: `[n, n]`, float32, symmetric, from the upper triangle of totals, float64, whose rows have `stride` numbers. */
export function symmetric(totals: usize, stride: i32, n: i32, out: usize): void {
  // Squares of sixteen, whose rows and columns stay in the first-level cache.
  for (let top = 0; top < n; top += 16) {
    const bottom = min(top + 16, n);
    for (let left = top; left < n; left += 16) {
      const right = min(left + 16, n);
      for (let i = top; i < bottom; i++) {
        for (let j = max(i, left); j < right; j++) {
          const value = <f32>load<f64>(totals + (<usize>(i * stride + j) << 3));
          store<f32>(out + (<usize>(i * n + j) << 2), value);
          store<f32>(out + (<usize>(j * n + i) << 2), value);
        }
      }
    }
  }
}
