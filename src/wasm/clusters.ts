import { fma, laneSum } from "./lanes.ts";

/**
 * Gives each of at most 256 rows of points: `[rows, dims]` to the nearest of `clusters` centres, for four restarts at once, a lane each, and
 * adds it up: sums: `[clusters, dims + 2, 4]` float32 of coordinates, rows and squared distances. centres: `[clusters, dims, 4]`. Ties go to
 * the lower centre. `masks: [rows, 4]` is room to work in. What the other clusters leave of the whole is the first one's.
 */
export function assignRows(points: usize, rows: i32, dims: i32, centres: usize, clusters: i32, masks: usize, sums: usize): void {
  const zero = f32x4.splat(0);
  const width = <usize>dims << 2;
  const wide = <usize>dims << 4;
  const stride = wide + 32;
  memory.fill(sums, 0, stride * clusters);
  for (let row = 0, p = points, m = masks; row < rows; row++, p += width, m += 16) {
    let best = zero;
    let bestOf = zero;
    let c = centres;
    for (let k = 0; k < clusters; k++) {
      let distance = zero;
      for (let at: usize = 0; at < width; at += 4, c += 16) {
        const difference = f32x4.sub(v128.load32_splat(p + at), v128.load(c));
        distance = fma(difference, difference, distance);
      }
      if (k == 0) best = distance;
      else {
        const nearer = f32x4.lt(distance, best);
        best = v128.bitselect(distance, best, nearer);
        bestOf = v128.bitselect(i32x4.splat(k), bestOf, nearer);
      }
    }
    v128.store(m, bestOf);
    for (let k = 0; k < clusters; k++) {
      const own = i32x4.eq(bestOf, i32x4.splat(k));
      const to = sums + <usize>k * stride + wide;
      v128.store(to, f32x4.add(v128.load(to), v128.and(own, f32x4.splat(1))));
      v128.store(to, f32x4.add(v128.load(to, 16), v128.and(own, best)), 16);
    }
  }
  for (let at: usize = 0; at < width; at += 4) {
    let first = zero;
    for (let row = 0, p = points + at; row < rows; row++, p += width) first = f32x4.add(first, v128.load32_splat(p));
    for (let k = 1; k < clusters; k++) {
      const wanted = i32x4.splat(k);
      let sum = zero;
      for (let row = 0, p = points + at, m = masks; row < rows; row++, p += width, m += 16) {
        sum = f32x4.add(sum, v128.and(i32x4.eq(v128.load(m), wanted), v128.load32_splat(p)));
      }
      v128.store(sums + <usize>k * stride + (at << 2), sum);
      first = f32x4.sub(first, sum);
    }
    v128.store(sums + (at << 2), first);
  }
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
