import { InputError } from '../../core/errors.js'
import { showText } from '../../core/untrusted-text.js'
import { imageMediaType } from '../../io/media-type.js'
import { decodeBmp } from './bmp.js'
import { checkJpeg } from './jpeg-header.js'
import { badPicture, checkFileSize, type Pixels, unsupportedPicture } from './pixels.js'
import { decodePng } from './png.js'
import { checkWebp } from './webp-header.js'

/** The optional packages that decode what is not decoded here. */
export type CodecName = 'jpeg' | 'webp'

/** RGBA of a file that was found to be of the codec's kind; rejects where it is damaged. */
export type Codec = (bytes: Uint8Array) => Promise<{ readonly width: number; readonly height: number; readonly data: ArrayLike<number> }>

/** Starts a codec: how its WebAssembly is found is not the same in Node and in browsers. Throws what importing a package throws. */
export type StartCodec = (name: CodecName) => Promise<Codec>

/** Decodes a picture file. Throws `InputError` as `pictureDecoder` says. */
export type DecodePicture = (bytes: Uint8Array, where: string) => Promise<Pixels>

/**
 * A decoder of picture files, by their first bytes: PNG and BMP here, JPEG and WebP by the optional packages @jsquash/jpeg (libjpeg, whose pixels
 * are those of Pillow) and @jsquash/webp (libwebp). Pictures are not turned as their EXIF data asks; nor does Pillow by itself.
 *
 * What it throws: `InputError` `unsupported-picture` for another kind, `bad-picture` for a damaged file, `too-large` for what would unpack to
 * more than `maxPixels`, `no-codec` where the package is not installed.
 */
export function pictureDecoder(start: StartCodec): DecodePicture {
  const started = new Map<CodecName, Promise<Codec>>()
  const decodeBy = async (name: CodecName, bytes: Uint8Array, where: string): Promise<Pixels> => {
    if (!started.has(name)) started.set(name, start(name))
    let codec: Codec
    try {
      codec = await (started.get(name) as Promise<Codec>)
    } catch (cause) {
      started.delete(name)
      const message = `${where}: is decoded by @jsquash/${name}, which does not load here; npm install @jsquash/${name}`
      throw new InputError('no-codec', message, {}, cause)
    }
    try {
      const { width, height, data } = await codec(bytes)
      return { width, height, channels: 4, data: new Uint8Array(data) }
    } catch (cause) {
      started.delete(name) // its memory may be in any state
      throw badPicture(where, showText(cause instanceof Error ? cause.message : cause, 120), cause)
    }
  }
  return async (bytes, where) => {
    checkFileSize(bytes.length, where)
    const mediaType = imageMediaType(bytes)
    if (mediaType === 'image/png') return decodePng(bytes, where)
    if (mediaType === 'image/bmp') return decodeBmp(bytes, where)
    if (mediaType === 'image/jpeg') {
      checkJpeg(bytes, where)
      return decodeBy('jpeg', bytes, where)
    }
    if (mediaType === 'image/webp') {
      checkWebp(bytes, where)
      return decodeBy('webp', bytes, where)
    }
    throw unsupportedPicture(where, mediaType ?? 'no picture of a kind known here', 'PNG, JPEG, WebP or BMP')
  }
}
