/**
 * What moving to the cluster that it is best in, all centres moving as it moves, takes off the sum of squares, for each row of float32 points
 * `[rows, dims]` (0: it stays): linalg/hartigan.ts. `from`: the cluster, a byte, that each row is in; centres and sizes in float64. margins: how much
 * further any other centre is than the own one, each times the root of what its square is weighted by.
 */
export function exchangeGains(
  points: usize,
  rows: i32,
  dims: i32,
  centres: usize,
  clusters: i32,
  sizes: usize,
  from: usize,
  gains: usize,
  margins: usize,
): void {
  const bytes = <usize>dims << 2;
  const step = <usize>dims << 3;
  for (let row = 0; row < rows; row++, points += bytes, gains += 8, margins += 8) {
    const own = <i32>load<u8>(from + row);
    const size = load<f64>(sizes + (<usize>own << 3));
    store<f64>(gains, 0);
    store<f64>(margins, -1);
    if (size <= 1) continue;
    let nearest = f64.MAX_VALUE;
    const cost = (size / (size - 1)) * distance(points, centres + <usize>own * step, dims);
    let best = cost * 1e-12;
    let stays = true;
    for (let k = 0; k < clusters; k++) {
      if (k == own) continue;
      const other = load<f64>(sizes + (<usize>k << 3));
      const there = (other / (other + 1)) * distance(points, centres + <usize>k * step, dims);
      nearest = Math.min(nearest, there);
      const gain = cost - there;
      if (gain <= best) continue;
      best = gain;
      stays = false;
    }
    if (!stays) store<f64>(gains, best);
    store<f64>(margins, Math.sqrt(nearest) - Math.sqrt(cost));
  }
}

/**
 * Gives each row of float32 points `[rows, dims]` to the nearest of `clusters` float64 centres, ties to the lower one: `to`, a byte each; and adds it to sums:
 * `[clusters, dims + 1]` float64 of coordinates and rows: linalg/hartigan.ts. Gives the largest squared length of a row.
 */
export function assignPoints(points: usize, rows: i32, dims: i32, centres: usize, clusters: i32, to: usize, sums: usize): f64 {
  const bytes = <usize>dims << 2;
  const step = <usize>dims << 3;
  let largest: f64 = 0;
  for (let row = 0; row < rows; row++, points += bytes) {
    let nearest = f64.POSITIVE_INFINITY;
    let own = 0;
    let centre = centres;
    for (let k = 0; k < clusters; k++, centre += step) {
      const there = distance(points, centre, dims);
      if (there >= nearest) continue;
      nearest = there;
      own = k;
    }
    store<u8>(to + row, own);
    let sum = sums + <usize>own * (step + 8);
    let square: f64 = 0;
    for (let at: usize = 0; at < bytes; at += 4, sum += 8) {
      const value = <f64>load<f32>(points + at);
      store<f64>(sum, load<f64>(sum) + value);
      square += value * value;
    }
    store<f64>(sum, load<f64>(sum) + 1);
    largest = Math.max(largest, square);
  }
  return largest;
}

/** `sum` and the squared distances of float32 points `[rows, dims]` to the centres that they are of, a byte each: linalg/hartigan.ts. */
export function addDistances(points: usize, rows: i32, dims: i32, centres: usize, from: usize, sum: f64): f64 {
  const step = <usize>dims << 3;
  for (let row = 0; row < rows; row++, points += <usize>dims << 2) {
    sum += distance(points, centres + <usize>load<u8>(from + row) * step, dims);
  }
  return sum;
}

/** Squared distance: places 0, 1, 2 and 3 of every four in sums of their own, what is left over in the first. */
// @ts-ignore: decorator
@inline
function distance(point: usize, centre: usize, dims: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const four = point + (<usize>(dims & ~3) << 2);
  for (; point < four; point += 16, centre += 32) {
    const values = v128.load(point);
    const a = f64x2.sub(f64x2.promote_low_f32x4(values), v128.load(centre));
    const b = f64x2.sub(f64x2.promote_low_f32x4(v128.shuffle<f32>(values, values, 2, 3, 0, 1)), v128.load(centre, 16));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  let first = f64x2.extract_lane(low, 0);
  for (let k = dims & 3; k > 0; k--, point += 4, centre += 8) {
    const apart = <f64>load<f32>(point) - load<f64>(centre);
    first += apart * apart;
  }
  return first + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}
