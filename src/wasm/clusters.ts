import { addToTotals, fma, laneSum } from "./lanes.ts";

/**
 * Gives each of `rows` (a multiple of three) to the nearest of `clusters` centres, for twelve restarts at once, a lane each, and adds up those of all but the
 * first. x: `[rows, width]`, width a multiple of three, ends in a 1 (or zeros, for rows that are none). directions: `[clusters − 1, width, 12]`: from the first centre to each
 * other one, and behind it half of how much the first one's square is larger, so that a product says by how much the other is nearer. Ties go to the lower centre.
 * totals: `[clusters − 1, width, 12]` float64. `most` and `nearest`, `[rows, 12]` each, are room.
 */
export function assignRows(
  x: usize,
  rows: i32,
  width: i32,
  directions: usize,
  clusters: i32,
  most: usize,
  nearest: usize,
  totals: usize,
): void {
  const bytes = <usize>width << 2;
  const end = x + <usize>rows * bytes;
  memory.fill(most, 0, <usize>rows * 48);
  memory.fill(nearest, 0, <usize>rows * 48);
  for (let k = 1; k < clusters; k++) {
    const to = directions + <usize>(k - 1) * bytes * 12;
    for (let row = x, m = most, n = nearest; row < end; row += 3 * bytes, m += 144, n += 144) scoreRows(row, bytes, to, k, m, n);
  }
  for (let k = 1; k < clusters; k++) {
    for (let at: usize = 0; at < bytes; at += 12, totals += 288) addRows(x + at, end, bytes, nearest, k, most, totals);
  }
}

/** Three rows: where the product is more than any before, the k-th centre is the nearest. */
// @ts-ignore: decorator
@inline
function scoreRows(row: usize, bytes: usize, direction: usize, k: i32, most: usize, nearest: usize): void {
  const second = row + bytes;
  const third = second + bytes;
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let c0 = a0;
  let c1 = a0;
  let c2 = a0;
  for (let at: usize = 0; at < bytes; at += 4, direction += 48) {
    const d0 = v128.load(direction);
    const d1 = v128.load(direction, 16);
    const d2 = v128.load(direction, 32);
    let value = v128.load32_splat(row + at);
    a0 = fma(value, d0, a0);
    a1 = fma(value, d1, a1);
    a2 = fma(value, d2, a2);
    value = v128.load32_splat(second + at);
    b0 = fma(value, d0, b0);
    b1 = fma(value, d1, b1);
    b2 = fma(value, d2, b2);
    value = v128.load32_splat(third + at);
    c0 = fma(value, d0, c0);
    c1 = fma(value, d1, c1);
    c2 = fma(value, d2, c2);
  }
  choose(a0, k, most, nearest);
  choose(a1, k, most + 16, nearest + 16);
  choose(a2, k, most + 32, nearest + 32);
  choose(b0, k, most + 48, nearest + 48);
  choose(b1, k, most + 64, nearest + 64);
  choose(b2, k, most + 80, nearest + 80);
  choose(c0, k, most + 96, nearest + 96);
  choose(c1, k, most + 112, nearest + 112);
  choose(c2, k, most + 128, nearest + 128);
}

// @ts-ignore: decorator
@inline
function choose(score: v128, k: i32, most: usize, nearest: usize): void {
  const before = v128.load(most);
  const isNearer = f32x4.gt(score, before);
  v128.store(most, v128.bitselect(score, before, isNearer));
  v128.store(nearest, v128.bitselect(i32x4.splat(k), v128.load(nearest), isNearer));
}

/** Three columns of all rows, added up where the k-th centre is the nearest: in `room`, then to totals. */
// @ts-ignore: decorator
@inline
function addRows(x: usize, end: usize, bytes: usize, nearest: usize, k: i32, room: usize, totals: usize): void {
  const wanted = i32x4.splat(k);
  const one = f32x4.splat(1);
  let a0 = f32x4.splat(0);
  let a1 = a0;
  let a2 = a0;
  let b0 = a0;
  let b1 = a0;
  let b2 = a0;
  let c0 = a0;
  let c1 = a0;
  let c2 = a0;
  for (; x < end; x += bytes, nearest += 48) {
    const m0 = v128.and(i32x4.eq(v128.load(nearest), wanted), one);
    const m1 = v128.and(i32x4.eq(v128.load(nearest, 16), wanted), one);
    const m2 = v128.and(i32x4.eq(v128.load(nearest, 32), wanted), one);
    let value = v128.load32_splat(x);
    a0 = fma(value, m0, a0);
    a1 = fma(value, m1, a1);
    a2 = fma(value, m2, a2);
    value = v128.load32_splat(x, 4);
    b0 = fma(value, m0, b0);
    b1 = fma(value, m1, b1);
    b2 = fma(value, m2, b2);
    value = v128.load32_splat(x, 8);
    c0 = fma(value, m0, c0);
    c1 = fma(value, m1, c1);
    c2 = fma(value, m2, c2);
  }
  v128.store(room, a0);
  v128.store(room, a1, 16);
  v128.store(room, a2, 32);
  v128.store(room, b0, 48);
  v128.store(room, b1, 64);
  v128.store(room, b2, 80);
  v128.store(room, c0, 96);
  v128.store(room, c1, 112);
  v128.store(room, c2, 128);
  for (let i: usize = 0; i < 9; i++) addToTotals(totals + (i << 5), v128.load(room + (i << 4)));
}

