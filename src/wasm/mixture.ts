// linalg/tied-mixture.ts: rows y of `stride` float64 numbers (a multiple of four, zeros behind), four at a time; what rows there are not has to be zeros too.

/** Terms of eˣ's series. */
const c2: f64 = 1.0 / 2;
const c3: f64 = 1.0 / 6;
const c4: f64 = 1.0 / 24;
const c5: f64 = 1.0 / 120;
const c6: f64 = 1.0 / 720;
const c7: f64 = 1.0 / 5040;
const c8: f64 = 1.0 / 40320;
const c9: f64 = 1.0 / 362880;
const c10: f64 = 1.0 / 3628800;
const c11: f64 = 1.0 / 39916800;
const c12: f64 = 1.0 / 479001600;
const c13: f64 = 1.0 / 6227020800;

/** eˣ, stats/exponential.ts in two lanes. */
function exponential(x: v128): v128 {
  const within = f64x2.max(f64x2.min(x, f64x2.splat(708)), f64x2.splat(-708));
  const moved = f64x2.add(f64x2.mul(within, f64x2.splat(1.4426950408889634)), f64x2.splat(6755399441055744));
  const k = f64x2.sub(moved, f64x2.splat(6755399441055744));
  const r = f64x2.sub(f64x2.sub(within, f64x2.mul(k, f64x2.splat(0.6931471803691238))), f64x2.mul(k, f64x2.splat(1.9082149292705877e-10)));
  let p = f64x2.add(f64x2.mul(r, f64x2.splat(c13)), f64x2.splat(c12));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c11));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c10));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c9));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c8));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c7));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c6));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c5));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c4));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c3));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(c2));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(1));
  p = f64x2.add(f64x2.mul(r, p), f64x2.splat(1));
  return f64x2.mul(p, i64x2.shl(i64x2.add(moved, i64x2.splat(1023)), 52));
}

/** y's row · direction for the rows 0 and 1 from y on, in the order of `innerProduct`. */
// @ts-ignore: decorator
@inline
function twoProducts(y: usize, bytes: usize, direction: usize): v128 {
  let l0 = f64x2.splat(0);
  let h0 = f64x2.splat(0);
  let l1 = f64x2.splat(0);
  let h1 = f64x2.splat(0);
  for (let at: usize = 0; at < bytes; at += 32) {
    const low = v128.load(direction + at);
    const high = v128.load(direction + at, 16);
    l0 = f64x2.add(l0, f64x2.mul(v128.load(y + at), low));
    h0 = f64x2.add(h0, f64x2.mul(v128.load(y + at, 16), high));
    l1 = f64x2.add(l1, f64x2.mul(v128.load(y + bytes + at), low));
    h1 = f64x2.add(h1, f64x2.mul(v128.load(y + bytes + at, 16), high));
  }
  return f64x2.add(f64x2.add(even(l0, l1), odd(l0, l1)), f64x2.add(even(h0, h1), odd(h0, h1)));
}

// @ts-ignore: decorator
@inline
function even(a: v128, b: v128): v128 {
  return v128.shuffle<f64>(a, b, 0, 2);
}

// @ts-ignore: decorator
@inline
function odd(a: v128, b: v128): v128 {
  return v128.shuffle<f64>(a, b, 1, 3);
}

/** All ones for each of the rows `row` and `row + 1` that is one of n. */
// @ts-ignore: decorator
@inline
function present(row: i32, n: i32): v128 {
  return i64x2.replace_lane(i64x2.splat(row < n ? -1 : 0), 1, row + 1 < n ? -1 : 0);
}

/** sums `[stride]` += Σ g·y over four rows; nothing where there is hardly any weight. Gives the weight. */
// @ts-ignore: decorator
@inline
function addWeighted(y: usize, bytes: usize, posterior: usize, sums: usize): f64 {
  const g0 = load<f64>(posterior);
  const g1 = load<f64>(posterior, 8);
  const g2 = load<f64>(posterior, 16);
  const g3 = load<f64>(posterior, 24);
  const weight = g0 + g1 + (g2 + g3);
  if (weight < 1e-12) return weight;
  const w0 = f64x2.splat(g0);
  const w1 = f64x2.splat(g1);
  const w2 = f64x2.splat(g2);
  const w3 = f64x2.splat(g3);
  for (let at: usize = 0; at < bytes; at += 16) {
    const p = y + at;
    const first = f64x2.add(f64x2.mul(w0, v128.load(p)), f64x2.mul(w1, v128.load(p + bytes)));
    const second = f64x2.add(f64x2.mul(w2, v128.load(p + (bytes << 1))), f64x2.mul(w3, v128.load(p + bytes * 3)));
    v128.store(sums + at, f64x2.add(v128.load(sums + at), f64x2.add(first, second)));
  }
  return weight;
}

/** sums `[stride]`: Σ g·y. Gives Σ g. */
export function weightedSums(y: usize, n: i32, stride: i32, posterior: usize, sums: usize): f64 {
  const bytes = <usize>stride << 3;
  memory.fill(sums, 0, bytes);
  let weight: f64 = 0;
  for (let row = 0; row < n; row += 4, y += bytes << 2, posterior += 32) weight += addWeighted(y, bytes, posterior, sums);
  return weight;
}

