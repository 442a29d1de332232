import { badPicture, checkSize, unsupportedPicture } from './pixels.js'

/** More scans than any encoder writes: each one costs a decoder a walk over the whole picture, however few bytes it has. */
const maxScans = 500

const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc

/**
 * Walks over the markers of a JPEG file (ITU T.81) and checks, before anything is decoded, that it is of a kind that is (baseline or
 * progressive Huffman coding, 8 bits, one or three components), of a bounded size and number of scans, and that it has an end. Throws `InputError`
 * `bad-picture`, `unsupported-picture`, `too-large`.
 */
export function checkJpeg(bytes: Uint8Array, where: string): void {
  const word = (at: number) => ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  let framed = false
  let scans = 0
  for (let at = 2; ; ) {
    const marker = bytes[at + 1]
    if (marker === undefined) throw badPicture(where, 'it ends before its end mark')
    if (bytes[at] !== 0xff) throw badPicture(where, `no marker at byte ${at}`)
    if (marker === 0xff) {
      at++ // fill bytes
      continue
    }
    if (marker === 0xd9) break
    const length = at + 4 > bytes.length ? 0 : word(at + 2)
    if (length < 2 || at + 2 + length > bytes.length) throw badPicture(where, `a segment at byte ${at} that has no end`)
    if (isFrame(marker)) {
      if (framed || length < 8) throw badPicture(where, 'its frame header is not one')
      framed = true
      checkFrame({ marker, precision: bytes[at + 4] as number, components: bytes[at + 9] as number }, where)
      checkSize({ height: word(at + 5), width: word(at + 7) }, where)
    }
    at += 2 + length
    if (marker !== 0xda) continue
    if (++scans > maxScans) throw badPicture(where, `more than ${maxScans} scans`)
    at = endOfScan(bytes, at)
  }
  if (!framed || scans === 0) throw badPicture(where, 'it has no pixels')
}

function checkFrame({ marker, precision, components }: { marker: number; precision: number; components: number }, where: string): void {
  const expected = 'baseline or progressive JPEG of 8 bits, grey or in three components'
  if (marker > 0xc2) throw unsupportedPicture(where, `a JPEG file of a rare kind (SOF${marker - 0xc0})`, expected)
  if (precision !== 8) throw unsupportedPicture(where, `a JPEG file of ${precision} bits`, expected)
  if (components !== 1 && components !== 3) throw unsupportedPicture(where, `a JPEG file of ${components} components`, expected)
}

/** The marker that ends a scan: in one, 0xff is followed by 0 or is a restart. */
function endOfScan(bytes: Uint8Array, start: number): number {
  for (let at = bytes.indexOf(0xff, start); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const next = bytes[at + 1]
    if (next !== 0 && next !== 0xff && !(next !== undefined && next >= 0xd0 && next <= 0xd7)) return at
  }
  return bytes.length
}
