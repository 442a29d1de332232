import { isImported, isKind, type Value } from './pickle-values.js'

/** What lies between two opcodes where joblib has written an array into its pickle. */
export type ArrayBehind =
  | { readonly kind: 'raw'; readonly byteLength: number; readonly aligned: boolean }
  | { readonly kind: 'pickled' }
  | { readonly kind: 'unknown' }

/**
 * What joblib reads from the file when it has given `instance` its `state`: for a `NumpyArrayWrapper` the bytes of the array, or a pickle
 * where its items are objects; `null` for anything else. (joblib.numpy_pickle, NumpyArrayWrapper.read_array.)
 */
export function arrayBehind(instance: Value | undefined, state: Value | undefined): ArrayBehind | null {
  if (!isWrapper(instance)) return null
  if (!isKind(state, 'dict')) return { kind: 'unknown' }
  const itemBytes = itemBytesOf(state.entries?.get('dtype'))
  if (itemBytes === 'objects') return { kind: 'pickled' }
  const shape = state.entries?.get('shape')
  if (itemBytes === null || !isKind(shape, 'tuple')) return { kind: 'unknown' }
  let byteLength = itemBytes
  for (const size of shape.items) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return { kind: 'unknown' }
    byteLength *= size
  }
  const alignment = state.entries?.get('numpy_array_alignment_bytes')
  return { kind: 'raw', byteLength, aligned: typeof alignment === 'number' }
}

function isWrapper(value: Value | undefined): boolean {
  if (!isKind(value, 'called')) return false
  const rebuilt = isImported(value.callee, 'copyreg', '_reconstructor') || isImported(value.callee, 'copy_reg', '_reconstructor')
  const made = rebuilt && isKind(value.args, 'tuple') ? value.args.items[0] : value.callee
  return ['joblib', 'sklearn.externals.joblib'].some((joblib) => isImported(made, `${joblib}.numpy_pickle`, 'NumpyArrayWrapper'))
}

/** Of `numpy.dtype('f8', False, True)` and its like. */
function itemBytesOf(dtype: Value | undefined): number | 'objects' | null {
  if (!isKind(dtype, 'called') || !isImported(dtype.callee, 'numpy', 'dtype') || !isKind(dtype.args, 'tuple')) return null
  const code = dtype.args.items[0]
  const [, letter = '', digits = ''] = typeof code === 'string' ? (/^[<>=|]?([a-zA-Z?])(\d{0,9})$/.exec(code) ?? []) : []
  if (letter === 'O') return 'objects'
  if (!'biufcmMSUVa?'.includes(letter) || letter === '' || (digits === '' && letter !== '?')) return null
  return letter === '?' ? 1 : Number(digits) * (letter === 'U' ? 4 : 1)
}
