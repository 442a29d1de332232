import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { makeSafetensors } from '../io/make-safetensors.js'
import { concat, makeZip } from '../io/make-zip.js'
import { global, latin1, length, pickle, proto, stop, text } from '../support/pickle-assembler.js'
import { makeTar } from './make-tar.js'

/** A message of protocol buffers: pairs of field number and its bytes, text or number. */
export function message(...entries: readonly (readonly [number, Uint8Array | string | number])[]): Uint8Array {
  const varint = (value: number): Uint8Array =>
    value < 128 ? Uint8Array.of(value) : concat([Uint8Array.of((value % 128) | 128), varint(Math.floor(value / 128))])
  return concat(
    entries.flatMap(([field, value]) => {
      if (typeof value === 'number') return [varint(field * 8), varint(value)]
      const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
      return [varint(field * 8 + 2), varint(bytes.length), bytes]
    }),
  )
}

/** A GGUF file of one tensor, with a few tokens and this template. */
export function makeGguf(template: string, { tensors = 0, key = 'tokenizer.chat_template' } = {}): Uint8Array {
  const string = (value: string) => concat([length(new TextEncoder().encode(value).length, 8), new TextEncoder().encode(value)])
  const tensor = concat([string('w'), length(1, 4), length(8, 8), length(0, 4), length(0, 8)])
  const tokens = concat([string('tokens'), length(9, 4), length(8, 4), length(3, 8), string('a'), string('b'), string('c')])
  const head = [latin1('GGUF'), length(3, 4), length(tensors, 8), length(2, 8), tokens, string(key), length(8, 4), string(template)]
  return concat([...head, ...(tensors > 0 ? [tensor] : []), new Uint8Array(128)])
}

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const ordered = pickle(global('collections', 'OrderedDict'), ')R')
const dtype = pickle(global('numpy', 'dtype'), text('f8'), 0x89, 0x88, 0x87, 'R')
const storage = pickle(
  '((',
  text('storage'),
  global('torch', 'FloatStorage'),
  text('0'),
  text('cpu'),
  'K',
  4,
  'tQK',
  0,
  'K',
  4,
  0x85,
  'K',
  1,
)
const tensor = pickle(proto(2), '}q', 0, text('w'), global('torch._utils', '_rebuild_tensor_v2'), storage, 0x85, 0x89, ordered, 'tRs', stop)
const wrapper = pickle(
  global('joblib.numpy_pickle', 'NumpyArrayWrapper'),
  ')',
  0x81,
  '}(',
  text('shape'),
  'K',
  4,
  0x85,
  text('dtype'),
  dtype,
  'ub',
)
const config = { module: 'keras', class_name: 'Sequential', config: { layers: [{ class_name: 'Dense', config: { units: 3 } }] } }
const node = message([1, 'x'], [2, 'y'], [4, 'Relu'], [5, message([1, 'a'], [6, message([1, message([4, 'Add'])])])])
const numbers = Uint8Array.from({ length: 64 }, (_, i) => (i * 37) % 251)
const npy = (descr: string, data: Uint8Array) => {
  const header = `{'descr': ${descr}, 'fortran_order': False, 'shape': (8,), }`.padEnd(117)
  return concat([latin1('\x93NUMPY\x01\0'), length(header.length + 1, 2), latin1(`${header}\n`), data])
}
const zip = makeZip([
  { name: 'm/data.pkl', data: tensor, method: 0 },
  { name: 'm/data/0', data: numbers, method: 0 },
  { name: 'm/more.pkl', data: tensor },
])

/** Small sound files of every kind, by the name that they are scanned under. */
export const soundFiles: readonly (readonly [name: string, files: readonly Uint8Array[]])[] = [
  ['model.pkl', [tensor, latin1("(dp0\nS'a'\np1\nI1\nsV\\u0061\np2\n(lp3\nF1.5\naI01\nas."), pickle(proto(4), 0x95, length(3, 8), 'N0N.')]],
  ['model.joblib', [pickle(proto(3), '}', text('w'), wrapper, numbers.subarray(0, 32), 's', stop)]],
  ['model.pt', [zip, makeZip([{ name: 'a/data.pkl', data: tensor, zip64: true }], { zip64End: true })]],
  [
    'model.tar',
    [
      makeTar([
        { name: 'pickle', data: tensor },
        { name: 'a/b', type: '2', link: 'c.txt' },
        { name: 'c.txt', data: latin1('some text') },
      ]),
    ],
  ],
  [
    'model.gz',
    [
      new Uint8Array(gzipSync(tensor)),
      new Uint8Array(deflateSync(tensor)),
      new Uint8Array(zstdCompressSync(tensor)),
      concat([latin1('\x04\x22\x4d\x18\x60\x40\x82'), length(tensor.length + 2 ** 31, 4), tensor, new Uint8Array(4)]),
    ],
  ],
  ['array.npy', [npy("'<f8'", numbers), npy("'|O'", tensor)]],
  [
    'model.keras',
    [
      makeZip([
        { name: 'config.json', data: json(config) },
        { name: 'metadata.json', data: json({ keras_version: '3' }) },
      ]),
    ],
  ],
  ['model.h5', [concat([latin1('\x89HDF\r\n\x1a\n'), new Uint8Array(40), json(config), new Uint8Array(40)])]],
  ['model.onnx', [message([1, 8], [7, message([1, node], [5, message([1, 4], [2, 1], [9, numbers])])])]],
  [
    'saved_model.pb',
    [
      message(
        [1, 1],
        [2, message([2, message([1, message([1, 'n'], [2, 'MatMul'])], [2, message([1, message([3, message([2, 'Add'])])])])])],
      ),
    ],
  ],
  ['model.gguf', [makeGguf("{% for m in messages %}{{ m['role'] + m.content }}{% endfor %}", { tensors: 1 })]],
  ['tokenizer_config.json', [json({ chat_template: "{{ messages[0]['content'] }}", auto: { class_name: 'X', config: {} } })]],
  ['chat_template.jinja', [latin1("{% for m in messages %}{{ '<|' ~ m['role'] ~ '|>' }}{{ m.content | trim }}{% endfor %}")]],
  ['model.safetensors', [makeSafetensors({ w: { dtype: 'U8', shape: [64], data_offsets: [0, 64] } }, numbers)]],
]
