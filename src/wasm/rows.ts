import { fma, laneSum } from "./lanes.ts";

/** Subtracts `mean: [cols]` from `x: [rows, cols]`, in place. cols is a multiple of four. */
export function centre(x: usize, rows: i32, cols: i32, mean: usize): void {
  const bytes = <usize>cols << 2;
  for (let row = 0; row < rows; row++) {
    for (let at: usize = 0; at < bytes; at += 16) {
      v128.store(x + at, f32x4.sub(v128.load(x + at), v128.load(mean + at)));
    }
    x += bytes;
  }
}

/** sums `[cols]`, float64, += the rows of x: `[rows, cols]`. cols is a multiple of four. */
export function addColumns(x: usize, rows: i32, cols: i32, sums: usize): void {
  const bytes = <usize>cols << 2;
  for (let at: usize = 0; at < bytes; at += 16) {
    let low = v128.load(sums);
    let high = v128.load(sums, 16);
    for (let row = 0, from = x + at; row < rows; row++, from += bytes) {
      low = f64x2.add(low, f64x2.promote_low_f32x4(v128.load64_zero(from)));
      high = f64x2.add(high, f64x2.promote_low_f32x4(v128.load64_zero(from, 8)));
    }
    v128.store(sums, low);
    v128.store(sums, high, 16);
    sums += 32;
  }
}

/** 1 where one of `count` values is not finite: all bits of its exponent are set. */
export function nonFinite(x: usize, count: i32): i32 {
  const exponent = i32x4.splat(0x7f800000);
  let found = i32x4.splat(0);
  const end = x + ((<usize>count & ~3) << 2);
  for (; x < end; x += 16) found = v128.or(found, i32x4.eq(v128.and(v128.load(x), exponent), exponent));
  let any = v128.any_true(found);
  for (let left = count & 3; left > 0; left--, x += 4) any = any || (load<u32>(x) & 0x7f800000) == 0x7f800000;
  return any ? 1 : 0;
}

/**
 * Inner products of the rows of a: `[rows, cols]` and b: `[others, cols]`, to out[row · stride + other], float32. rows is a multiple of
 * four, others of two, cols of four. Six rows at a time, with twelve accumulators: fewer leave the multiply-adds waiting for one another, more do not fit the sixteen
 * registers; and four where sixes do not come out even.
 */
export function products(a: usize, rows: i32, b: usize, others: i32, cols: i32, out: usize, stride: i32): void {
  const bytes = <usize>cols << 2;
  const step = <usize>stride << 2;
  while (rows > 0) {
    const isSix = rows >= 6 && rows != 8;
    if (isSix) productsOfSix(a, b, others, cols, out, step);
    else productsOfFour(a, b, others, cols, out, step);
    const done = isSix ? 6 : 4;
    a += bytes * done;
    out += step * done;
    rows -= done;
  }
}

/** The same of six rows. */
function productsOfSix(a: usize, b: usize, others: i32, cols: i32, out: usize, step: usize): void {
  const bytes = <usize>cols << 2;
  const end = a + bytes;
  const a1 = bytes;
  const a2 = 2 * bytes;
  const a3 = 3 * bytes;
  const a4 = 4 * bytes;
  const a5 = 5 * bytes;
  for (let other = 0; other < others; other += 2) {
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
    for (let p = a, q = b; p < end; p += 16, q += 16) {
      const v0 = v128.load(q);
      const v1 = v128.load(q + bytes);
      let u = v128.load(p);
      c00 = fma(u, v0, c00);
      c01 = fma(u, v1, c01);
      u = v128.load(p + a1);
      c10 = fma(u, v0, c10);
      c11 = fma(u, v1, c11);
      u = v128.load(p + a2);
      c20 = fma(u, v0, c20);
      c21 = fma(u, v1, c21);
      u = v128.load(p + a3);
      c30 = fma(u, v0, c30);
      c31 = fma(u, v1, c31);
      u = v128.load(p + a4);
      c40 = fma(u, v0, c40);
      c41 = fma(u, v1, c41);
      u = v128.load(p + a5);
      c50 = fma(u, v0, c50);
      c51 = fma(u, v1, c51);
    }
    store<f32>(out, laneSum(c00));
    store<f32>(out, laneSum(c01), 4);
    store<f32>(out + step, laneSum(c10));
    store<f32>(out + step, laneSum(c11), 4);
    store<f32>(out + 2 * step, laneSum(c20));
    store<f32>(out + 2 * step, laneSum(c21), 4);
    store<f32>(out + 3 * step, laneSum(c30));
    store<f32>(out + 3 * step, laneSum(c31), 4);
    store<f32>(out + 4 * step, laneSum(c40));
    store<f32>(out + 4 * step, laneSum(c41), 4);
    store<f32>(out + 5 * step, laneSum(c50));
    store<f32>(out + 5 * step, laneSum(c51), 4);
    b += bytes << 1;
    out += 8;
  }
}

/** The same of four rows. */
function productsOfFour(a: usize, b: usize, others: i32, cols: i32, out: usize, step: usize): void {
  const bytes = <usize>cols << 2;
  const end = a + bytes;
  const a1 = bytes;
  const a2 = 2 * bytes;
  const a3 = 3 * bytes;
  for (let other = 0; other < others; other += 2) {
    let c00 = f32x4.splat(0);
    let c01 = f32x4.splat(0);
    let c10 = f32x4.splat(0);
    let c11 = f32x4.splat(0);
    let c20 = f32x4.splat(0);
    let c21 = f32x4.splat(0);
    let c30 = f32x4.splat(0);
    let c31 = f32x4.splat(0);
    for (let p = a, q = b; p < end; p += 16, q += 16) {
      const v0 = v128.load(q);
      const v1 = v128.load(q + bytes);
      let u = v128.load(p);
      c00 = fma(u, v0, c00);
      c01 = fma(u, v1, c01);
      u = v128.load(p + a1);
      c10 = fma(u, v0, c10);
      c11 = fma(u, v1, c11);
      u = v128.load(p + a2);
      c20 = fma(u, v0, c20);
      c21 = fma(u, v1, c21);
      u = v128.load(p + a3);
      c30 = fma(u, v0, c30);
      c31 = fma(u, v1, c31);
    }
    store<f32>(out, laneSum(c00));
    store<f32>(out, laneSum(c01), 4);
    store<f32>(out + step, laneSum(c10));
    store<f32>(out + step, laneSum(c11), 4);
    store<f32>(out + 2 * step, laneSum(c20));
    store<f32>(out + 2 * step, laneSum(c21), 4);
    store<f32>(out + 3 * step, laneSum(c30));
    store<f32>(out + 3 * step, laneSum(c31), 4);
    b += bytes << 1;
    out += 8;
  }
}

/** out: float32, from `count` float64 numbers; count is a multiple of four. */
export function toSingles(totals: usize, count: i32, out: usize): void {
  for (let at = 0; at < count; at += 4) {
    const low = f32x4.demote_f64x2_zero(v128.load(totals));
    const high = f32x4.demote_f64x2_zero(v128.load(totals, 16));
    v128.store(out, v128.shuffle<f32>(low, high, 0, 1, 4, 5));
    totals += 32;
    out += 16;
  }
}
