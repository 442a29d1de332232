import { fma, laneSum } from "./lanes.ts";

/** Halvings of the range of values; what is left then is halved by the bits, which 32 steps bring to an end. */
const halvings = 16;

/** out `[8 · count]`, float64: half the squared length of each row of `count` panels of eight, `[cols, 8]` each. */
export function halfSquares(panels: usize, count: i32, cols: i32, out: usize): void {
  for (let panel = 0; panel < count; panel++, out += 64) {
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    let s2 = f64x2.splat(0);
    let s3 = f64x2.splat(0);
    for (const end = panels + (<usize>cols << 5); panels < end; panels += 32) {
      s0 = addSquare(s0, v128.load64_zero(panels));
      s1 = addSquare(s1, v128.load64_zero(panels, 8));
      s2 = addSquare(s2, v128.load64_zero(panels, 16));
      s3 = addSquare(s3, v128.load64_zero(panels, 24));
    }
    v128.store(out, f64x2.mul(s0, f64x2.splat(0.5)));
    v128.store(out, f64x2.mul(s1, f64x2.splat(0.5)), 16);
    v128.store(out, f64x2.mul(s2, f64x2.splat(0.5)), 32);
    v128.store(out, f64x2.mul(s3, f64x2.splat(0.5)), 48);
  }
}

// @ts-ignore: decorator
@inline
function addSquare(sum: v128, singles: v128): v128 {
  const two = f64x2.promote_low_f32x4(singles);
  return f64x2.add(sum, f64x2.mul(two, two));
}

/**
 * Numbers of the `k` references nearest to a row, rising; fewer where fewer are finite and no further than `limit`. `distances: [count]` holds
 * the row's products and gets half the squared distance less half the row's own square: halves − products, float32. Number `own` is left out. count is a
 * multiple of sixteen, cols of four; `references` are in panels of eight, `[cols, 8]` each. Gives how many.
 *
 * The least of every four distances is kept. As many of those as k lie below some threshold, and then as many distances do, and few more: these are looked at alone. Among
 * them the threshold is narrowed down until it is known but for what float32 may be wrong by. What lies so near to it is settled in float64, ties by number.
 * `zone: [count]`, `exact: [count]`, float64, and `wide: [cols]`, float64, are room; `largest` is no less than the length of any reference.
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
  indices: usize,
  zone: usize,
  exact: usize,
  wide: usize,
): i32 {
  const bytes = <usize>count << 2;
  if (own < count) store<f32>(distances + (<usize>own << 2), f32.NEGATIVE_INFINITY);
  const leasts = exact;
  const leastBytes = (<usize>count + 63) & ~63;
  const furthest = f32x4.splat(limit);
  let first = f32x4.splat(f32.POSITIVE_INFINITY);
  let to = leasts;
  for (let at: usize = 0; at < bytes; at += 64, to += 16) {
    const a = nearAt(halves + at, distances + at, furthest);
    const b = nearAt(halves + at + 16, distances + at + 16, furthest);
    const c = nearAt(halves + at + 32, distances + at + 32, furthest);
    const d = nearAt(halves + at + 48, distances + at + 48, furthest);
    const least = f32x4.pmin(f32x4.pmin(a, b), f32x4.pmin(c, d));
    v128.store(to, least);
    first = f32x4.pmin(first, least);
  }
  for (; to < leasts + leastBytes; to += 16) v128.store(to, f32x4.splat(f32.POSITIVE_INFINITY));
  const least = min(min(f32x4.extract_lane(first, 0), f32x4.extract_lane(first, 1)), min(f32x4.extract_lane(first, 2), f32x4.extract_lane(first, 3)));
  if (least == f32.POSITIVE_INFINITY) return 0;
  let error = <f32>(1.2e-7) * <f32>((cols >> 2) + 8) * largest * (lengthOf(row, cols) + largest);
  if (error != error) error = f32.POSITIVE_INFINITY;
  low = least;
  high = f32.MAX_VALUE;
  if (countUpTo(leasts, leastBytes, high) > k) {
    high = mostOf(leasts, leastBytes);
    narrow(leasts, leastBytes, k, k + (k >> 3) + 4, error);
  }
  const found = gather(distances, bytes, min(high + 2 * error, f32.MAX_VALUE), exact, zone);
  if (found <= k) {
    memory.copy(indices, zone, <usize>found << 2);
    return found;
  }
  const foundBytes = <usize>((found + 15) & ~15) << 2;
  low = least;
  high = min(high, mostOf(exact, foundBytes));
  narrow(exact, foundBytes, k, 0, error);
  // The k-th distance lies between both, but for the error of either.
  let inside = 0;
  let unsure = 0;
  for (let i = 0; i < found; i++) {
    const value = load<f32>(exact + (<usize>i << 2));
    const number = load<i32>(zone + (<usize>i << 2));
    if (value <= low - 2 * error && inside < k) store<i32>(indices + (<usize>(inside++) << 2), number);
    else if (value <= high + 2 * error) store<i32>(zone + (<usize>(unsure++) << 2), number);
  }
  const missing = k - inside;
  if (unsure > missing) rerank(row, references, cols, unsure, zone, exactHalves, exact, wide);
  for (let i = 0; i < missing; i++) insert(indices, inside + i, load<i32>(zone + (<usize>i << 2)));
  return k;
}

/** What lies between them is not known yet. */
let low: f32 = 0;
let high: f32 = 0;

