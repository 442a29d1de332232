/**
 * Offers `count` references (a multiple of four), the first of which is number `first`, to a row's list of at most k: `distances` (float32,
 * rising) and `indices`. A reference's distance is halves − dots; number `own` is left out. Ties keep the lower number. Gives how many are
 * in the list, which were `filled`.
 */
export function offerAll(
  dots: usize,
  halves: usize,
  count: i32,
  first: i32,
  own: i32,
  k: i32,
  distances: usize,
  indices: usize,
  filled: i32,
): i32 {
  let worst: f32 = filled < k ? f32.POSITIVE_INFINITY : load<f32>(distances + (<usize>(k - 1) << 2));
  for (let at = 0; at < count; at += 4) {
    const here = <usize>at << 2;
    const four = f32x4.sub(v128.load(halves + here), v128.load(dots + here));
    if (!v128.any_true(f32x4.lt(four, f32x4.splat(worst)))) continue;
    for (let lane = 0; lane < 4; lane++) {
      const place = here + (<usize>lane << 2);
      const value = load<f32>(halves + place) - load<f32>(dots + place);
      const index = first + at + lane;
      if (!(value < worst) || index == own) continue;
      let to = filled < k ? filled++ : k - 1;
      for (; to > 0; to--) {
        const before = load<f32>(distances + (<usize>(to - 1) << 2));
        if (before <= value) break;
        store<f32>(distances + (<usize>to << 2), before);
        store<i32>(indices + (<usize>to << 2), load<i32>(indices + (<usize>(to - 1) << 2)));
      }
      store<f32>(distances + (<usize>to << 2), value);
      store<i32>(indices + (<usize>to << 2), index);
      if (filled == k) worst = load<f32>(distances + (<usize>(k - 1) << 2));
    }
  }
  return filled;
}

/**
 * Puts a row's `count` candidates in order of their distances in float64, ties by number: half a reference's square less its product with
 * the row. `exact: [count]` is room for these. cols is a multiple of four.
 */
export function rerank(row: usize, references: usize, cols: i32, count: i32, indices: usize, exact: usize): void {
  const bytes = <usize>cols << 2;
  for (let i = 0; i < count; i++) {
    const index = load<i32>(indices + (<usize>i << 2));
    const reference = references + <usize>index * bytes;
    let squares = f64x2.splat(0);
    let products = f64x2.splat(0);
    for (let at: usize = 0; at < bytes; at += 8) {
      const r = f64x2.promote_low_f32x4(v128.load64_zero(reference + at));
      squares = f64x2.add(squares, f64x2.mul(r, r));
      products = f64x2.add(products, f64x2.mul(r, f64x2.promote_low_f32x4(v128.load64_zero(row + at))));
    }
    const sum = f64x2.sub(f64x2.mul(squares, f64x2.splat(0.5)), products);
    const value = f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
    let to = i;
    for (; to > 0; to--) {
      const before = load<f64>(exact + (<usize>(to - 1) << 3));
      const beforeIndex = load<i32>(indices + (<usize>(to - 1) << 2));
      if (before < value || (before == value && beforeIndex < index)) break;
      store<f64>(exact + (<usize>to << 3), before);
      store<i32>(indices + (<usize>to << 2), beforeIndex);
    }
    store<f64>(exact + (<usize>to << 3), value);
    store<i32>(indices + (<usize>to << 2), index);
  }
}
