import type { Codec, CodecName } from './decode.js'

/** What is used of the codecs' packages. */
interface CodecPackage {
  readonly default: (bytes: ArrayBuffer) => Promise<{ readonly width: number; readonly height: number; readonly data: ArrayLike<number> }>
  readonly init: (...given: readonly unknown[]) => Promise<void>
}

/** What libjpeg says, and goes on with grey pixels, where a file is cut off within a scan. */
const cutOff = /premature end of jpeg file/i

/**
 * Loads a codec's package and starts its WebAssembly, which the package fetches from beside itself where no `compile` is given. What the codec
 * prints is kept from the console; that a picture is cut off becomes an error.
 */
export async function startCodec(name: CodecName, compile?: (name: CodecName) => Promise<WebAssembly.Module>): Promise<Codec> {
  const loaded = (await (name === 'jpeg'
    ? import('@jsquash/jpeg/decode.js')
    : import('@jsquash/webp/decode.js'))) as unknown as CodecPackage
  const said: string[] = []
  const options = { print: () => {}, printErr: (text: string) => void said.push(text) }
  await (compile ? loaded.init(await compile(name), options) : loaded.init(options))
  return async (bytes) => {
    said.length = 0
    const decoded = await loaded.default(bytes as unknown as ArrayBuffer) // a view serves as well
    const complaint = said.find((text) => cutOff.test(text))
    if (complaint !== undefined) throw new Error('it is cut off')
    return decoded
  }
}