/**
 * Moves `low` and `high` towards the k-th of the values, a multiple of sixteen, of which at least k are at most `high` and none less than `low`: until no more than `enough` are at most `high`, or
 * both lie within `error`.
 */
function narrow(values: usize, bytes: usize, k: i32, enough: i32, error: f32): void {
  let found = countUpTo(values, bytes, high);
  // Up to `low` lie `below`, fewer than k unless the k-th is there.
  let below = countUpTo(values, bytes, low);
  if (below >= k) high = low;
  for (let step = 0; found > enough && high - low > error; step++) {
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
    const upTo = countUpTo(values, bytes, middle);
    if (upTo >= k) {
      high = middle;
      found = upTo;
    } else {
      low = middle;
      below = upTo;
    }
  }
}

/** Four of halves − distances, infinite where they are not finite or too far; written over the distances. */
// @ts-ignore: decorator
@inline
function nearAt(halves: usize, distances: usize, furthest: v128): v128 {
  const infinity = f32x4.splat(f32.POSITIVE_INFINITY);
  const four = f32x4.sub(v128.load(halves), v128.load(distances));
  const near = v128.bitselect(four, infinity, v128.and(f32x4.lt(f32x4.abs(four), infinity), f32x4.le(four, furthest)));
  v128.store(distances, near);
  return near;
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

/**
 * Copies the values, a multiple of sixteen, that are at most `limit`, one after the other, and infinity behind them up to a multiple of sixteen; and their places. Gives how
 * many. Sixteen at a time, as where each loop ends cannot be foretold.
 */
function gather(values: usize, bytes: usize, limit: f32, out: usize, places: usize): i32 {
  const upTo = f32x4.splat(limit);
  let found: usize = 0;
  for (let at: usize = 0; at < bytes; at += 64) {
    const from = values + at;
    const first = i32x4.bitmask(f32x4.le(v128.load(from), upTo)) | (i32x4.bitmask(f32x4.le(v128.load(from, 16), upTo)) << 4);
    const last = i32x4.bitmask(f32x4.le(v128.load(from, 32), upTo)) | (i32x4.bitmask(f32x4.le(v128.load(from, 48), upTo)) << 4);
    for (let lanes = first | (last << 8); lanes != 0; lanes &= lanes - 1, found += 4) {
      const place = at + (<usize>ctz(lanes) << 2);
      store<f32>(out + found, load<f32>(values + place));
      store<i32>(places + found, <i32>(place >> 2));
    }
  }
  for (let rest = found; rest & 63; rest += 4) store<f32>(out + rest, f32.POSITIVE_INFINITY);
  return <i32>(found >> 2);
}

/** The largest of the values, a multiple of four, that are finite; none is NaN, one is finite. */
function mostOf(values: usize, bytes: usize): f32 {
  const infinity = f32x4.splat(f32.POSITIVE_INFINITY);
  let most = f32x4.neg(infinity);
  for (const end = values + bytes; values < end; values += 16) {
    const four = v128.load(values);
    most = f32x4.pmax(most, v128.bitselect(four, f32x4.neg(infinity), f32x4.lt(four, infinity)));
  }
  return max(max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)), max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)));
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
function rerank(
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
    const reference = references + (index >> 3) * (bytes << 3) + ((index & 7) << 2);
    store<f64>(exact + (<usize>i << 3), load<f64>(halves + (index << 3)) - product(wide, reference, bytes));
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

/** The inner product of a float64 row and a float32 one of so many bytes, whose values stand eight apart. */
// @ts-ignore: decorator
@inline
function product(wide: usize, row: usize, bytes: usize): f64 {
  let s0: f64 = 0;
  let s1: f64 = 0;
  let s2: f64 = 0;
  let s3: f64 = 0;
  for (const end = row + (bytes << 3); row < end; row += 128, wide += 32) {
    s0 += load<f64>(wide) * <f64>load<f32>(row);
    s1 += load<f64>(wide, 8) * <f64>load<f32>(row, 32);
    s2 += load<f64>(wide, 16) * <f64>load<f32>(row, 64);
    s3 += load<f64>(wide, 24) * <f64>load<f32>(row, 96);
  }
  return s0 + s2 + (s1 + s3);
}
