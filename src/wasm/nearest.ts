import { laneSumDouble } from "./lanes.ts";

/** Halvings of the range of values; what is left then is halved by the bits, which 32 steps bring to an end. */
const halvings = 16;

/** out `[count]`, float64: half the squared length of each of x: `[count, cols]`. cols is a multiple of four. */
export function halfSquares(x: usize, count: i32, cols: i32, out: usize): void {
  const bytes = <usize>cols << 2;
  for (let row = 0; row < count; row++, out += 8) {
    let sum = f64x2.splat(0);
    for (const end = x + bytes; x < end; x += 8) {
      const two = f64x2.promote_low_f32x4(v128.load64_zero(x));
      sum = f64x2.add(sum, f64x2.mul(two, two));
    }
    store<f64>(out, 0.5 * laneSumDouble(sum));
  }
}

/**
 * Numbers of the references nearest to a row, rising: at least `kept` of them and at most `room`, all where there are no more than `kept`. `distances`:
 * `[count]` holds the row's products and gets half the squared distance less half the row's own square: halves − products, float32. Number `own` is left
 * out, and what is not finite. Of references as near as the last one those of lower number are taken. count is a multiple of sixteen. Gives how many.
 *
 * A threshold is looked for that leaves as many: to count what lies below one costs a fraction of an operation a reference.
 */
export function nearest(distances: usize, halves: usize, count: i32, own: i32, kept: i32, room: i32, indices: usize): i32 {
  const bytes = <usize>count << 2;
  const infinity = f32x4.splat(f32.POSITIVE_INFINITY);
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(distances + at, f32x4.sub(v128.load(halves + at), v128.load(distances + at)));
  }
  if (own < count) store<f32>(distances + (<usize>own << 2), f32.POSITIVE_INFINITY);
  let least = infinity;
  let most = f32x4.neg(infinity);
  for (let at: usize = 0; at < bytes; at += 16) {
    const four = v128.load(distances + at);
    const isFinite = f32x4.lt(f32x4.abs(four), infinity);
    least = f32x4.pmin(least, v128.bitselect(four, infinity, isFinite));
    most = f32x4.pmax(most, v128.bitselect(four, f32x4.neg(infinity), isFinite));
  }
  let low = min(min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1)), min(f32x4.extract_lane(least, 2), f32x4.extract_lane(least, 3)));
  let high = max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
  if (!(low <= high)) return 0;
  // As many as are finite lie up to `high`, and fewer than `kept` up to `low` once that was looked at.
  let below = countUpTo(distances, bytes, low);
  if (below >= kept) high = low;
  let found = countUpTo(distances, bytes, high);
  for (let step = 0; found > room && low < high; step++) {
    let middle: f32;
    // Where the numbers between would leave as many if values were spread evenly, and in the middle, by turns.
    if (step >= halvings) middle = between(low, high);
    else if (step & 1) middle = <f32>0.5 * low + <f32>0.5 * high;
    else middle = low + (high - low) * (<f32>(((kept + room) >> 1) - below) / <f32>(found - below));
    if (!(low < middle && middle < high)) {
      if (step > halvings) break;
      step = max(step, halvings - 1);
      continue;
    }
    const count = countUpTo(distances, bytes, middle);
    if (count >= kept) {
      high = middle;
      found = count;
    } else {
      low = middle;
      below = count;
    }
  }
  if (found <= room) return take(distances, bytes, f32.NEGATIVE_INFINITY, high, indices, 0, room);
  // More are as near as the last one than there is room for.
  const nearer = low < high ? take(distances, bytes, f32.NEGATIVE_INFINITY, low, indices, 0, room) : 0;
  return take(distances, bytes, low < high ? low : f32.NEGATIVE_INFINITY, high, indices, nearer, kept);
}

/** How many of the values, a multiple of sixteen, are at most `limit`. */
function countUpTo(values: usize, bytes: usize, limit: f32): i32 {
  const four = f32x4.splat(limit);
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (let end = values + bytes; values < end; values += 64) {
    a = i32x4.sub(a, f32x4.le(v128.load(values), four));
    b = i32x4.sub(b, f32x4.le(v128.load(values, 16), four));
    c = i32x4.sub(c, f32x4.le(v128.load(values, 32), four));
    d = i32x4.sub(d, f32x4.le(v128.load(values, 48), four));
  }
  a = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  return i32x4.extract_lane(a, 0) + i32x4.extract_lane(a, 1) + i32x4.extract_lane(a, 2) + i32x4.extract_lane(a, 3);
}

