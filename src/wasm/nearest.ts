import { fma, laneSum, laneSumDouble } from "./lanes.ts";

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
 * Numbers of the `k` references nearest to a row, rising; fewer where fewer are finite and no further than `limit`. `distances: [count]` holds
 * the row's products and gets half the squared distance less half the row's own square: halves − products, float32. Number `own` is left out. count is a
 * multiple of sixteen, cols of four. Gives how many.
 *
 * A threshold is looked for that leaves at most `room`: to count what lies below one costs a fraction of an operation a reference. Among those that are left it is looked for on,
 * until it is known but for what float32 may be wrong by. What lies so near to it is settled in float64, ties by number (`zone`, `exact: [count]` and `wide: [cols]` are room);
 * `largest` is no less than the length of any reference.
 */
export function nearest(
  row: usize,
  references: usize,
  cols: i32,
  count: i32,
  distances: usize,
  halves: usize,
  exactHalves: usize,
  own: i32,
  limit: f32,
  largest: f32,
  k: i32,
  room: i32,
  indices: usize,
  zone: usize,
  exact: usize,
  wide: usize,
): i32 {
  const bytes = <usize>count << 2;
  if (own < count) store<f32>(distances + (<usize>own << 2), f32.NEGATIVE_INFINITY);
  const infinity = f32x4.splat(f32.POSITIVE_INFINITY);
  const furthest = f32x4.splat(limit);
  let least = infinity;
  let most = f32x4.neg(infinity);
  for (let at: usize = 0; at < bytes; at += 16) {
    const four = f32x4.sub(v128.load(halves + at), v128.load(distances + at));
    const isNear = v128.and(f32x4.lt(f32x4.abs(four), infinity), f32x4.le(four, furthest));
    const near = v128.bitselect(four, infinity, isNear);
    v128.store(distances + at, near);
    least = f32x4.pmin(least, near);
    most = f32x4.pmax(most, v128.bitselect(four, f32x4.neg(infinity), isNear));
  }
  let low = min(min(f32x4.extract_lane(least, 0), f32x4.extract_lane(least, 1)), min(f32x4.extract_lane(least, 2), f32x4.extract_lane(least, 3)));
  let high = max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
  if (!(low <= high)) return 0;
  let found = countUpTo(distances, bytes, high);
  if (found <= k) return take(distances, bytes, f32.NEGATIVE_INFINITY, high, indices, 0, k);
  // Up to `high` lie `found`, which are more than k at first; up to `low` lie `below`, fewer than k unless the k-th is there.
  let below = countUpTo(distances, bytes, low);
  if (below >= k) high = low;
  let error = <f32>(1.2e-7) * <f32>((cols >> 2) + 8) * largest * (lengthOf(row, cols) + largest);
  if (error != error) error = f32.POSITIVE_INFINITY;
  let values = distances;
  let valueBytes = bytes;
  for (let step = 0; high - low > error; step++) {
    if (found <= room && values == distances) {
      // The threshold is among these: the others need not be looked at any more.
      values = exact;
      valueBytes = <usize>((found + 15) & ~15) << 2;
      copyUpTo(distances, bytes, high, values, valueBytes);
    }
    let middle: f32;
    // Where the numbers between would leave as many if values were spread evenly, and in the middle, by turns.
    if (step >= halvings) middle = between(low, high);
    else if (step & 1) middle = <f32>0.5 * low + <f32>0.5 * high;
    else middle = low + (high - low) * (<f32>(k - below) / <f32>(found - below));
    if (!(low < middle && middle < high)) {
      if (step > halvings) break;
      step = max(step, halvings - 1);
      continue;
    }
    const upTo = countUpTo(values, valueBytes, middle);
    if (upTo >= k) {
      high = middle;
      found = upTo;
    } else {
      low = middle;
      below = upTo;
    }
  }
  // The k-th distance lies between both, but for the error of either.
  const inside = take(distances, bytes, f32.NEGATIVE_INFINITY, low - 2 * error, indices, 0, k);
  const unsure = take(distances, bytes, low - 2 * error, min(high + 2 * error, f32.MAX_VALUE), zone, 0, count);
  const missing = k - inside;
  if (unsure > missing) rerank(row, references, cols, unsure, zone, exactHalves, exact, wide);
  for (let i = 0; i < missing; i++) insert(indices, inside + i, load<i32>(zone + (<usize>i << 2)));
  return k;
}

/** Puts a number into `count` rising ones. */
function insert(numbers: usize, count: i32, number: i32): void {
  let at = numbers + (<usize>count << 2);
  for (; at > numbers && load<i32>(at - 4) > number; at -= 4) store<i32>(at, load<i32>(at - 4));
  store<i32>(at, number);
}

/** The length of a float32 row. */
function lengthOf(row: usize, cols: i32): f32 {
  let sum = f32x4.splat(0);
  for (const end = row + (<usize>cols << 2); row < end; row += 16) sum = fma(v128.load(row), v128.load(row), sum);
  return <f32>Math.sqrt(<f64>laneSum(sum));
}

/** Copies the values that are at most `limit`, one after the other, and infinity behind them up to `outBytes`. */
function copyUpTo(values: usize, bytes: usize, limit: f32, out: usize, outBytes: usize): void {
  const end = out + outBytes;
  const upTo = f32x4.splat(limit);
  for (let at: usize = 0; at < bytes; at += 16) {
    let lanes = i32x4.bitmask(f32x4.le(v128.load(values + at), upTo));
    for (; lanes != 0; lanes &= lanes - 1, out += 4) store<f32>(out, load<f32>(values + at + (<usize>ctz(lanes) << 2)));
  }
  for (; out < end; out += 4) store<f32>(out, f32.POSITIVE_INFINITY);
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
