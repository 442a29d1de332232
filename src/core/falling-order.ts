/** A value takes 32 of the 53 bits of a key. */
const mostPerKey = 2 ** 21

/** Indices of float32 values, none of them NaN: largest first, ties by index. */
export function fallingOrder(values: Float32Array): Uint32Array {
  if (values.length > mostPerKey) {
    return Uint32Array.from(values, (_, i) => i).sort((a, b) => (values[b] as number) - (values[a] as number) || a - b)
  }
  // Numbers that hold both value and index sort many times as fast as a comparison does.
  const single = new Float32Array(1)
  const bits = new Uint32Array(single.buffer)
  const keys = new Float64Array(values.length)
  for (let i = 0; i < keys.length; i++) {
    single[0] = (values[i] as number) + 0 // −0 is as large as 0
    const word = bits[0] as number
    keys[i] = (word >= 2 ** 31 ? word : 2 ** 31 - 1 - word) * mostPerKey + i
  }
  keys.sort()
  const order = new Uint32Array(keys.length)
  for (let i = 0; i < keys.length; i++) order[i] = (keys[i] as number) - Math.floor((keys[i] as number) / mostPerKey) * mostPerKey
  return order
}
