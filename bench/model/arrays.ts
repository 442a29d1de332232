import { readFileSync } from 'node:fs'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { openNpz } from '../../src/io/npz.js'

/** An array of an `.npy` file, or of an `.npz` file by its key. */
export async function arrayOf(path: string, key?: string): Promise<{ data: Uint8Array; shape: readonly number[] }> {
  const file = memorySource(path, readFileSync(path))
  const members = key === undefined ? null : await openNpz(file)
  const source = key === undefined ? file : (members?.get(`${key}.npy`) ?? members?.get(key))
  if (!source) throw new Error(`${path} has no ${key}`)
  const { data, shape } = await readNpy(source, path)
  return { data: data as Uint8Array, shape }
}

/** Pictures `[n, height, width(, channels)]` of bytes as a network takes them: `[n, channels, height, width]`, 0 to 1. */
export function channelsFirst(data: Uint8Array, [n = 0, height = 0, width = 0, channels = 1]: readonly number[]): Float32Array {
  const out = new Float32Array(data.length)
  const plane = height * width
  for (let image = 0; image < n; image++) {
    for (let pixel = 0; pixel < plane; pixel++) {
      for (let channel = 0; channel < channels; channel++) {
        out[(image * channels + channel) * plane + pixel] = (data[(image * plane + pixel) * channels + channel] as number) / 255
      }
    }
  }
  return out
}
