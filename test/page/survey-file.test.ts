import { expect, test } from 'vitest'
import { writeNpy } from '../../src/io/npy-writer.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import { surveyFile } from '../../src/page/survey-file.js'
import { makeSafetensors } from '../io/make-safetensors.js'

const survey = (name: string, bytes: Uint8Array | string) => surveyFile(new File([bytes as Uint8Array<ArrayBuffer>], name))

test('it names an array by its size and type', async () => {
  const { kind, arrays, problem } = await survey('x.npy', writeNpy(new Float32Array(6000), [2000, 3]))
  expect({ kind, arrays, problem }).toEqual({
    kind: 'array',
    arrays: [{ key: '', dimensions: 2, says: '2,000 × 3 float32' }],
    problem: null,
  })
})

test('it names the arrays of a bundle, also beside one that is none', async () => {
  const npz = writeNpz([
    { key: 'h', data: new Float32Array(6), shape: [2, 3] },
    { key: 'y', data: Int32Array.of(0, 1), shape: [2] },
  ])
  expect((await survey('set.npz', npz)).arrays).toEqual([
    { key: 'h', dimensions: 2, says: '2 × 3 float32' },
    { key: 'y', dimensions: 1, says: '2 int32' },
  ])
  const { kind, arrays } = await survey(
    'set.safetensors',
    makeSafetensors({ h: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] } }, new Uint8Array(24)),
  )
  expect({ kind, arrays }).toEqual({ kind: 'bundle', arrays: [{ key: 'h', dimensions: 2, says: '2 × 3 f32' }] })
})

test('it names the columns of tables', async () => {
  const keys = async (name: string, text: string) => (await survey(name, text)).arrays.map(({ key }) => key)
  expect(await keys('y.csv', 'id,"a, b"\n1,2\n')).toEqual(['id', 'a, b'])
  expect(await keys('y.csv', '1\n2\n')).toEqual([])
  expect(await keys('y.jsonl', '{"id": 1, "y": 2}\n{"id": 2}\n')).toEqual(['id', 'y'])
  expect(await keys('y.json', '[1, 2]')).toEqual([])
})

test('it says what is wrong with a file, and never throws', async () => {
  const problemOf = async (name: string, bytes: Uint8Array | string) => (await survey(name, bytes)).problem
  expect(await problemOf('m.pt', Uint8Array.of(0x80, 4, 0x95))).toContain('Python pickle, which is never read')
  expect(await problemOf('x.npy', writeNpy(new Float32Array(6), [2, 3]).subarray(0, 140))).toContain('expected 24')
  expect(await problemOf('x.bin', Uint8Array.of(0, 1, 2, 0xff))).toContain('is of no format known here')
  expect(await problemOf('x.npz', Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0))).toContain('x.npz')
  expect(await problemOf('\u202eyp.x', '')).toBe(
    '\\u{202e}yp.x: is empty, expected a .npy file, a .npz, .safetensors or Parquet bundle, CSV or JSON; convert it first',
  )
})
