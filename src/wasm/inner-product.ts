/** Σ a·b over n float64 numbers: places 0, 1, 2 and 3 of every four in sums of their own, what is left over in the first (linalg/inner-product.ts). */
export function innerProduct(a: usize, b: usize, n: i32): f64 {
  let low = f64x2.splat(0);
  let high = f64x2.splat(0);
  const four = a + (<usize>(n & ~3) << 3);
  for (; a < four; a += 32, b += 32) {
    low = f64x2.add(low, f64x2.mul(v128.load(a), v128.load(b)));
    high = f64x2.add(high, f64x2.mul(v128.load(a, 16), v128.load(b, 16)));
  }
  let first = f64x2.extract_lane(low, 0);
  for (let k = n & 3; k > 0; k--, a += 8, b += 8) first += load<f64>(a) * load<f64>(b);
  return first + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}

/**
 * Inner products of rows less `mean` with directions: to out[row · width + k]. Rows of `cols` numbers, directions `stride` apart; room for
 * `cols` numbers. Four directions at a time, so that a row's numbers are loaded once for four products.
 */
export function projectRows(
  rows: usize,
  count: i32,
  cols: i32,
  mean: usize,
  directions: usize,
  width: i32,
  stride: i32,
  out: usize,
  room: usize,
): void {
  const bytes = <usize>cols << 3;
  const step = <usize>stride << 3;
  const left = cols & 3;
  const four = <usize>(cols & ~3) << 3;
  for (let row = 0; row < count; row++, rows += bytes) {
    for (let at: usize = 0; at < bytes; at += 8) store<f64>(room + at, load<f64>(rows + at) - load<f64>(mean + at));
    let d = directions;
    let k = 0;
    for (; k + 3 < width; k += 4, d += step << 2, out += 32) {
      const d1 = d + step;
      const d2 = d1 + step;
      const d3 = d2 + step;
      let l0 = f64x2.splat(0);
      let h0 = f64x2.splat(0);
      let l1 = f64x2.splat(0);
      let h1 = f64x2.splat(0);
      let l2 = f64x2.splat(0);
      let h2 = f64x2.splat(0);
      let l3 = f64x2.splat(0);
      let h3 = f64x2.splat(0);
      for (let at: usize = 0; at < four; at += 32) {
        const low = v128.load(room + at);
        const high = v128.load(room + at, 16);
        l0 = f64x2.add(l0, f64x2.mul(low, v128.load(d + at)));
        h0 = f64x2.add(h0, f64x2.mul(high, v128.load(d + at, 16)));
        l1 = f64x2.add(l1, f64x2.mul(low, v128.load(d1 + at)));
        h1 = f64x2.add(h1, f64x2.mul(high, v128.load(d1 + at, 16)));
        l2 = f64x2.add(l2, f64x2.mul(low, v128.load(d2 + at)));
        h2 = f64x2.add(h2, f64x2.mul(high, v128.load(d2 + at, 16)));
        l3 = f64x2.add(l3, f64x2.mul(low, v128.load(d3 + at)));
        h3 = f64x2.add(h3, f64x2.mul(high, v128.load(d3 + at, 16)));
      }
      store<f64>(out, finish(l0, h0, room + four, d + four, left));
      store<f64>(out, finish(l1, h1, room + four, d1 + four, left), 8);
      store<f64>(out, finish(l2, h2, room + four, d2 + four, left), 16);
      store<f64>(out, finish(l3, h3, room + four, d3 + four, left), 24);
    }
    for (; k < width; k++, d += step, out += 8) store<f64>(out, innerProduct(room, d, cols));
  }
}

// @ts-ignore: decorator
@inline
function finish(low: v128, high: v128, a: usize, b: usize, left: i32): f64 {
  let first = f64x2.extract_lane(low, 0);
  for (; left > 0; left--, a += 8, b += 8) first += load<f64>(a) * load<f64>(b);
  return first + f64x2.extract_lane(low, 1) + (f64x2.extract_lane(high, 0) + f64x2.extract_lane(high, 1));
}

/** Inner products of rows of `cols` numbers with one vector. Three rows at a time: a sum waits for the one before it. */
export function project(rows: usize, count: i32, cols: i32, direction: usize, out: usize): void {
  const bytes = <usize>cols << 3;
  const left = cols & 3;
  const four = <usize>(cols & ~3) << 3;
  let row = 0;
  for (; row + 2 < count; row += 3, rows += bytes * 3, out += 24) {
    const second = rows + bytes;
    const third = second + bytes;
    let l0 = f64x2.splat(0);
    let h0 = f64x2.splat(0);
    let l1 = f64x2.splat(0);
    let h1 = f64x2.splat(0);
    let l2 = f64x2.splat(0);
    let h2 = f64x2.splat(0);
    for (let at: usize = 0; at < four; at += 32) {
      const low = v128.load(direction + at);
      const high = v128.load(direction + at, 16);
      l0 = f64x2.add(l0, f64x2.mul(v128.load(rows + at), low));
      h0 = f64x2.add(h0, f64x2.mul(v128.load(rows + at, 16), high));
      l1 = f64x2.add(l1, f64x2.mul(v128.load(second + at), low));
      h1 = f64x2.add(h1, f64x2.mul(v128.load(second + at, 16), high));
      l2 = f64x2.add(l2, f64x2.mul(v128.load(third + at), low));
      h2 = f64x2.add(h2, f64x2.mul(v128.load(third + at, 16), high));
    }
    store<f64>(out, finish(l0, h0, rows + four, direction + four, left));
    store<f64>(out, finish(l1, h1, second + four, direction + four, left), 8);
    store<f64>(out, finish(l2, h2, third + four, direction + four, left), 16);
  }
  for (; row < count; row++, rows += bytes, out += 8) store<f64>(out, innerProduct(rows, direction, cols));
}