/**
 * Distances between four rows and `count` columns (a multiple of four), points of `dims` coordinates. Both lie one coordinate after the
 * other, `stride` numbers from the next. rowSums[i] += the distances of row i to the columns; colSums[j] += those of column j to the rows,
 * unless it is 0. Where they are not 0, `rowMasks: [4, 4]` and `lastMask: [4]` take out rows, and some of the last four columns.
 */
export function distanceSums(
  rows: usize,
  cols: usize,
  count: i32,
  dims: i32,
  stride: i32,
  rowMasks: usize,
  lastMask: usize,
  rowSums: usize,
  colSums: usize,
): void {
  const step = <usize>stride << 2;
  const rowEnd = rows + step * dims;
  let s0 = f32x4.splat(0);
  let s1 = f32x4.splat(0);
  let s2 = f32x4.splat(0);
  let s3 = f32x4.splat(0);
  for (let at = 0; at < count; at += 4) {
    let d0 = f32x4.splat(0);
    let d1 = f32x4.splat(0);
    let d2 = f32x4.splat(0);
    let d3 = f32x4.splat(0);
    for (let p = rows, q = cols; p < rowEnd; p += step, q += step) {
      const v = v128.load(q);
      let u = f32x4.sub(v128.load32_splat(p), v);
      d0 = fma(u, u, d0);
      u = f32x4.sub(v128.load32_splat(p, 4), v);
      d1 = fma(u, u, d1);
      u = f32x4.sub(v128.load32_splat(p, 8), v);
      d2 = fma(u, u, d2);
      u = f32x4.sub(v128.load32_splat(p, 12), v);
      d3 = fma(u, u, d3);
    }
    d0 = f32x4.sqrt(d0);
    d1 = f32x4.sqrt(d1);
    d2 = f32x4.sqrt(d2);
    d3 = f32x4.sqrt(d3);
    if (rowMasks) {
      d0 = v128.and(d0, v128.load(rowMasks));
      d1 = v128.and(d1, v128.load(rowMasks, 16));
      d2 = v128.and(d2, v128.load(rowMasks, 32));
      d3 = v128.and(d3, v128.load(rowMasks, 48));
    }
    if (lastMask && at + 4 >= count) {
      const mask = v128.load(lastMask);
      d0 = v128.and(d0, mask);
      d1 = v128.and(d1, mask);
      d2 = v128.and(d2, mask);
      d3 = v128.and(d3, mask);
    }
    s0 = f32x4.add(s0, d0);
    s1 = f32x4.add(s1, d1);
    s2 = f32x4.add(s2, d2);
    s3 = f32x4.add(s3, d3);
    if (colSums) {
      v128.store(colSums, f32x4.add(v128.load(colSums), f32x4.add(f32x4.add(d0, d1), f32x4.add(d2, d3))));
      colSums += 16;
    }
    cols += 16;
  }
  store<f32>(rowSums, load<f32>(rowSums) + laneSum(s0));
  store<f32>(rowSums, load<f32>(rowSums, 4) + laneSum(s1), 4);
  store<f32>(rowSums, load<f32>(rowSums, 8) + laneSum(s2), 8);
  store<f32>(rowSums, load<f32>(rowSums, 12) + laneSum(s3), 12);
}

/**
 * Points `[count, dims]` as rows of `width` numbers: the coordinates, the square of their length, zeros and, last of all, a 1. whole: `[width]`, float64, += those rows, of
 * whose squares what float32 holds.
 */
export function lengthen(points: usize, count: i32, dims: i32, out: usize, width: i32, whole: usize): void {
  const bytes = <usize>width << 2;
  const squareAt = <usize>dims << 2;
  memory.fill(out, 0, <usize>count * bytes);
  for (let row = 0; row < count; row++, out += bytes) {
    let square: f64 = 0;
    let sum = whole;
    for (let at: usize = 0; at < squareAt; at += 4, points += 4, sum += 8) {
      const single = load<f32>(points);
      const value = <f64>single;
      store<f32>(out + at, single);
      store<f64>(sum, load<f64>(sum) + value);
      square += value * value;
    }
    store<f32>(out + squareAt, <f32>square);
    store<f64>(sum, load<f64>(sum) + <f64>(<f32>square));
    store<f32>(out + bytes - 4, 1);
    const last = whole + (bytes << 1) - 8;
    store<f64>(last, load<f64>(last) + 1);
  }
}

/** The `count` rows of x: `[…, dims]` whose numbers, int32, stand at `rowAt`, less `first`, one coordinate after the other, `stride` numbers from the next; zeros for those below 0. */
export function byColumns(x: usize, dims: i32, rowAt: usize, first: i32, count: i32, out: usize, stride: i32): void {
  const step = <usize>stride << 2;
  for (let place = 0; place < count; place++, rowAt += 4, out += 4) {
    const row = load<i32>(rowAt);
    let to = out;
    if (row < 0) {
      for (let j = 0; j < dims; j++, to += step) store<f32>(to, 0);
      continue;
    }
    let from = x + (<usize>(row - first) * <usize>dims << 2);
    for (let j = 0; j < dims; j++, from += 4, to += step) store<f32>(to, load<f32>(from));
  }
}
