/** Bits of a key that one pass sorts by, and what they can be. */
const digitBits = 8
const digits = 2 ** digitBits

/** Indices of float32 values, none of them NaN: largest first, ties by index. Sorted by digits of the values' bits, the last ones first. */
export function fallingOrder(values: Float32Array): Uint32Array {
  const { length } = values
  let keys = fallingKeys(values)
  let order = new Uint32Array(length)
  for (let i = 0; i < length; i++) order[i] = i
  let [nextKeys, nextOrder] = [new Uint32Array(length), new Uint32Array(length)]
  const places = new Uint32Array(digits)
  for (let shift = 0; shift < 32; shift += digitBits) {
    places.fill(0)
    for (let i = 0; i < length; i++) {
      const digit = ((keys[i] as number) >>> shift) & (digits - 1)
      places[digit] = (places[digit] as number) + 1
    }
    if (places.includes(length)) continue // all have the same
    let before = 0
    for (let digit = 0; digit < digits; digit++) {
      const count = places[digit] as number
      places[digit] = before
      before += count
    }
    for (let i = 0; i < length; i++) {
      const key = keys[i] as number
      const digit = (key >>> shift) & (digits - 1)
      const to = places[digit] as number
      places[digit] = to + 1
      nextKeys[to] = key
      nextOrder[to] = order[i] as number
    }
    ;[keys, nextKeys] = [nextKeys, keys]
    ;[order, nextOrder] = [nextOrder, order]
  }
  return order
}

/** Numbers that fall as the values rise. */
function fallingKeys(values: Float32Array): Uint32Array<ArrayBuffer> {
  const floats = new Float32Array(values.length)
  const bits = new Uint32Array(floats.buffer)
  for (let i = 0; i < bits.length; i++) {
    floats[i] = (values[i] as number) + 0 // −0 is as large as 0
    const word = bits[i] as number
    bits[i] = word >= 2 ** 31 ? word : 2 ** 31 - 1 - word
  }
  return bits
}
