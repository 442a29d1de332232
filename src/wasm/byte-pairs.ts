/**
 * Where two neighbouring bytes are one of some pairs (serialization/byte-pairs.ts), from `at` on and before `end`, whose own byte is there too:
 * places from `at`, as 32-bit numbers, to `out`, in ascending order and no more than `most`. Returns how many.
 *
 * `firsts` are 16 bytes: what `fold` makes of the first byte of a pair, by its second byte less `base`; 0 where no pair ends with that. Sixteen
 * pairs of bytes cost one look into that table, and one comparison.
 */
export function findPairs(at: usize, end: usize, out: usize, most: i32, firsts: usize, base: i32, highest: i32): i32 {
  const start = at;
  let found = 0;
  const table = v128.load(firsts);
  const bases = i8x16.splat(<i8>base);
  const highests = i8x16.splat(<i8>highest);
  // kept in a register: a constant is made anew wherever it stands
  const ones = i8x16.neg(i8x16.eq(table, table));
  for (; at + 64 <= end; at += 64) {
    const m0 = matches(v128.load(at), v128.load(at, 1), table, bases, highests, ones);
    const m1 = matches(v128.load(at, 16), v128.load(at, 17), table, bases, highests, ones);
    const m2 = matches(v128.load(at, 32), v128.load(at, 33), table, bases, highests, ones);
    const m3 = matches(v128.load(at, 48), v128.load(at, 49), table, bases, highests, ones);
    if (!v128.any_true(v128.or(v128.or(m0, m1), v128.or(m2, m3)))) continue;
    let hits: u64 = <u64>i8x16.bitmask(m0);
    hits |= <u64>i8x16.bitmask(m1) << 16;
    hits |= <u64>i8x16.bitmask(m2) << 32;
    hits |= <u64>i8x16.bitmask(m3) << 48;
    for (; hits != 0; hits &= hits - 1) {
      if (found == most) return found;
      store<u32>(out + (<usize>found << 2), <u32>(at - start + <usize>ctz(hits)));
      found++;
    }
  }
  for (; at < end; at++) {
    const index = (<i32>load<u8>(at, 1) - base) & 0xff;
    if (index > 15 || <i32>load<u8>(firsts + index) != fold(<i32>load<i8>(at), highest)) continue;
    if (found == most) return found;
    store<u32>(out + (<usize>found << 2), <u32>(at - start));
    found++;
  }
  return found;
}

/** In each lane: all ones where a byte of `a` and the one behind it, in `b`, are a pair. */
// @ts-ignore: decorator
@inline
function matches(a: v128, b: v128, table: v128, bases: v128, highests: v128, ones: v128): v128 {
  return i8x16.eq(v128.or(i8x16.min_s(a, highests), ones), i8x16.swizzle(table, i8x16.sub(b, bases)));
}

/** A byte, taken as signed and no higher than `highest`, with its lowest bit set, so that it is never 0. */
// @ts-ignore: decorator
@inline
function fold(byte: i32, highest: i32): i32 {
  return (min(byte, highest) | 1) & 0xff;
}
