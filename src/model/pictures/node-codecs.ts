import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type CodecName, pictureDecoder } from './decode.js'
import { startCodec } from './start-codec.js'

const paths = { jpeg: '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm', webp: '@jsquash/webp/codec/dec/webp_dec.wasm' } as const

/** Decodes picture files in Node, where the codecs' WebAssembly is read from disk. */
export const decodePicture = pictureDecoder((name) =>
  startCodec(name, async (codec: CodecName) => WebAssembly.compile(await readFile(createRequire(import.meta.url).resolve(paths[codec])))),
)
