const constructed = 0x20
const sequence = 0x30
const integer = 0x02

interface Element {
  readonly tag: number
  /** Half-open range of its contents. */
  readonly start: number
  readonly end: number
}

/**
 * Whether `bytes` are one DER element and nothing behind it, with every length, at every level, definite and in its shortest form
 * (X.690 §10.1): then no byte outside the contents can be other than it is. Tags above 30 are not taken.
 */
export function isStrictDer(bytes: Uint8Array): boolean {
  const check = (start: number, end: number, depth: number): boolean => {
    for (let at = start; at < end; ) {
      const element = readElement(bytes, at, end)
      if (!element || depth > 40) return false
      if (element.tag & constructed && !check(element.start, element.end, depth + 1)) return false
      at = element.end
    }
    return true
  }
  const whole = readElement(bytes, 0, bytes.length)
  return whole?.end === bytes.length && check(0, bytes.length, 0)
}

/** The elements inside of the one element `bytes`, each whole with its tag and length. `bytes` must be strict DER. */
export function derChildren(bytes: Uint8Array): Uint8Array[] {
  const outer = readElement(bytes, 0, bytes.length)
  const children: Uint8Array[] = []
  for (let at = outer?.start ?? 0; outer && at < outer.end; ) {
    const element = readElement(bytes, at, outer.end)
    if (!element) return []
    children.push(bytes.subarray(at, element.end))
    at = element.end
  }
  return children
}

/**
 * An ECDSA signature as WebCrypto takes it, r ‖ s of `width` bytes each, from its DER form SEQUENCE {r, s}; `null` where that is not
 * strict DER of two positive integers of at most that width.
 */
export function ecdsaSignatureFromDer(der: Uint8Array, width: number): Uint8Array<ArrayBuffer> | null {
  if (der[0] !== sequence || !isStrictDer(der)) return null
  const children = derChildren(der)
  if (children.length !== 2) return null
  const raw = new Uint8Array(2 * width)
  for (const [index, child] of children.entries()) {
    const element = readElement(child, 0, child.length)
    if (element?.tag !== integer || element.start === element.end) return null
    const bytes = child.subarray(element.start)
    const [first = 0, second = 0] = bytes
    const padded = first === 0
    // negative, zero, or with a zero byte that no sign bit asks for
    if (first & 0x80 || (padded && !(second & 0x80))) return null
    const value = padded ? bytes.subarray(1) : bytes
    if (value.length > width) return null
    raw.set(value, (index + 1) * width - value.length)
  }
  return raw
}

function readElement(bytes: Uint8Array, at: number, end: number): Element | null {
  const tag = bytes[at]
  const first = bytes[at + 1]
  if (tag === undefined || first === undefined || at + 2 > end || (tag & 0x1f) === 0x1f) return null
  let length = first
  let start = at + 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 4 || start + count > end) return null
    length = 0
    for (const byte of bytes.subarray(start, start + count)) length = length * 256 + byte
    start += count
    if (length < 0x80 || length < 256 ** (count - 1)) return null
  }
  return length > end - start ? null : { tag, start, end: start + length }
}
