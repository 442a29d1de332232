import { innerProduct } from "./inner-product.ts";

/**
 * A = L·Lᵀ of a symmetric a: `[n, n]`, in place: reads its lower triangle, leaves L there and anything above. Columns in fours; from each entry the
 * products are taken in the order of the columns. Room for 4 · n numbers, and 8 bytes behind a. 0 where A is not positive definite, else 1.
 */
export function factor(a: usize, n: i32, room: usize): i32 {
  const bytes = <usize>n << 3;
  for (let first = 0; first < n; first += 4) {
    const width = min(4, n - first);
    for (let i = first; i < n; i++) {
      const row = a + <usize>i * bytes + (<usize>first << 3);
      for (let k = 0; k < width && first + k <= i; k++) {
        let sum = load<f64>(row + (<usize>k << 3));
        const other = a + <usize>(first + k) * bytes + (<usize>first << 3);
        for (let p = 0; p < k; p++) sum -= load<f64>(row + (<usize>p << 3)) * load<f64>(other + (<usize>p << 3));
        if (i == first + k) {
          if (!(sum > 0)) return 0;
          sum = Math.sqrt(sum);
        } else sum /= load<f64>(other + (<usize>k << 3));
        store<f64>(row + (<usize>k << 3), sum);
        store<f64>(room + <usize>k * bytes + (<usize>i << 3), sum);
      }
    }
    const from = first + 4;
    for (let i = from; i < n; i++) {
      const own = a + <usize>i * bytes + (<usize>first << 3);
      const v0 = v128.load64_splat(own);
      const v1 = v128.load64_splat(own, 8);
      const v2 = v128.load64_splat(own, 16);
      const v3 = v128.load64_splat(own, 24);
      let to = own + 32;
      let c = room + (<usize>from << 3);
      for (let j = from; j <= i; j += 2, to += 16, c += 16) {
        let sum = f64x2.sub(v128.load(to), f64x2.mul(v0, v128.load(c)));
        sum = f64x2.sub(sum, f64x2.mul(v1, v128.load(c + bytes)));
        sum = f64x2.sub(sum, f64x2.mul(v2, v128.load(c + (bytes << 1))));
        v128.store(to, f64x2.sub(sum, f64x2.mul(v3, v128.load(c + bytes * 3))));
      }
    }
  }
  return 1;
}

/** Zeros above the diagonal. */
export function clearUpper(a: usize, n: i32): void {
  for (let i = 0; i < n; i++) memory.fill(a + ((<usize>i * n + i + 1) << 3), 0, <usize>(n - i - 1) << 3);
}

/** Solves L·y = x in place. */
export function solveLower(l: usize, n: i32, x: usize): void {
  for (let i = 0; i < n; i++, l += <usize>n << 3) {
    const at = x + (<usize>i << 3);
    store<f64>(at, (load<f64>(at) - innerProduct(l, x, i)) / load<f64>(l + (<usize>i << 3)));
  }
}

/** Solves Lᵀ·y = x in place. */
export function solveLowerTransposed(l: usize, n: i32, x: usize): void {
  for (let i = n - 1; i >= 0; i--) {
    const row = l + <usize>i * (<usize>n << 3);
    const value = load<f64>(x + (<usize>i << 3)) / load<f64>(row + (<usize>i << 3));
    store<f64>(x + (<usize>i << 3), value);
    for (let k: usize = 0; k < <usize>i << 3; k += 8) store<f64>(x + k, load<f64>(x + k) - value * load<f64>(row + k));
  }
}

/**
 * L⁻¹·(row − mean) of rows of n numbers, to rows of out `stride` apart (where out is not 0), and their squared lengths. Eight rows at a time, so that an entry
 * of L is loaded once for eight; room for 8 · n numbers.
 */
export function solveRows(
  rows: usize,
  count: i32,
  n: i32,
  mean: usize,
  l: usize,
  out: usize,
  stride: i32,
  lengths: usize,
  room: usize,
): void {
  const bytes = <usize>n << 3;
  const step = <usize>stride << 3;
  for (let first = 0; first < count; first += 8) {
    // The last rows stand in for those that are missing.
    const r0 = rows + <usize>first * bytes;
    const r1 = rows + <usize>min(first + 1, count - 1) * bytes;
    const r2 = rows + <usize>min(first + 2, count - 1) * bytes;
    const r3 = rows + <usize>min(first + 3, count - 1) * bytes;
    const r4 = rows + <usize>min(first + 4, count - 1) * bytes;
    const r5 = rows + <usize>min(first + 5, count - 1) * bytes;
    const r6 = rows + <usize>min(first + 6, count - 1) * bytes;
    const r7 = rows + <usize>min(first + 7, count - 1) * bytes;
    let s01 = f64x2.splat(0);
    let s23 = f64x2.splat(0);
    let s45 = f64x2.splat(0);
    let s67 = f64x2.splat(0);
    let row = l;
    let to = room;
    for (let at: usize = 0; at < bytes; at += 8, row += bytes, to += 64) {
      const middle = v128.load64_splat(mean + at);
      let v01 = f64x2.sub(v128.load64_lane(r1 + at, v128.load64_zero(r0 + at), 1), middle);
      let v23 = f64x2.sub(v128.load64_lane(r3 + at, v128.load64_zero(r2 + at), 1), middle);
      let v45 = f64x2.sub(v128.load64_lane(r5 + at, v128.load64_zero(r4 + at), 1), middle);
      let v67 = f64x2.sub(v128.load64_lane(r7 + at, v128.load64_zero(r6 + at), 1), middle);
      for (let k: usize = 0, p = room; k < at; k += 8, p += 64) {
        const entry = v128.load64_splat(row + k);
        v01 = f64x2.sub(v01, f64x2.mul(entry, v128.load(p)));
        v23 = f64x2.sub(v23, f64x2.mul(entry, v128.load(p, 16)));
        v45 = f64x2.sub(v45, f64x2.mul(entry, v128.load(p, 32)));
        v67 = f64x2.sub(v67, f64x2.mul(entry, v128.load(p, 48)));
      }
      const inverse = f64x2.splat(1 / load<f64>(row + at));
      v01 = f64x2.mul(v01, inverse);
      v23 = f64x2.mul(v23, inverse);
      v45 = f64x2.mul(v45, inverse);
      v67 = f64x2.mul(v67, inverse);
      v128.store(to, v01);
      v128.store(to, v23, 16);
      v128.store(to, v45, 32);
      v128.store(to, v67, 48);
      s01 = f64x2.add(s01, f64x2.mul(v01, v01));
      s23 = f64x2.add(s23, f64x2.mul(v23, v23));
      s45 = f64x2.add(s45, f64x2.mul(v45, v45));
      s67 = f64x2.add(s67, f64x2.mul(v67, v67));
    }
    v128.store(to, s01);
    v128.store(to, s23, 16);
    v128.store(to, s45, 32);
    v128.store(to, s67, 48);
    const here = min(8, count - first);
    memory.copy(lengths, to, <usize>here << 3);
    lengths += <usize>here << 3;
    if (out == 0) continue;
    for (let i = 0; i < here; i++, out += step) {
      for (let at: usize = 0, p = room + (<usize>i << 3); at < bytes; at += 8, p += 64) store<f64>(out + at, load<f64>(p));
    }
  }
}
