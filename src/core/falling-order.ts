/** Bits of a key that one pass sorts by, what they can be, and how many passes that makes. */
const digitBits = 8
const digits = 2 ** digitBits
const passes = 32 / digitBits

const roomFor = (count: number) => ({ keys: new Uint32Array(count), otherKeys: new Uint32Array(count), otherOrder: new Uint32Array(count) })
/** Values that there is room for from call to call: to find fresh memory takes longer than to fill it. */
const mostKept = 2 ** 16
let kept = roomFor(0)
/** How often each digit has each value, then where the next of it goes. */
const places = new Uint32Array(passes * digits)

/** Indices of float32 values, none of them NaN: largest first, ties by index. Sorted by digits of the values' bits, the last ones first. */
export function fallingOrder(values: Float32Array): Uint32Array {
  const { length } = values
  const room = length <= kept.keys.length ? kept : roomFor(length)
  if (length <= mostKept) kept = room
  countDigits(values, room.keys)
  let [keys, nextKeys] = [room.keys, room.otherKeys]
  let [order, nextOrder] = [new Uint32Array(length), room.otherOrder]
  for (let i = 0; i < length; i++) order[i] = i
  const result = order
  for (let pass = 0; pass < passes; pass++) {
    const own = places.subarray(pass * digits, (pass + 1) * digits)
    const shift = pass * digitBits
    if (length === 0 || own[((keys[0] as number) >>> shift) & (digits - 1)] === length) continue // all have the same
    let before = 0
    for (let digit = 0; digit < digits; digit++) {
      const count = own[digit] as number
      own[digit] = before
      before += count
    }
    for (let i = 0; i < length; i++) {
      const key = keys[i] as number
      const digit = (key >>> shift) & (digits - 1)
      const to = own[digit] as number
      own[digit] = to + 1
      nextKeys[to] = key
      nextOrder[to] = order[i] as number
    }
    ;[keys, nextKeys] = [nextKeys, keys]
    ;[order, nextOrder] = [nextOrder, order]
  }
  if (order !== result) result.set(order.subarray(0, length))
  return result
}

/** Notes the key of every value, a number that falls as the values rise, and counts how often each of its digits has each value. */
function countDigits(values: Float32Array, keys: Uint32Array<ArrayBuffer>): void {
  const floats = new Float32Array(keys.buffer)
  places.fill(0)
  for (let i = 0; i < values.length; i++) {
    floats[i] = (values[i] as number) + 0 // −0 is as large as 0
    const word = keys[i] as number
    const key = word >= 2 ** 31 ? word : 2 ** 31 - 1 - word
    keys[i] = key
    count(key & (digits - 1))
    count(digits + ((key >>> digitBits) & (digits - 1)))
    count(2 * digits + ((key >>> (2 * digitBits)) & (digits - 1)))
    count(3 * digits + (key >>> (3 * digitBits)))
  }
}

function count(at: number): void {
  places[at] = (places[at] as number) + 1
}
