import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { ByteSource } from './byte-source.js'

/** Opens a file beside a model by a relative path as ONNX spells it (`weights/a.bin`), which `externalPlace` has found to stay below the model's folder. */
export type OpenExternal = (location: string) => Promise<ByteSource>

/** Opens each file once, however many tensors lie in it. */
export function openingOnce(open: OpenExternal): OpenExternal {
  const opened = new Map<string, Promise<ByteSource>>()
  return (location) => {
    const file = opened.get(location) ?? open(location)
    opened.set(location, file)
    return file
  }
}

/** Where a tensor lies that is not in the model's own file. */
export interface ExternalPlace {
  readonly source: ByteSource
  readonly start: number
  readonly end: number
}

/**
 * Finds the bytes of a tensor with external data (TensorProto fields 13 and 14: `location`, and `offset` and `length` as decimal texts, by default 0
 * and the rest of the file). Throws `InputError` `external-data` where the location is no path below the model's folder, or cannot be followed here (no
 * `open`), `bad-range` where the range is not within its file, and what `open` throws.
 */
export async function externalPlace(
  entries: ReadonlyMap<string, string>,
  open: OpenExternal | undefined,
  label: string,
): Promise<ExternalPlace> {
  const location = entries.get('location') ?? ''
  const shown = showText(location, 200)
  if (!isBelow(location)) {
    throw new InputError(
      'external-data',
      `${label} lies in '${shown}', expected a file below the folder of the model; do not load this model`,
    )
  }
  if (!open) {
    const message = `${label} lies in '${shown}', which cannot be opened from here; give the model's other files too, or save it with all weights in one`
    throw new InputError('external-data', message)
  }
  const source = await open(location)
  const start = wholeNumber(entries.get('offset') ?? '0', 'offset', label)
  const length = entries.has('length')
    ? wholeNumber(entries.get('length') as string, 'length', label)
    : Math.max(0, source.byteLength - start)
  if (start + length > source.byteLength) {
    const message = `${label} lies at bytes ${start} to ${start + length} of '${shown}', which has ${source.byteLength}; copy that file again`
    throw new InputError('bad-range', message, { start, length, byteLength: source.byteLength })
  }
  return { source, start, end: start + length }
}

/** Neither absolute, on any system, nor upwards. */
function isBelow(location: string): boolean {
  return !/^$|^\/|[\\\0]|^[a-z]:/i.test(location) && location.split('/').every((part) => part !== '..')
}

function wholeNumber(text: string, what: string, label: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
  throw new InputError('bad-range', `${label} has the ${what} '${showText(text)}', expected a whole number; export the model again`)
}
