/**
 * C += A·B in float32: a `[m, k]`, b `[k, n]`, c `[m, n]`, in C order (model/network/multiply.ts). Four rows by eight columns at a time, then
 * by four, then what is left over.
 */
export function multiply(a: usize, b: usize, c: usize, m: i32, k: i32, n: i32): void {
  const rowA = <usize>k << 2;
  const rowB = <usize>n << 2;
  let i = 0;
  for (; i + 3 < m; i += 4, a += rowA << 2, c += rowB << 2) {
    const a1 = a + rowA;
    const a2 = a1 + rowA;
    const a3 = a2 + rowA;
    let j = 0;
    for (; j + 7 < n; j += 8) {
      let q = b + (<usize>j << 2);
      let at = c + (<usize>j << 2);
      let l0 = v128.load(at);
      let h0 = v128.load(at, 16);
      at += rowB;
      let l1 = v128.load(at);
      let h1 = v128.load(at, 16);
      at += rowB;
      let l2 = v128.load(at);
      let h2 = v128.load(at, 16);
      at += rowB;
      let l3 = v128.load(at);
      let h3 = v128.load(at, 16);
      for (let p: usize = 0; p < rowA; p += 4, q += rowB) {
        const low = v128.load(q);
        const high = v128.load(q, 16);
        let v = v128.load32_splat(a + p);
        l0 = f32x4.add(l0, f32x4.mul(v, low));
        h0 = f32x4.add(h0, f32x4.mul(v, high));
        v = v128.load32_splat(a1 + p);
        l1 = f32x4.add(l1, f32x4.mul(v, low));
        h1 = f32x4.add(h1, f32x4.mul(v, high));
        v = v128.load32_splat(a2 + p);
        l2 = f32x4.add(l2, f32x4.mul(v, low));
        h2 = f32x4.add(h2, f32x4.mul(v, high));
        v = v128.load32_splat(a3 + p);
        l3 = f32x4.add(l3, f32x4.mul(v, low));
        h3 = f32x4.add(h3, f32x4.mul(v, high));
      }
      v128.store(at, l3);
      v128.store(at, h3, 16);
      at -= rowB;
      v128.store(at, l2);
      v128.store(at, h2, 16);
      at -= rowB;
      v128.store(at, l1);
      v128.store(at, h1, 16);
      at -= rowB;
      v128.store(at, l0);
      v128.store(at, h0, 16);
    }
    rows(a, b, c, 4, k, n, j);
  }
  rows(a, b, c, m - i, k, n, 0);
}

/** The same, row by row, for the columns from `from` on. */
function rows(a: usize, b: usize, c: usize, m: i32, k: i32, n: i32, from: i32): void {
  const rowA = <usize>k << 2;
  const rowB = <usize>n << 2;
  for (let i = 0; i < m; i++, a += rowA, c += rowB) {
    let j = from;
    for (; j + 3 < n; j += 4) {
      const at = c + (<usize>j << 2);
      let sum = v128.load(at);
      let q = b + (<usize>j << 2);
      for (let p: usize = 0; p < rowA; p += 4, q += rowB) sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(a + p), v128.load(q)));
      v128.store(at, sum);
    }
    for (; j < n; j++) {
      const at = c + (<usize>j << 2);
      let sum = load<f32>(at);
      let q = b + (<usize>j << 2);
      for (let p: usize = 0; p < rowA; p += 4, q += rowB) sum += load<f32>(a + p) * load<f32>(q);
      store<f32>(at, sum);
    }
  }
}