/**
 * New posteriors 1/(1 + exp(−(y·direction + offset))) over those before, how much one of them moved at most to moved[0], and the sums and the weight
 * of them as `weightedSums` gives.
 */
export function expectAndSum(
  y: usize,
  n: i32,
  stride: i32,
  direction: usize,
  offset: f64,
  posterior: usize,
  sums: usize,
  moved: usize,
): f64 {
  const bytes = <usize>stride << 3;
  memory.fill(sums, 0, bytes);
  const all = f64x2.splat(1);
  const off = f64x2.splat(offset);
  let most = f64x2.splat(0);
  let weight: f64 = 0;
  for (let row = 0; row < n; row += 4, y += bytes << 2, posterior += 32) {
    const e0 = exponential(f64x2.neg(f64x2.add(twoProducts(y, bytes, direction), off)));
    const e1 = exponential(f64x2.neg(f64x2.add(twoProducts(y + (bytes << 1), bytes, direction), off)));
    const g0 = v128.and(f64x2.div(all, f64x2.add(all, e0)), present(row, n));
    const g1 = v128.and(f64x2.div(all, f64x2.add(all, e1)), present(row + 2, n));
    most = f64x2.max(most, f64x2.abs(f64x2.sub(g0, v128.load(posterior))));
    most = f64x2.max(most, f64x2.abs(f64x2.sub(g1, v128.load(posterior, 16))));
    v128.store(posterior, g0);
    v128.store(posterior, g1, 16);
    weight += addWeighted(y, bytes, posterior, sums);
  }
  store<f64>(moved, Math.max(f64x2.extract_lane(most, 0), f64x2.extract_lane(most, 1)));
  return weight;
}

/** Groups of four rows whose products are kept in one number: each factor is at most 2. */
const groupsPerProduct = 512;

/**
 * Log odds y·direction + offset of the rows, and gives Σ of max(log odds, 0) − (norm + a·t + b + c·(t + d)²)/2 over them, t = y·delta being
 * scale · (y·direction). Factors 1 + exp(−|log odds|) are multiplied in lanes of four, up to 512 of them in a number of `products`.
 */
export function evaluate(
  y: usize,
  n: i32,
  stride: i32,
  delta: usize,
  inverse: f64,
  offset: f64,
  norms: usize,
  a: f64,
  b: f64,
  c: f64,
  d: f64,
  logOdds: usize,
  products: usize,
): f64 {
  const bytes = <usize>stride << 3;
  let s0 = f64x2.splat(0);
  let s1 = f64x2.splat(0);
  let p0 = f64x2.splat(1);
  let p1 = f64x2.splat(1);
  let groups = 0;
  for (let row = 0; row < n; row += 4, y += bytes << 2, norms += 32, logOdds += 32) {
    const t0 = twoProducts(y, bytes, delta);
    const t1 = twoProducts(y + (bytes << 1), bytes, delta);
    const o0 = f64x2.add(f64x2.mul(t0, f64x2.splat(inverse)), f64x2.splat(offset));
    const o1 = f64x2.add(f64x2.mul(t1, f64x2.splat(inverse)), f64x2.splat(offset));
    v128.store(logOdds, o0);
    v128.store(logOdds, o1, 16);
    const m0 = present(row, n);
    const m1 = present(row + 2, n);
    s0 = f64x2.add(s0, v128.and(term(t0, o0, v128.load(norms), a, b, c, d), m0));
    s1 = f64x2.add(s1, v128.and(term(t1, o1, v128.load(norms, 16), a, b, c, d), m1));
    const e0 = v128.and(exponential(f64x2.neg(f64x2.abs(o0))), m0);
    const e1 = v128.and(exponential(f64x2.neg(f64x2.abs(o1))), m1);
    p0 = f64x2.mul(p0, f64x2.add(f64x2.splat(1), e0));
    p1 = f64x2.mul(p1, f64x2.add(f64x2.splat(1), e1));
    if (++groups % groupsPerProduct != 0 && row + 4 < n) continue;
    v128.store(products, p0);
    v128.store(products, p1, 16);
    products += 32;
    p0 = f64x2.splat(1);
    p1 = f64x2.splat(1);
  }
  const sum = f64x2.add(s0, s1);
  return f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1);
}

// @ts-ignore: decorator
@inline
function term(t: v128, odds: v128, norm: v128, a: f64, b: f64, c: f64, d: f64): v128 {
  const beyond = f64x2.add(t, f64x2.splat(d));
  const linear = f64x2.add(f64x2.add(norm, f64x2.mul(f64x2.splat(a), t)), f64x2.splat(b));
  const fromRest = f64x2.add(linear, f64x2.mul(f64x2.splat(c), f64x2.mul(beyond, beyond)));
  return f64x2.sub(f64x2.max(odds, f64x2.splat(0)), f64x2.mul(fromRest, f64x2.splat(0.5)));
}
