import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openAudit } from '../../src/io/node-open-audit.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { cleanFiles } from '../../src/sanitize/node-clean-files.js'
import { listInputFiles } from '../../src/sanitize/node-input-files.js'
import { readChunks } from '../support/read-chunks.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-clean-'))
  await writeFile(join(folder, 'activations.npy'), writeNpy(new Float32Array(6), [3, 2]))
  await writeFile(join(folder, 'labels.npy'), writeNpy(Int32Array.of(0, 1, 1), [3]))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const choice = { rows: 3, keep: Uint32Array.of(0, 2), labelRows: Uint32Array.of(0, 2) }

async function clean() {
  const { files: expected } = await (await openAudit(folder)).origin()
  return { expected, inputs: await listInputFiles(folder, {}) }
}

it('refuses files that changed after they were audited', async () => {
  const { expected, inputs } = await clean()
  await expect(cleanFiles(inputs, { choice, files: {}, expected })).resolves.toMatchObject({ leftOut: [] })
  await writeFile(join(folder, 'labels.npy'), writeNpy(Int32Array.of(1, 1, 0), [3]))
  await expect(cleanFiles(inputs, { choice, files: {}, expected })).rejects.toMatchObject({ code: 'changed' })
})

it('gives the bytes that were checked, or refuses', async () => {
  const { expected, inputs } = await clean()
  const large = new Float32Array(3 * 2 ** 20)
  await writeFile(join(folder, 'activations.npy'), writeNpy(large, [3, 2 ** 20]))
  const now = (await (await openAudit(folder)).origin()).files
  expect(now).not.toEqual(expected)
  const { files } = await cleanFiles(inputs, { choice, files: {}, expected: now })
  const chunks = files.find(({ name }) => name === 'activations.npy')?.chunks as Parameters<typeof readChunks>[0]
  expect(Buffer.compare(await readChunks(chunks), writeNpy(new Float32Array(2 ** 21), [2, 2 ** 20]))).toBe(0)
  large[2 ** 20 + 5] = 1 // far enough from the header, which stays in memory
  await writeFile(join(folder, 'activations.npy'), writeNpy(large, [3, 2 ** 20]))
  const read = readChunks(chunks).then(({ length }) => length)
  await expect(read).rejects.toMatchObject({ code: 'changed' })
})
