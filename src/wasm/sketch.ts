/**
 * out: `[rows, width]`, float32, from x: `[rows, cols]`: every row over its length, column j added to number targets[j] ÷ 2, or taken off it where
 * targets[j] is odd; a row of zeros gives zeros. `sums: [width]`, float64, is room. Any cols. Float64 in the order of the twin in src/linalg/row-sketch.ts.
 */
export function sketchRows(x: usize, rows: i32, cols: i32, targets: usize, width: i32, sums: usize, out: usize): void {
  const fours = (<usize>cols & ~3) << 2;
  const bytes = <usize>cols << 2;
  for (let row = 0; row < rows; row++, x += bytes, out += <usize>width << 2) {
    const largest = largestOf(x, bytes, fours);
    memory.fill(sums, 0, <usize>width << 3);
    let scale: f64 = 0;
    if (largest > 0) {
      const inverse: f64 = 1 / <f64>largest;
      const two = f64x2.splat(inverse);
      let low = f64x2.splat(0);
      let high = f64x2.splat(0);
      let at: usize = 0;
      for (; at < fours; at += 16) {
        const a = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(x + at)), two);
        const b = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(x + at, 8)), two);
        low = f64x2.add(low, f64x2.mul(a, a));
        high = f64x2.add(high, f64x2.mul(b, b));
        add(sums, load<u32>(targets + at), f64x2.extract_lane(a, 0));
        add(sums, load<u32>(targets + at, 4), f64x2.extract_lane(a, 1));
        add(sums, load<u32>(targets + at, 8), f64x2.extract_lane(b, 0));
        add(sums, load<u32>(targets + at, 12), f64x2.extract_lane(b, 1));
      }
      let s0 = f64x2.extract_lane(low, 0);
      let s1 = f64x2.extract_lane(low, 1);
      let s2 = f64x2.extract_lane(high, 0);
      for (let lane = 0; at < bytes; at += 4, lane++) {
        const value = <f64>load<f32>(x + at) * inverse;
        add(sums, load<u32>(targets + at), value);
        if (lane == 0) s0 += value * value;
        else if (lane == 1) s1 += value * value;
        else s2 += value * value;
      }
      scale = 1 / sqrt<f64>(s0 + s2 + (s1 + f64x2.extract_lane(high, 1)));
    }
    for (let k = 0; k < width; k++) store<f32>(out + (<usize>k << 2), <f32>(scale * load<f64>(sums + (<usize>k << 3))));
  }
}

// @ts-ignore: decorator
@inline
function add(sums: usize, target: u32, value: f64): void {
  const to = sums + (<usize>(target >> 1) << 3);
  // The lowest bit becomes the sign.
  store<f64>(to, load<f64>(to) + reinterpret<f64>(reinterpret<u64>(value) ^ (<u64>target << 63)));
}

/** The largest magnitude. */
function largestOf(x: usize, bytes: usize, fours: usize): f32 {
  let most = f32x4.splat(0);
  let at: usize = 0;
  for (; at < fours; at += 16) most = f32x4.max(most, f32x4.abs(v128.load(x + at)));
  let largest = max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
  for (; at < bytes; at += 4) largest = max(largest, abs(load<f32>(x + at)));
  return largest;
}
