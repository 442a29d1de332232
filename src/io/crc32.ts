/** Tables for eight bytes at a time (Sarwate's table, and "slicing by 8"): `tables[256·k + b]` is the CRC of byte b and k zero bytes. */
const tables = new Int32Array(8 * 256)
for (let byte = 0; byte < 256; byte++) {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  tables[byte] = crc
}
for (let at = 256; at < tables.length; at++) {
  const crc = tables[at - 256] as number
  tables[at] = (crc >>> 8) ^ (tables[crc & 0xff] as number)
}

/** CRC-32 as in zip and gzip (polynomial 0xEDB88320), as an unsigned number; of all bytes so far, where `before` is that of those in front. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const t = tables
  let crc = ~before
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) {
    crc ^= (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24)
    crc =
      (t[1792 + (crc & 0xff)] as number) ^
      (t[1536 + ((crc >>> 8) & 0xff)] as number) ^
      (t[1280 + ((crc >>> 16) & 0xff)] as number) ^
      (t[1024 + (crc >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number)
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 0xff] as number)
  return ~crc >>> 0
}
