// Rows of `cols` float64 numbers, one after the other, of which those count whose mark (a byte each) is `value`.

const atOnce = 32;

/** sums `[cols]` += the rows that count; gives how many they are. */
export function sumMarked(rows: usize, count: i32, cols: i32, marks: usize, value: i32, sums: usize): i32 {
  const bytes = <usize>cols << 3;
  const even = bytes & ~15;
  let found = 0;
  for (let row = 0; row < count; row++, rows += bytes) {
    if (<i32>load<u8>(marks + row) != value) continue;
    found++;
    for (let at: usize = 0; at < even; at += 16) v128.store(sums + at, f64x2.add(v128.load(sums + at), v128.load(rows + at)));
    if (even < bytes) store<f64>(sums + even, load<f64>(sums + even) + load<f64>(rows + even));
  }
  return found;
}

/**
 * totals `[stride, stride]` += Σ (row − mean)·(row − mean)ᵀ over the rows that count, lower triangle. stride: cols, up to a multiple of four.
 * Of 32 rows at a time each product is added up by itself, in their order, and then to the total. Room for 32 · stride numbers.
 */
export function addScatter(
  rows: usize,
  count: i32,
  cols: i32,
  marks: usize,
  value: i32,
  mean: usize,
  room: usize,
  stride: i32,
  totals: usize,
): void {
  const bytes = <usize>cols << 3;
  const step = <usize>stride << 3;
  memory.fill(room, 0, step * atOnce);
  let filled = 0;
  let to = room;
  for (let row = 0; row < count; row++, rows += bytes) {
    if (<i32>load<u8>(marks + row) != value) continue;
    for (let at: usize = 0; at < bytes; at += 8) store<f64>(to + at, load<f64>(rows + at) - load<f64>(mean + at));
    to += step;
    if (++filled < atOnce) continue;
    addBlock(room, filled, step, totals);
    filled = 0;
    to = room;
  }
  if (filled > 0) addBlock(room, filled, step, totals);
}

/** Four by four products at a time: eight sums in registers. */
function addBlock(rows: usize, count: i32, step: usize, totals: usize): void {
  const end = rows + step * count;
  for (let j: usize = 0; j < step; j += 32) {
    for (let k: usize = 0; k <= j; k += 32) {
      let c00 = f64x2.splat(0);
      let c01 = f64x2.splat(0);
      let c10 = f64x2.splat(0);
      let c11 = f64x2.splat(0);
      let c20 = f64x2.splat(0);
      let c21 = f64x2.splat(0);
      let c30 = f64x2.splat(0);
      let c31 = f64x2.splat(0);
      for (let row = rows; row < end; row += step) {
        const b0 = v128.load(row + k);
        const b1 = v128.load(row + k, 16);
        let a = v128.load64_splat(row + j);
        c00 = f64x2.add(c00, f64x2.mul(a, b0));
        c01 = f64x2.add(c01, f64x2.mul(a, b1));
        a = v128.load64_splat(row + j, 8);
        c10 = f64x2.add(c10, f64x2.mul(a, b0));
        c11 = f64x2.add(c11, f64x2.mul(a, b1));
        a = v128.load64_splat(row + j, 16);
        c20 = f64x2.add(c20, f64x2.mul(a, b0));
        c21 = f64x2.add(c21, f64x2.mul(a, b1));
        a = v128.load64_splat(row + j, 24);
        c30 = f64x2.add(c30, f64x2.mul(a, b0));
        c31 = f64x2.add(c31, f64x2.mul(a, b1));
      }
      let to = totals + (j >> 3) * step + k;
      v128.store(to, f64x2.add(v128.load(to), c00));
      v128.store(to, f64x2.add(v128.load(to, 16), c01), 16);
      to += step;
      v128.store(to, f64x2.add(v128.load(to), c10));
      v128.store(to, f64x2.add(v128.load(to, 16), c11), 16);
      to += step;
      v128.store(to, f64x2.add(v128.load(to), c20));
      v128.store(to, f64x2.add(v128.load(to, 16), c21), 16);
      to += step;
      v128.store(to, f64x2.add(v128.load(to), c30));
      v128.store(to, f64x2.add(v128.load(to, 16), c31), 16);
    }
  }
}
