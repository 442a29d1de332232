import { laneSumDouble } from "./lanes.ts";

// Gram features of rows of `cols` float32 values and how far they are from bands (linalg/gram-bands.ts). `scaled: [n, stride]` holds the rows as float64
// numbers, stride being cols or one more, the last of which is then 0. Even and odd columns are added up apart.

const orders: i32 = 8;

/** Puts a row over its largest size there; gives that. */
function scale(row: usize, cols: i32, scaled: usize): f64 {
  const largest = largestSize(row, cols);
  if (cols & 1) store<f64>(scaled + (<usize>cols << 3), 0);
  if (largest == 0) {
    memory.fill(scaled, 0, <usize>cols << 3);
    return 0;
  }
  const divisor = f64x2.splat(largest);
  const even = cols & ~1;
  for (let j = 0; j < even; j += 2) {
    const values = f64x2.promote_low_f32x4(v128.load64_zero(row + (<usize>j << 2)));
    v128.store(scaled + (<usize>j << 3), f64x2.div(values, divisor));
  }
  if (cols & 1) store<f64>(scaled + (<usize>even << 3), <f64>load<f32>(row + (<usize>even << 2)) / largest);
  return largest;
}

function largestSize(row: usize, cols: i32): f64 {
  let four = f32x4.splat(0);
  const end = row + (<usize>cols << 2);
  for (; row + 16 <= end; row += 16) four = f32x4.pmax(four, f32x4.abs(v128.load(row)));
  let largest = max(max(f32x4.extract_lane(four, 0), f32x4.extract_lane(four, 1)), max(f32x4.extract_lane(four, 2), f32x4.extract_lane(four, 3)));
  for (; row < end; row += 4) largest = max(largest, abs(load<f32>(row)));
  return <f64>largest;
}

/** Of each row its largest size, then the sums of the powers 1 … 8 of its values over that, which go to `scaled`: to sums `[n, 9]`. */
export function powerSums(rows: usize, n: i32, cols: i32, scaled: usize, sums: usize): void {
  const bytes = <usize>(cols + (cols & 1)) << 3;
  for (let i = 0; i < n; i++, rows += <usize>cols << 2, scaled += bytes, sums += (orders + 1) << 3) {
    store<f64>(sums, scale(rows, cols, scaled));
    const end = scaled + bytes;
    let s1 = f64x2.splat(0);
    let s2 = f64x2.splat(0);
    let s3 = f64x2.splat(0);
    let s4 = f64x2.splat(0);
    let s5 = f64x2.splat(0);
    let s6 = f64x2.splat(0);
    let s7 = f64x2.splat(0);
    let s8 = f64x2.splat(0);
    for (let at = scaled; at < end; at += 16) {
      const value = v128.load(at);
      let power = value;
      s1 = f64x2.add(s1, power);
      power = f64x2.mul(power, value);
      s2 = f64x2.add(s2, power);
      power = f64x2.mul(power, value);
      s3 = f64x2.add(s3, power);
      power = f64x2.mul(power, value);
      s4 = f64x2.add(s4, power);
      power = f64x2.mul(power, value);
      s5 = f64x2.add(s5, power);
      power = f64x2.mul(power, value);
      s6 = f64x2.add(s6, power);
      power = f64x2.mul(power, value);
      s7 = f64x2.add(s7, power);
      power = f64x2.mul(power, value);
      s8 = f64x2.add(s8, power);
    }
    storeSum(sums, s1, 1);
    storeSum(sums, s2, 2);
    storeSum(sums, s3, 3);
    storeSum(sums, s4, 4);
    storeSum(sums, s5, 5);
    storeSum(sums, s6, 6);
    storeSum(sums, s7, 7);
    storeSum(sums, s8, 8);
  }
}

// @ts-ignore: decorator
@inline
function storeSum(to: usize, sum: v128, at: usize): void {
  store<f64>(to + (at << 3), laneSumDouble(sum));
}

/**
 * How far each row's features are beyond the ends of their bands, and from their middle (squares), added up: to out `[n, 2]`. limits: `[5, 8, stride]`,
 * roots: `[n, 9]`, of which the first is not looked at. Two rows at a time, which look at the limits together; of a last one alone the other is itself.
 */
export function bandDeviations(scaled: usize, n: i32, cols: i32, limits: usize, roots: usize, out: usize): void {
  const bytes = <usize>(cols + (cols & 1)) << 3;
  const width = bytes * orders;
  const zero = f64x2.splat(0);
  for (let i = 0; i < n; i += 2) {
    const other: usize = i + 1 < n ? 1 : 0;
    const second = scaled + other * bytes;
    let beyond = zero;
    let within = zero;
    let otherBeyond = zero;
    let otherWithin = zero;
    const otherRoots = roots + other * ((orders + 1) << 3);
    for (let order = 0; order < orders; order++) {
      const root = v128.load64_splat(roots + (<usize>(order + 1) << 3));
      const otherRoot = v128.load64_splat(otherRoots + (<usize>(order + 1) << 3));
      const signs = f64x2.splat(order & 1 ? -0.0 : 0.0);
      const medians = limits + <usize>order * bytes;
      for (let at: usize = 0; at < bytes; at += 16) {
        const band = medians + at;
        const median = v128.load(band);
        const reach = v128.load(band + width);
        const inverse = v128.load(band + 2 * width);
        const off = f64x2.sub(f64x2.mul(v128.andnot(v128.load(scaled + at), signs), root), median);
        const otherOff = f64x2.sub(f64x2.mul(v128.andnot(v128.load(second + at), signs), otherRoot), median);
        const distance = f64x2.abs(off);
        const otherDistance = f64x2.abs(otherOff);
        within = addSquare(within, distance, inverse);
        otherWithin = addSquare(otherWithin, otherDistance, inverse);
        const leaves = f64x2.gt(distance, reach);
        const otherLeaves = f64x2.gt(otherDistance, reach);
        if (!v128.any_true(v128.or(leaves, otherLeaves))) continue;
        const upper = v128.load(band + 3 * width);
        const lower = v128.load(band + 4 * width);
        beyond = f64x2.add(beyond, v128.and(excess(off, distance, reach, upper, lower), leaves));
        otherBeyond = f64x2.add(otherBeyond, v128.and(excess(otherOff, otherDistance, reach, upper, lower), otherLeaves));
      }
    }
    store<f64>(out + (other << 4), laneSumDouble(otherBeyond));
    store<f64>(out + (other << 4), laneSumDouble(otherWithin), 8);
    store<f64>(out, laneSumDouble(beyond));
    store<f64>(out, laneSumDouble(within), 8);
    scaled += 2 * bytes;
    roots += (orders + 1) << 4;
    out += 32;
  }
}

// @ts-ignore: decorator
@inline
function addSquare(sum: v128, distance: v128, inverse: v128): v128 {
  const deviations = f64x2.pmin(f64x2.mul(distance, inverse), f64x2.splat(20));
  return f64x2.add(sum, f64x2.mul(deviations, deviations));
}

// @ts-ignore: decorator
@inline
function excess(off: v128, distance: v128, reach: v128, upper: v128, lower: v128): v128 {
  const zero = f64x2.splat(0);
  const per = v128.bitselect(upper, lower, f64x2.gt(off, zero));
  return v128.bitselect(f64x2.mul(f64x2.sub(distance, reach), per), f64x2.splat(1), f64x2.gt(per, zero));
}
