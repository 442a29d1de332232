import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { PictureArrays } from '../io/bundle.js'
import type { ByteSource } from '../io/byte-source.js'
import type { Chunks } from '../io/chunks.js'
import { refuseFormat, sniffFormat } from '../io/format.js'
import { openNpz } from '../io/npz.js'
import { npzChunks } from '../io/npz-writer.js'
import { openSafetensors, readSafetensorsHeader } from '../io/safetensors.js'
import { safetensorsChunks } from '../io/safetensors-writer.js'
import { cleanNpy, cleanTensor, type Treatment } from './clean-array.js'

/** Several arrays in one file of a format that is written too. */
export interface ArrayFile {
  readonly keys: readonly string[]
  readonly pictures: PictureArrays | undefined
  /**
   * A file of the same format with the arrays that have a treatment, in their order. Where one cannot have it, `skip` is asked whether to go
   * on without; else what is wrong with it is thrown.
   */
  write(treatments: ReadonlyMap<string, Treatment>, skip: (key: string, error: InputError) => boolean): Promise<Chunks>
}

/** Opens a `.npz` or `.safetensors` file. Throws `InputError` `unsupported-format` for others, and what the readers throw. */
export async function openArrayFile(source: ByteSource): Promise<ArrayFile> {
  const where = showText(source.name, 300)
  const format = await sniffFormat(source)
  if (format === 'zip') {
    const members = await openNpz(source)
    const treated = treatAll([...members], async ([key, member], treatment) => ({
      key,
      npy: await cleanNpy(member, treatment, `${showText(key)} (${where})`),
    }))
    const write: ArrayFile['write'] = async (treatments, skip) => npzChunks(await treated(treatments, skip))
    return { keys: [...members.keys()], pictures: picturesIn(members), write }
  }
  if (format === 'safetensors') {
    const { tensors, metadata, dataStart } = await readSafetensorsHeader(source, where)
    const named = tensors.map((tensor) => [tensor.name, tensor] as const)
    const treated = treatAll(named, ([key, tensor], treatment) =>
      cleanTensor({ source, dataStart }, tensor, treatment, `${showText(key)} (${where})`),
    )
    const write: ArrayFile['write'] = async (treatments, skip) => safetensorsChunks(await treated(treatments, skip), metadata)
    return { keys: named.map(([key]) => key), pictures: picturesIn(await openSafetensors(source)), write }
  }
  throw refuseFormat(format, where, 'a .npz or .safetensors file')
}

function picturesIn(members: ReadonlyMap<string, PictureArrays['images']>): PictureArrays | undefined {
  const images = members.get('images')
  return images && { images, index: members.get('index') }
}

/** `treat` on each entry that has a treatment, one after another. */
function treatAll<E extends readonly [string, unknown], T>(
  entries: readonly E[],
  treat: (entry: E, treatment: Treatment) => T | Promise<T>,
): (...args: Parameters<ArrayFile['write']>) => Promise<T[]> {
  return async (treatments, skip) => {
    const treated: T[] = []
    for (const entry of entries) {
      const treatment = treatments.get(entry[0])
      if (!treatment) continue
      try {
        treated.push(await treat(entry, treatment))
      } catch (error) {
        if (!(error instanceof InputError) || !skip(entry[0], error)) throw error
      }
    }
    return treated
  }
}