/** Writes the places of values above `low` and up to `high` to `indices` from `found` on, up to `room`; gives how many there are then. */
function take(values: usize, bytes: usize, low: f32, high: f32, indices: usize, found: i32, room: i32): i32 {
  const above = f32x4.splat(low);
  const upTo = f32x4.splat(high);
  for (let at: usize = 0; at < bytes; at += 16) {
    const four = v128.load(values + at);
    let lanes = i32x4.bitmask(v128.and(f32x4.gt(four, above), f32x4.le(four, upTo)));
    for (; lanes != 0; lanes &= lanes - 1) {
      if (found == room) return found;
      store<i32>(indices + (<usize>found << 2), <i32>(at >> 2) + ctz(lanes));
      found++;
    }
  }
  return found;
}

/** The number whose place among all float32 numbers is halfway between those of two. */
function between(low: f32, high: f32): f32 {
  return fromOrder(<i32>((<i64>orderOf(low) + <i64>orderOf(high)) >> 1));
}

/** A whole number that rises with the value. */
function orderOf(value: f32): i32 {
  const bits = reinterpret<i32>(value);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

function fromOrder(order: i32): f32 {
  return reinterpret<f32>(order ^ ((order >> 31) & 0x7fffffff));
}

/**
 * Puts a row's `count` candidates in order of their distances in float64, ties by number: half a reference's square, of which `halves: [references]` are
 * given, less its product with the row. `exact: [count]` and `wide: [cols]`, float64, are room. cols is a multiple of four. By Shell's method.
 */
export function rerank(
  row: usize,
  references: usize,
  cols: i32,
  count: i32,
  indices: usize,
  halves: usize,
  exact: usize,
  wide: usize,
): void {
  const bytes = <usize>cols << 2;
  for (let at: usize = 0; at < bytes; at += 8) v128.store(wide + (at << 1), f64x2.promote_low_f32x4(v128.load64_zero(row + at)));
  for (let i = 0; i < count; i++) {
    const index = <usize>load<i32>(indices + (<usize>i << 2));
    store<f64>(exact + (<usize>i << 3), load<f64>(halves + (index << 3)) - product(wide, references + index * bytes, bytes));
  }
  for (let gap = count > 40 ? 23 : count > 12 ? 10 : 4; ; gap = gap > 10 ? 10 : gap > 4 ? 4 : 1) {
    for (let i = gap; i < count; i++) {
      const value = load<f64>(exact + (<usize>i << 3));
      const index = load<i32>(indices + (<usize>i << 2));
      let to = i;
      for (; to >= gap; to -= gap) {
        const before = load<f64>(exact + (<usize>(to - gap) << 3));
        const beforeIndex = load<i32>(indices + (<usize>(to - gap) << 2));
        if (before < value || (before == value && beforeIndex < index)) break;
        store<f64>(exact + (<usize>to << 3), before);
        store<i32>(indices + (<usize>to << 2), beforeIndex);
      }
      store<f64>(exact + (<usize>to << 3), value);
      store<i32>(indices + (<usize>to << 2), index);
    }
    if (gap == 1) break;
  }
}

/** The inner product of a float64 row and a float32 one of so many bytes. */
// @ts-ignore: decorator
@inline
function product(wide: usize, row: usize, bytes: usize): f64 {
  let first = f64x2.splat(0);
  let second = f64x2.splat(0);
  for (const end = row + bytes; row < end; row += 16, wide += 32) {
    first = f64x2.add(first, f64x2.mul(v128.load(wide), f64x2.promote_low_f32x4(v128.load64_zero(row))));
    second = f64x2.add(second, f64x2.mul(v128.load(wide, 16), f64x2.promote_low_f32x4(v128.load64_zero(row, 8))));
  }
  return laneSumDouble(f64x2.add(first, second));
}
