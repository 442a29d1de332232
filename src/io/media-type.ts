/** What a picture file is by its first bytes; null where that is not known here. Its name says nothing. */
export function imageMediaType(bytes: Uint8Array): string | null {
  const has = (magic: readonly number[], start = 0) => magic.every((byte, index) => bytes[start + index] === byte)
  if (has([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) return 'image/png'
  if (has([0xff, 0xd8, 0xff])) return 'image/jpeg'
  if (has([0x47, 0x49, 0x46, 0x38]) && (bytes[4] === 0x37 || bytes[4] === 0x39) && bytes[5] === 0x61) return 'image/gif'
  if (has([0x52, 0x49, 0x46, 0x46]) && has([0x57, 0x45, 0x42, 0x50], 8)) return 'image/webp'
  if (has([0x42, 0x4d])) return 'image/bmp'
  return null
}
