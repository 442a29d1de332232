import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { InputError } from '../../src/core/errors.js'
import { scanPath } from '../../src/serialization/node-scan-path.js'
import type { ModelExamination } from '../../src/serialization/scan-report.js'
import { scanReportSchema } from '../../src/serialization/scan-report.js'
import { makeSafetensors } from '../io/make-safetensors.js'
import { callWith, global, pickle, proto, stop } from '../support/pickle-assembler.js'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay-scan-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const put = (name: string, bytes: Uint8Array | string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), bytes)
}
const payload = pickle(proto(4), callWith(global('os', 'system'), 'id'), stop)
const sound = makeSafetensors({ w: { dtype: 'U8', shape: [4], data_offsets: [0, 4] } }, new Uint8Array(4))

test('every file of a folder is scanned, and named from it; a report is what its schema says', async () => {
  put('model.safetensors', sound)
  put('README.md', '# a model')
  put('sub/dir/weights.bin', payload)
  put('.git/objects/x', payload)
  const report = await scanPath(folder)
  expect(scanReportSchema.parse(report)).toEqual(report)
  expect(report).toMatchObject({ schemaVersion: 1, verdict: 'poisoned', score: 1, target: null, classes: [] })
  expect(report.findings.map(({ id, path }) => [id, path])).toEqual([
    ['pickle-dangerous-import', 'sub/dir/weights.bin'],
    ['model-not-examined', 'model.safetensors'],
    ['model-not-examined', 'sub/dir/weights.bin'],
  ])
  expect(await scanPath(folder)).toEqual(report)
  expect((await scanPath(join(folder, 'model.safetensors'))).verdict).toBe('clean')
})

test('links out of the folder and links that lead nowhere are findings, and are not followed; links inside are', async () => {
  put('inner/a.md', 'text')
  put('outside/secret.pkl', payload)
  symlinkSync('../outside/secret.pkl', join(folder, 'inner/link.pkl'))
  symlinkSync('../outside', join(folder, 'inner/folder'))
  symlinkSync('nowhere', join(folder, 'inner/broken'))
  symlinkSync('loop', join(folder, 'inner/loop'))
  symlinkSync('a.md', join(folder, 'inner/b.md'))
  const { verdict, findings } = await scanPath(join(folder, 'inner'))
  expect(verdict).toBe('suspicious')
  expect(findings.map(({ id, path }) => [id, path])).toEqual([
    ['link-outside', 'folder'],
    ['link-outside', 'link.pkl'],
    ['link-broken', 'broken'],
    ['link-broken', 'loop'],
  ])
})

test('external data of an ONNX model is looked for beside it: a link out of the folder and a missing file are found', async () => {
  const bytes = (location: string) => {
    const field = (number: number, inner: Uint8Array) => Buffer.concat([Uint8Array.of(number * 8 + 2, inner.length), inner])
    const entry = Buffer.concat([field(1, Buffer.from('location')), field(2, Buffer.from(location))])
    return field(7, field(5, field(13, entry)))
  }
  put('repo/m.onnx', bytes('weights.data'))
  expect((await scanPath(join(folder, 'repo'))).findings.map(({ id }) => id)).toContain('onnx-external-missing')
  put('outside.data', 'x')
  symlinkSync('../outside.data', join(folder, 'repo/weights.data'))
  expect((await scanPath(join(folder, 'repo/m.onnx'))).findings.map(({ id }) => id)).toContain('onnx-external-path')
  rmSync(join(folder, 'repo/weights.data'))
  put('repo/weights.data', 'text')
  expect((await scanPath(join(folder, 'repo'))).verdict).toBe('clean')
})

test('models are examined by the function that is given, and its findings, score and target taken in', async () => {
  put('model.safetensors', sound)
  put('other.safetensors', sound)
  const seen: string[] = []
  const examination = (name: string): ModelExamination => ({
    score: name === 'other.safetensors' ? 0.9 : 0.1,
    target: name === 'other.safetensors' ? 3 : 1,
    classes: [{ label: 0, pValue: 0.5 }],
    findings: [],
  })
  const report = await scanPath(folder, {
    examineModel: async ({ name, path }) => {
      seen.push(name)
      expect(path).toBe(join(folder, name))
      return examination(name)
    },
  })
  expect(seen).toEqual(['model.safetensors', 'other.safetensors'])
  expect(report).toMatchObject({ verdict: 'clean', score: 0.9, target: 3, classes: [{ label: 0, pValue: 0.5 }], findings: [] })
  const failing = await scanPath(folder, { examineModel: async () => Promise.reject(new InputError('bad-model', 'no layers')) })
  expect(failing).toMatchObject({ verdict: 'inconclusive', target: null })
  await expect(scanPath(folder, { examineModel: async () => Promise.reject(new TypeError('a fault')) })).rejects.toThrow('a fault')
})

test('a path that is not there is an error, a file that cannot be read within a folder is a finding', async () => {
  await expect(scanPath(join(folder, 'nothing'))).rejects.toThrow(InputError)
  execFileSync('mkfifo', [join(folder, 'pipe')])
  expect((await scanPath(folder)).findings.map(({ id }) => id)).toEqual(['unreadable'])
})

test('a repository of 4 GB of tensors is scanned by its headers', async () => {
  const bytes = 2 ** 30
  for (let shard = 0; shard < 4; shard++) {
    const header = makeSafetensors({ w: { dtype: 'F16', shape: [bytes / 2], data_offsets: [0, bytes] } })
    const handle = openSync(join(folder, `model-0000${shard}.safetensors`), 'w')
    writeSync(handle, header)
    ftruncateSync(handle, header.length + bytes) // a hole: takes no room on the disk
    closeSync(handle)
  }
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  const report = await scanPath(folder, {
    onProgress: () => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    },
  })
  expect(report.verdict).toBe('clean')
  expect(most).toBeLessThan(2 ** 25)
})

test('a scan changes nothing in what it scans', async () => {
  put('a.pkl', payload)
  const digest = () =>
    createHash('sha256')
      .update(execFileSync('sh', ['-c', 'ls -lR . && cat a.pkl'], { cwd: folder }))
      .digest('hex')
  const before = digest()
  await scanPath(folder)
  expect(digest()).toBe(before)
})
