/** A header of one byte counts no more groups of eight. */
const maxGroups = 63

/**
 * Numbers of up to 24 bits in Parquet's RLE hybrid: runs of eight or more of one value (fewer at the end), and else packed in groups of
 * eight. `readHybrid` reads it.
 */
export function writeHybrid(values: ArrayLike<number>, width: number): Uint8Array {
  const { length } = values
  const bytes: number[] = []
  const runEnd = (start: number, limit: number) => {
    let end = start + 1
    while (end < limit && values[end] === values[start]) end++
    return end
  }
  const isRun = (start: number) => runEnd(start, Math.min(start + 8, length)) === Math.min(start + 8, length)
  for (let at = 0; at < length; ) {
    if (isRun(at)) {
      const end = runEnd(at, length)
      writeVarint(bytes, (end - at) * 2)
      for (let shift = 0; shift < width; shift += 8) bytes.push(((values[at] as number) >>> shift) & 0xff)
      at = end
      continue
    }
    let groups = 1
    while (groups < maxGroups && at + 8 * groups < length && !isRun(at + 8 * groups)) groups++
    bytes.push(groups * 2 + 1)
    let held = 0
    let bits = 0
    for (const end = at + 8 * groups; at < end; at++) {
      held |= (at < length ? (values[at] as number) : 0) << bits
      for (bits += width; bits >= 8; bits -= 8) {
        bytes.push(held & 0xff)
        held >>>= 8
      }
    }
  }
  return Uint8Array.from(bytes)
}

function writeVarint(bytes: number[], value: number): void {
  let left = value
  for (; left >= 0x80; left = Math.floor(left / 0x80)) bytes.push((left % 0x80) | 0x80)
  bytes.push(left)
}
