import { pictureDecoder } from './decode.js'
import { startCodec } from './start-codec.js'

/** Decodes picture files in browsers, where the codecs' packages fetch their WebAssembly from beside themselves. */
export const webDecodePicture = pictureDecoder((name) => startCodec(name))
