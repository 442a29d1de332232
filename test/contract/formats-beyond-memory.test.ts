import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ActivationSetInput } from '../../src/core/activation-set.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { type Audit, audit, openAudit } from '../../src/node.js'
import { makeParquet } from '../io/make-parquet.js'
import { safetensorsOf } from '../io/make-safetensors.js'
import { backends } from '../support/each-backend.js'
import { planted } from '../support/planted.js'
import { trustedRows } from '../support/trusted-rows.js'

/** 1.2 MB in float32, which is more than `--memory 1M`; poison in class 1. */
const set = planted({
  seed: 61,
  rows: [4500, 2500, 3000],
  features: 30,
  poison: { target: 1, source: 2, rate: 0.12, shift: 9 },
})
const { activations, labels, poison } = set
const { data, rows, cols } = activations
const trusted = trustedRows(set, 200)
const mebibyte = 2 ** 20

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-formats-'))
  const write = (name: string, bytes: Uint8Array) => writeFile(join(folder, name), bytes)
  await write('activations.npy', writeNpy(data, [rows, cols]))
  await write('labels.npy', writeNpy(labels, [rows]))
  await write('trusted_activations.npy', writeNpy(trusted.activations.data, [trusted.activations.rows, cols]))
  await write('trusted_labels.npy', writeNpy(Int32Array.from(trusted.labels), [trusted.activations.rows]))
  await write('set.safetensors', safetensorsOf({ labels: ['I32', [rows], labels], activations: ['F32', [rows, cols], data] }))
  const lists = Array.from({ length: rows }, (_, i) => [...data.subarray(i * cols, (i + 1) * cols)])
  const columns = [
    { name: 'activations', kind: 'float', lists: 1, rows: lists },
    { name: 'labels', kind: 'int32', rows: [...labels] },
  ] as const
  await write('set.parquet', makeParquet(columns, { groupRows: 900 }))
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Row blocks out of arrays of many sizes, as shards are. */
const shards: ActivationSetInput = {
  activations: {
    rows,
    cols,
    async *blocks() {
      const sizes = [1, 700, 64, 2500, 3]
      for (let row = 0, i = 0; row < rows; i++) {
        const end = Math.min(rows, row + (sizes[i % sizes.length] as number))
        yield data.slice(row * cols, end * cols)
        row = end
      }
    },
  },
  labels,
  trusted,
}

const beside = () => ({ trusted: join(folder, 'trusted_activations.npy'), trustedLabels: join(folder, 'trusted_labels.npy') })

const forms: readonly { readonly name: string; readonly open: () => Promise<ActivationSetInput> }[] = [
  { name: 'a folder of .npy files', open: () => openAudit(folder) },
  { name: '.npy with labels', open: () => openAudit(join(folder, 'activations.npy'), { ...beside(), labels: join(folder, 'labels.npy') }) },
  { name: '.safetensors', open: () => openAudit(join(folder, 'set.safetensors'), beside()) },
  { name: 'Parquet', open: () => openAudit(join(folder, 'set.parquet'), beside()) },
  { name: 'shards', open: async () => shards },
]

describe.each(backends)('beyond memory on $name', ({ name: backend }) => {
  const detectors = ['spectral-signatures', 'activation-clustering', 'scan', 'knn-agreement', 'beatrix', 'whitened-mixture']
  const options: Parameters<Audit>[1] = {
    backend,
    threads: 2,
    detectors,
    detectorOptions: { 'activation-clustering': { restarts: 2 }, 'whitened-mixture': { fitRows: 800 }, scan: { fitRows: 500 } },
  }
  let held: Awaited<ReturnType<Audit>>
  beforeAll(async () => {
    held = await audit({ activations, labels, trusted }, options)
  }, 120_000)

  // What a file gives does not depend on the backend: on a software adapter two of them have to do.
  it.each(backend === 'cpu' ? forms : forms.filter(({ name }) => name === 'Parquet' || name === 'shards'))(
    '$name: read again at every pass it gives the verdicts and rows that it gives in memory',
    async ({ open }) => {
      const report = await audit(await open(), { ...options, memory: mebibyte })
      expect(report.backend.reason).toMatch(/may take 1\.0 MiB, so every pass read them again/)
      expect(report.verdict).toBe(held.verdict)
      expect(report.detectors).toEqual(held.detectors)
      expect(report.classes.map(({ verdict }) => verdict)).toEqual(held.classes.map(({ verdict }) => verdict))
      expect([...report.rows.flagged].sort()).toEqual([...held.rows.flagged].sort())
      expect(held.rows.flagged.filter((row) => poison[row] === 1).length).toBeGreaterThan(250)
    },
    120_000,
  )
})
