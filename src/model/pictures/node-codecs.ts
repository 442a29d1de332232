import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { type CodecName, pictureDecoder } from './decode.js'
import { startCodec } from './start-codec.js'

const paths = { jpeg: '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm', webp: '@jsquash/webp/codec/dec/webp_dec.wasm' } as const

const compiled = new Map<CodecName, Promise<WebAssembly.Module>>()

/** Compiled once: a codec that failed on a damaged file is started again. */
function compile(codec: CodecName): Promise<WebAssembly.Module> {
  const module =
    compiled.get(codec) ?? readFile(createRequire(import.meta.url).resolve(paths[codec])).then((bytes) => WebAssembly.compile(bytes))
  compiled.set(codec, module)
  return module
}

/** Decodes picture files in Node, where the codecs' WebAssembly is read from disk. */
export const decodePicture = pictureDecoder((name) => startCodec(name, compile))
