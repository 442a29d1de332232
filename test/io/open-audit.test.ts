import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { blobSource } from '../../src/io/blob-source.js'
import { writeNpyFloat32 } from '../../src/io/npy.js'
import { openAudit } from '../../src/io/open-audit.js'
import { readSet } from '../support/collect-rows.js'
import { makeNpy } from './make-npy.js'
import { type Column, makeParquet } from './make-parquet.js'
import { safetensorsOf } from './make-safetensors.js'
import { makeZip } from './make-zip.js'

const file = (name: string, bytes: Uint8Array) => new File([Uint8Array.from(bytes)], name)
const activations = writeNpyFloat32(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2])
const labels = makeNpy({ descr: '<i4', shape: '(3,)' }, Int32Array.of(5, 7, 5))
const columns: Column[] = [
  {
    name: 'activations',
    kind: 'float',
    lists: 1,
    rows: [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
  },
  { name: 'labels', kind: 'int32', rows: [5, 7, 5] },
]
const bundles: Readonly<Record<string, Uint8Array>> = {
  'b.npz': makeZip([
    { name: 'activations.npy', data: activations },
    { name: 'labels.npy', data: labels },
  ]),
  'b.safetensors': safetensorsOf({
    activations: ['F32', [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6)],
    labels: ['I32', [3], Int32Array.of(5, 7, 5)],
  }),
  'b.parquet': makeParquet(columns),
}
const expectSet = async (opening: ReturnType<typeof openAudit>) => {
  const { set, values } = await readSet(opening)
  expect([...values]).toEqual([1, 2, 3, 4, 5, 6])
  expect(set.classes.map(({ label, rows }) => [label, rows])).toEqual([
    [5, 2],
    [7, 1],
  ])
}

test.each(Object.keys(bundles))('%s is read as a file, as a blob and as the only one of several', async (name) => {
  const bytes = bundles[name] as Uint8Array
  await expectSet(openAudit(file(name, bytes)))
  await expectSet(openAudit(new Blob([Uint8Array.from(bytes)])))
  await expectSet(openAudit([file(name, bytes)]))
})

test('the files of a folder are read by their names, and others do not matter', async () => {
  const names = file('class_names.json', new TextEncoder().encode('{"5": "stop"}'))
  const input = openAudit([file('meta.json', labels), file('labels.npy', labels), names, file('activations.npy', activations)])
  await expectSet(input)
  expect((await input).classNames).toEqual({ 5: 'stop' })
})

test('what is missing, or given twice, is told', async () => {
  await expect(openAudit([file('labels.npy', labels)])).rejects.toThrow(/got labels\.npy, expected activations\.npy too/)
  await expect(openAudit([])).rejects.toThrow(/got nothing, expected activations\.npy and labels\.npy too/)
  const twice = [file('labels.npy', labels), file('labels.npy', labels)]
  await expect(openAudit(twice)).rejects.toMatchObject({ code: 'duplicate-name' })
})

test('a URL is read by ranges', async () => {
  let asked = 0
  const server = createServer((request, response) => {
    const bytes = bundles[(request.url ?? '').slice(1)] as Uint8Array
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    asked++
    const end = Math.min(Number(last) + 1, bytes.length)
    response
      .writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}`, etag: '"a"' })
      .end(bytes.subarray(Number(start), end))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    for (const name of Object.keys(bundles)) {
      await expectSet(openAudit(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`)))
    }
    expect(asked).toBeGreaterThan(6)
  } finally {
    server.closeAllConnections()
    server.close()
  }
})

test('a blob that cannot be read any more is an error', async () => {
  const blob = new Blob([Uint8Array.of(1, 2, 3)])
  const source = blobSource(blob, 'a')
  expect(await source.slice(1, 3)).toEqual(Uint8Array.of(2, 3))
  await expect(source.slice(1, 4)).rejects.toThrow(RangeError)
  const gone = { size: 3, slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) }
  await expect(blobSource(gone as unknown as Blob, 'a').slice(0, 1)).rejects.toMatchObject({ code: 'unreadable' })
})
