import { addToTotals, fma } from "./lanes.ts";

/**
 * Puts x: `[rows, cols]` less `mean: [cols]` into panels of eight columns, each `[rows, 8]`; zeros beyond the last column, and a row of
 * zeros where the rows are odd. cols is a multiple of four.
 */
export function pack(x: usize, rows: i32, cols: i32, mean: usize, panels: usize): void {
  const bytes = <usize>cols << 2;
  const zero = f32x4.splat(0);
  for (let col = 0; col < cols; col += 8) {
    const m0 = v128.load(mean);
    const wide = col + 4 < cols;
    const m1 = wide ? v128.load(mean, 16) : zero;
    for (let row = 0, from = x; row < rows; row++, from += bytes) {
      v128.store(panels, f32x4.sub(v128.load(from), m0));
      v128.store(panels, wide ? f32x4.sub(v128.load(from, 16), m1) : zero, 16);
      panels += 32;
    }
    if (rows & 1) {
      v128.store(panels, zero);
      v128.store(panels, zero, 16);
      panels += 32;
    }
    x += 32;
    mean += 32;
  }
}

/**
 * One panel's rows of a Gram matrix: totals[k · stride + j], float64, += Σ over rows of panel i's column k · column j, for j from panel i
 * on to the last of `count`. `totals` is where the first of these rows begins; a row has `count · 8` numbers.
 */
export function gramPanel(panels: usize, rows: i32, i: i32, count: i32, totals: usize): void {
  for (let half: usize = 0; half < 32; half += 16) {
    panelProducts(panels + <usize>i * (<usize>rows << 5) + half, panels, rows, i, count, totals + half * <usize>count * 16);
  }
}

/**
 * totals[k · stride + j], float64, += Σ over rows of a's column k · column j of panel j, for four columns of a, `[rows, 8]` apart in
 * memory as in a panel, and panels `first` … `count` − 1. rows is even. Eight accumulators of four: with what they need they fill the
 * sixteen registers; a ninth would be spilled.
 */
export function panelProducts(a: usize, panels: usize, rows: i32, first: i32, count: i32, totals: usize): void {
  const size = <usize>rows << 5;
  const stride = <usize>count << 6;
  const end = a + size;
  for (let j = first; j < count; j++) {
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
    let to = totals + (<usize>j << 6);
    addToTotals(to, c00);
    addToTotals(to + 32, c01);
    to += stride;
    addToTotals(to, c10);
    addToTotals(to + 32, c11);
    to += stride;
    addToTotals(to, c20);
    addToTotals(to + 32, c21);
    to += stride;
    addToTotals(to, c30);
    addToTotals(to + 32, c31);
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
