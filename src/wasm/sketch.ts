/**
 * out: `[rows, width]`, float32, from x: `[rows, cols]`: every row over its length, column j added to number targets[j] ÷ 2, or taken off it where
 * targets[j] is odd; a row of zeros gives zeros. `sums: [width, 2]`, float64, is room. Any cols. Float64 in the order of the twin in src/linalg/row-sketch.ts.
 * Two rows at a time, a lane each; of a last one alone the other is itself.
 */
export function sketchRows(x: usize, rows: i32, cols: i32, targets: usize, width: i32, sums: usize, out: usize): void {
  const fours = (<usize>cols & ~3) << 2;
  const bytes = <usize>cols << 2;
  const outBytes = <usize>width << 2;
  for (let row = 0; row < rows; row += 2, x += 2 * bytes, out += 2 * outBytes) {
    const isPair: usize = row + 1 < rows ? 1 : 0;
    const y = x + isPair * bytes;
    const inverse = inverseOf(largestOf(x, bytes, fours));
    const other = inverseOf(largestOf(y, bytes, fours));
    const inverses = f64x2.splat(inverse);
    const others = f64x2.splat(other);
    memory.fill(sums, 0, <usize>width << 4);
    /** Squares of columns 0, 1, 2 and 3 of every four, of both rows. */
    let s0 = f64x2.splat(0);
    let s1 = s0;
    let s2 = s0;
    let s3 = s0;
    let at: usize = 0;
    for (; at < fours; at += 16) {
      const a = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(x + at)), inverses);
      const b = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(x + at, 8)), inverses);
      const c = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(y + at)), others);
      const d = f64x2.mul(f64x2.promote_low_f32x4(v128.load64_zero(y + at, 8)), others);
      const first = v128.shuffle<f64>(a, c, 0, 2);
      const second = v128.shuffle<f64>(a, c, 1, 3);
      const third = v128.shuffle<f64>(b, d, 0, 2);
      const fourth = v128.shuffle<f64>(b, d, 1, 3);
      s0 = f64x2.add(s0, f64x2.mul(first, first));
      s1 = f64x2.add(s1, f64x2.mul(second, second));
      s2 = f64x2.add(s2, f64x2.mul(third, third));
      s3 = f64x2.add(s3, f64x2.mul(fourth, fourth));
      add(sums, load<u32>(targets + at), first);
      add(sums, load<u32>(targets + at, 4), second);
      add(sums, load<u32>(targets + at, 8), third);
      add(sums, load<u32>(targets + at, 12), fourth);
    }
    for (let lane = 0; at < bytes; at += 4, lane++) {
      const two = f64x2.replace_lane(f64x2.splat(<f64>load<f32>(x + at) * inverse), 1, <f64>load<f32>(y + at) * other);
      add(sums, load<u32>(targets + at), two);
      const squares = f64x2.mul(two, two);
      if (lane == 0) s0 = f64x2.add(s0, squares);
      else if (lane == 1) s1 = f64x2.add(s1, squares);
      else s2 = f64x2.add(s2, squares);
    }
    const squares = f64x2.add(f64x2.add(s0, s2), f64x2.add(s1, s3));
    const scale = inverseOf(sqrt<f64>(f64x2.extract_lane(squares, 0)));
    const otherScale = inverseOf(sqrt<f64>(f64x2.extract_lane(squares, 1)));
    const otherOut = out + isPair * outBytes;
    for (let k = 0; k < width; k++) {
      const sum = v128.load(sums + (<usize>k << 4));
      store<f32>(otherOut + (<usize>k << 2), <f32>(otherScale * f64x2.extract_lane(sum, 1)));
      store<f32>(out + (<usize>k << 2), <f32>(scale * f64x2.extract_lane(sum, 0)));
    }
  }
}

/** 0 of 0: nothing is left of a row of zeros. */
// @ts-ignore: decorator
@inline
function inverseOf(value: f64): f64 {
  return value > 0 ? 1 / value : 0;
}

// @ts-ignore: decorator
@inline
function add(sums: usize, target: u32, values: v128): void {
  const to = sums + (<usize>(target >> 1) << 4);
  // The lowest bit becomes the signs.
  v128.store(to, f64x2.add(v128.load(to), v128.xor(values, i64x2.splat(<i64>target << 63))));
}

/** The largest magnitude. */
function largestOf(x: usize, bytes: usize, fours: usize): f64 {
  let most = f32x4.splat(0);
  let at: usize = 0;
  for (; at < fours; at += 16) most = f32x4.pmax(most, f32x4.abs(v128.load(x + at)));
  let largest = max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
  for (; at < bytes; at += 4) largest = max(largest, abs(load<f32>(x + at)));
  return <f64>largest;
}
