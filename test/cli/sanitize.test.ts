import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'fflate'
import { asyncBufferFromFile, parquetMetadata, parquetReadObjects } from 'hyparquet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ActivationSetInput } from '../../src/core/activation-set.js'
import { memorySource } from '../../src/io/byte-source.js'
import { crc32 } from '../../src/io/crc32.js'
import { readNpy } from '../../src/io/npy.js'
import { readNpyHeader } from '../../src/io/npy-header.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { openNpz } from '../../src/io/npz.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import { openSafetensors, readSafetensorsHeader } from '../../src/io/safetensors.js'
import { type AuditFiles, audit, auditWithScores, openAudit } from '../../src/node.js'
import { renderJson } from '../../src/report/json.js'
import { type SanitizeRecord, sanitizeRecordSchema } from '../../src/sanitize/record-schema.js'
import { makeNpy } from '../io/make-npy.js'
import { type Column, makeParquet } from '../io/make-parquet.js'
import { safetensorsOf } from '../io/make-safetensors.js'
import { makeZip } from '../io/make-zip.js'
import { type Accusation, reportOn } from '../sanitize/hand-made-report.js'
import { readSet } from '../support/collect-rows.js'
import { planted } from '../support/planted.js'
import { runFake } from './fake-io.js'

const hasNumpy = spawnSync('python3', ['-c', 'import numpy']).status === 0
const library = { openAudit, auditWithScores }

let folder: string
let data: string
let out: string
let reportPath: string

const rows = 12
const labels = [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]
/** Rows 1 and 10 of class 1 come from class 0, row 5 of class 2 from nobody knows where, class 0 is undecided. */
const accusations: Accusation[] = [
  { label: 1, source: 0, rows: [10, 1] },
  { label: 2, verdict: 'suspicious', rows: [5] },
  { label: 0, verdict: 'inconclusive', rows: [3] },
]
const kept = [0, 2, 3, 4, 6, 7, 8, 9, 11]
const keptByRelabel = [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
const relabelled = [0, 0, 2, 0, 1, 0, 1, 2, 0, 0, 2]

const numbers = (count: number, of = 1) => Array.from({ length: count }, (_, i) => of * i)
const halves = Uint16Array.from(numbers(rows * 4), (i) => 0x3c00 + i)
const float16 = makeNpy({ descr: '<f2', shape: `(${rows}, 4)` }, halves)
const pick = <T>(values: ArrayLike<T>, of: readonly number[], width = 1) =>
  of.flatMap((row) => Array.from({ length: width }, (_, col) => values[row * width + col] as T))

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-sanitize-'))
  data = join(folder, 'data')
  out = join(folder, 'out')
  reportPath = join(folder, 'report.json')
  await mkdir(data)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function put(files: Readonly<Record<string, Uint8Array | string>>): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    await mkdir(join(data, name, '..'), { recursive: true })
    await writeFile(join(data, name), bytes)
  }
}

/** Writes a report of `path` in which just these classes are not clean. */
async function report(path = data, files: AuditFiles = {}, own = accusations): Promise<void> {
  await writeFile(reportPath, renderJson(await reportOn((await openAudit(path, files)) as ActivationSetInput, own)))
}

const sanitize = (path: string, ...flags: string[]) => runFake(['sanitize', path, '--out', out, ...flags], { library })
const withReport = (path: string, ...flags: string[]) => sanitize(path, '--report', reportPath, ...flags)
const ok = { code: 0, stderr: '' }
const outFile = (name: string) => readFile(join(out, name))
const source = async (name: string) => memorySource(name, await outFile(name))
const array = async (name: string) => readNpy(await source(name), name)
const header = async (name: string) => {
  const { descr, fortranOrder, shape } = await readNpyHeader(await source(name), name)
  return { descr, fortranOrder, shape }
}
const recordIn = async (): Promise<SanitizeRecord> =>
  sanitizeRecordSchema.parse(JSON.parse((await outFile('sanitize-record.json')).toString()))
const member = async (members: Map<string, unknown>, key: string) => readNpy(members.get(key) as Parameters<typeof readNpy>[0], key)

/** What opening the output gives, beside what the input has in these rows. */
async function expectRows(path: string, { files = {}, from = data, fromFiles = files, of = kept }: Comparison = {}) {
  const [before, after] = [await readSet(openAudit(from, fromFiles)), await readSet(openAudit(path, files))]
  const cols = before.set.activations.cols
  expect([...after.values]).toEqual(pick(before.values, of, cols))
  return { before: before.set, after: after.set, labels: Array.from(after.set.classOf, (c) => after.set.classes[c]?.label) }
}

interface Comparison {
  readonly files?: AuditFiles
  readonly from?: string
  readonly fromFiles?: AuditFiles
  readonly of?: readonly number[]
}

describe('an audit folder', () => {
  const token = Int16Array.from(numbers(rows * 3, 7))
  const index = Uint8Array.of(11, 5, 0, 10, 4)
  const subset = Uint8Array.from(numbers(5 * 2 * 2, 3))
  const lines = numbers(rows).map((row) => `{"text": "row ${row} ü",  "id": ${row}}\r\n`)
  const files = {
    'activations.npy': float16,
    'labels.npy': makeNpy({ descr: '<i8', shape: `(${rows},)` }, BigInt64Array.from(labels, BigInt)),
    'preds.npy': makeNpy({ descr: '>i2', shape: `(${rows}, 1)` }, Uint8Array.from(labels.flatMap((label) => [0, label]))),
    'logits.npy': makeNpy({ descr: '<f8', shape: `(${rows}, 3)`, order: 'True' }, Float64Array.from(numbers(rows * 3, 0.1))),
    'trusted_activations.npy': makeNpy({ descr: '<f4', shape: '(2, 4)' }, new Float32Array(8)),
    'trusted_labels.npy': makeNpy({ descr: '<i4', shape: '(2,)' }, Int32Array.of(0, 1)),
    'token_ids.npy': makeNpy({ descr: '<i2', shape: `(${rows}, 3)`, order: 'True' }, token),
    'images_subset.npz': makeZip([
      { name: 'index.npy', data: makeNpy({ descr: '|u1', shape: '(5,)' }, index) },
      { name: 'images.npy', data: makeNpy({ descr: '|u1', shape: '(5, 2, 2)' }, subset) },
    ]),
    'texts.jsonl.gz': gzipSync(new TextEncoder().encode(lines.join(''))),
    'class_names.json': '["a",  "b", "c"]',
    'vocab.json': '{"a": 1}',
    'meta.json': '{ "seed": 3 }',
    'model.onnx': Uint8Array.of(8, 1, 2, 3),
    'truth/poison_mask.npy': new Uint8Array(3),
    'notes.txt': 'mine',
    'few.npy': writeNpy(Int32Array.of(1, 2), [2]),
  }
  beforeEach(async () => {
    await put(files)
    await report()
  })

  it('keeps file names, types, byte order and order of elements; every row is that of the input', async () => {
    expect(await withReport(data)).toMatchObject(ok)
    expect((await readdir(out)).sort()).toEqual(
      [
        ...Object.keys(files).filter((name) => !['truth/poison_mask.npy', 'notes.txt', 'few.npy'].includes(name)),
        ...['audit-report.json', 'drop.npy', 'keep.npy', 'sanitize-record.json'],
      ].sort(),
    )
    const n = kept.length
    expect(await header('activations.npy')).toEqual({ descr: '<f2', fortranOrder: false, shape: [n, 4] })
    expect(await header('labels.npy')).toEqual({ descr: '<i8', fortranOrder: false, shape: [n] })
    expect(await header('preds.npy')).toEqual({ descr: '>i2', fortranOrder: false, shape: [n, 1] })
    expect(await header('logits.npy')).toEqual({ descr: '<f8', fortranOrder: true, shape: [n, 3] })
    expect(await header('token_ids.npy')).toEqual({ descr: '<i2', fortranOrder: true, shape: [n, 3] })
    expect((await array('activations.npy')).data).toEqual(Uint16Array.from(pick(halves, kept, 4)))
    expect([...((await array('token_ids.npy')).data as Int16Array)]).toEqual(
      kept.flatMap((row) => [0, 1, 2].map((c) => token[c * rows + row])),
    )
    const { before, after, labels: own } = await expectRows(out)
    expect(own).toEqual(pick(labels, kept))
    expect([...(after.predictions ?? [])]).toEqual(pick(before.predictions as Int32Array, kept))
    expect([...(after.logits?.data ?? [])]).toEqual(pick(before.logits?.data as Float32Array, kept, 3))
    expect(after.trusted).toEqual(before.trusted)
    expect(after.classes.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    expect([...(after.texts as string[])]).toEqual(kept.map((row) => `row ${row} ü`))
  })

  it('remaps the index of pictures of some rows, and keeps their type', async () => {
    await withReport(data)
    const members = await openNpz(await source('images_subset.npz'))
    expect([...members.keys()]).toEqual(['index', 'images'])
    // rows 11, 0 and 4 stay, and are rows 8, 0 and 3 now
    expect(await member(members, 'index')).toEqual({ dtype: 'uint8', shape: [3], data: Uint8Array.of(8, 0, 3) })
    expect(await member(members, 'images')).toEqual({ dtype: 'uint8', shape: [3, 2, 2], data: Uint8Array.from(pick(subset, [0, 2, 4], 4)) })
    const { images } = (await readSet(openAudit(out))).set
    expect(images?.rows).toEqual(Uint32Array.of(8, 0, 3))
  })

  it('keeps lines of texts as they are written, compressed as they were, and copies the rest byte by byte', async () => {
    await withReport(data)
    expect(new TextDecoder().decode(gunzipSync(await outFile('texts.jsonl.gz')))).toBe(pick(lines, kept).join(''))
    for (const name of ['trusted_activations.npy', 'trusted_labels.npy', 'class_names.json', 'vocab.json', 'meta.json', 'model.onnx']) {
      expect(await outFile(name), name).toEqual(await readFile(join(data, name)))
    }
  })

  it('writes keep.npy and drop.npy, the report as it was given, and a record with the digests of all of them', async () => {
    const { stdout } = await withReport(data)
    expect((await array('keep.npy')).data).toEqual(Uint32Array.from(kept))
    expect((await array('drop.npy')).data).toEqual(Uint32Array.of(1, 5, 10))
    expect(await outFile('audit-report.json')).toEqual(await readFile(reportPath))
    const record = await recordIn()
    const names = (await readdir(out)).filter((name) => name !== 'sanitize-record.json').sort()
    const sha256 = async (name: string) =>
      createHash('sha256')
        .update(await outFile(name))
        .digest('hex')
    expect(record.output.files).toEqual(await Promise.all(names.map(async (name) => ({ name, sha256: await sha256(name) }))))
    expect(record.output.leftOut).toEqual([
      { name: 'few.npy', reason: 'not a part of an audit' },
      { name: 'notes.txt', reason: 'not a part of an audit' },
      { name: 'truth', reason: 'the truth of the data as it was' },
    ])
    expect(record.removed.map(({ row, reasons }) => [row, reasons])).toEqual(
      [1, 5, 10].map((row) => [row, [`by-hand: row ${row} stands apart`]]),
    )
    expect(record.classes.map(({ rowsBefore, removed, rowsAfter }) => [rowsBefore, removed, rowsAfter])).toEqual([
      [4, 0, 4],
      [4, 2, 2],
      [4, 1, 3],
    ])
    expect(record).toMatchObject({ outcome: 'cleaned', report: { verdict: 'poisoned' }, output: { rows: 9 } })
    expect(record.undecided).toEqual([{ label: 0, name: 'a', verdict: 'inconclusive', rows: 4, flagged: 1 }])
    const words = stdout.replace(/\s+/g, ' ')
    expect(words).toContain('CLEANED: 3 of 12 rows removed; 9 rows are left.')
    expect(words).toContain('- class 1 (b), poisoned: of 4 rows 2 removed - class 2 (c), suspicious: of 4 rows 1 removed')
    expect(words).toContain(
      'Not decided, and kept as they are, which does not prove them clean: 1 class (4 rows, 1 of them flagged): 0 (a)',
    )
    expect(words).toContain('Left out (the truth of the data as it was): truth')
  })

  it('gives the digest that the next audit of the output has', async () => {
    await withReport(data)
    const { input } = await audit(await openAudit(out), { backend: 'cpu', detectors: ['spectral-signatures'] })
    const { output } = await recordIn()
    expect(input.digest).toBe(output.digest)
    expect(output.files).toEqual(expect.arrayContaining(input.files))
  })

  it('writes the same bytes again, and can clean what it wrote', async () => {
    await withReport(data)
    const first = join(folder, 'first')
    await runFake(['sanitize', data, '--out', first, '--report', reportPath], { library })
    for (const name of await readdir(out)) expect(await readFile(join(first, name)), name).toEqual(await outFile(name))
    const again = join(folder, 'again')
    const nextReport = join(folder, 'next.json')
    await writeFile(nextReport, renderJson(await reportOn(await openAudit(out), [{ label: 2, rows: [8] }])))
    expect(await runFake(['sanitize', out, '--out', again, '--report', nextReport], { library })).toMatchObject(ok)
    const { labels: own } = await expectRows(again, { of: kept.slice(0, -1) })
    expect(own).toEqual(pick(labels, kept).slice(0, -1))
    const next = JSON.parse(await readFile(join(again, 'sanitize-record.json'), 'utf8'))
    expect(next.input.digest).toBe((await recordIn()).output.digest)
    expect(next.output.leftOut.map(({ name }: { name: string }) => name)).toEqual([
      'audit-report.json',
      'drop.npy',
      'keep.npy',
      'sanitize-record.json',
    ])
  })

  it('--relabel gives flagged rows the label of their source class, and removes those without one', async () => {
    const { stdout } = await withReport(data, '--relabel')
    const { labels: own } = await expectRows(out, { of: keptByRelabel })
    expect(own).toEqual(relabelled)
    expect((await header('labels.npy')).descr).toBe('<i8')
    const record = await recordIn()
    expect(record.relabelled.map(({ row, from, to }) => [row, from, to])).toEqual([
      [1, 1, 0],
      [10, 1, 0],
    ])
    expect(record.removed.map(({ row }) => row)).toEqual([5])
    const words = stdout.replace(/\s+/g, ' ')
    expect(words).toContain('CLEANED: 1 of 12 rows removed, 2 rows relabelled; 11 rows are left.')
    expect(words).toContain('- class 1 (b), poisoned: of 4 rows 2 relabelled')
    expect(words).toContain('- class 2 (c), suspicious: of 4 rows 1 removed, as their source class is not known')
  })

  it('--remove class takes out accused classes as a whole, and leaves out pictures when none is left', async () => {
    const own: Accusation[] = [
      { label: 0, rows: [0] },
      { label: 1, verdict: 'suspicious' },
    ]
    const of = [2, 5, 8, 11]
    await report(data, {}, own)
    expect(await withReport(data, '--remove', 'class')).toMatchObject(ok)
    expect((await expectRows(out, { of })).labels).toEqual([2, 2, 2, 2])
    await report(data, {}, [{ label: 2 }, { label: 0 }])
    await rm(join(data, 'images_subset.npz'))
    await put({
      'images_subset.npz': writeNpz([
        { key: 'index', data: Int32Array.of(0, 5), shape: [2] },
        { key: 'images', data: new Uint8Array(8), shape: [2, 2, 2] },
      ]),
    })
    await rm(out, { recursive: true })
    await withReport(data, '--remove', 'class')
    expect((await expectRows(out, { of: [1, 4, 7, 10] })).labels).toEqual([1, 1, 1, 1])
    expect(await readdir(out)).not.toContain('images_subset.npz')
    expect((await recordIn()).output.leftOut).toContainEqual({
      name: 'images_subset.npz',
      reason: 'none of its pictures is of a row that was kept',
    })
  })

  it('--json FILE and --quiet mean what they mean elsewhere', async () => {
    const json = join(folder, 'record.json')
    expect(await withReport(data, '--quiet', '--json', json)).toMatchObject({ ...ok, stdout: '' })
    expect(await readFile(json, 'utf8')).toBe((await outFile('sanitize-record.json')).toString())
    await rm(out, { recursive: true })
    const { stdout } = await withReport(data, '--json', '-')
    expect(stdout).toBe(await readFile(json, 'utf8'))
  })

  it('changes nothing in the input', async () => {
    await withReport(data, '--relabel')
    for (const [name, bytes] of Object.entries(files)) expect(await readFile(join(data, name)), name).toEqual(Buffer.from(bytes as never))
    expect((await readdir(data)).length).toBe(Object.keys(files).length)
  })

  it('leaves out token ids that are not one entry a row, and the text file that an audit does not read', async () => {
    await put({ 'token_ids.npy': writeNpy(new Int32Array(3), [3]), 'texts.jsonl': 'x' })
    await withReport(data)
    expect((await recordIn()).output.leftOut).toEqual(
      expect.arrayContaining([
        { name: 'token_ids.npy', reason: 'not readable as an array of one entry a row (row-count)' },
        { name: 'texts.jsonl', reason: 'an audit reads texts.jsonl.gz in its place' },
      ]),
    )
  })

  it.skipIf(!hasNumpy)('numpy reads every array (skipped where python3 has no numpy)', async () => {
    await withReport(data)
    const script = `import sys, json, numpy as np
keep, drop = np.load(sys.argv[2] + '/keep.npy'), np.load(sys.argv[2] + '/drop.npy')
assert keep.tolist() == json.loads(sys.argv[3]) and sorted(keep.tolist() + drop.tolist()) == list(range(${rows}))
for name in ['activations', 'labels', 'preds', 'logits', 'token_ids']:
    a, b = (np.load(folder + '/' + name + '.npy') for folder in sys.argv[1:3])
    assert a.dtype == b.dtype and a.flags.f_contiguous == b.flags.f_contiguous, name
    assert (a[keep] == b).all(), name
with np.load(sys.argv[1] + '/images_subset.npz') as a, np.load(sys.argv[2] + '/images_subset.npz') as b:
    for row, picture in zip(b['index'], b['images']):
        assert (picture == a['images'][a['index'].tolist().index(keep[row])]).all()
print('ok')`
    expect(execFileSync('python3', ['-c', script, data, out, JSON.stringify(kept)], { encoding: 'utf8' })).toBe('ok\n')
  })
})

describe('labels in other forms', () => {
  const npy = (descr: string, shape: string, values: ArrayBufferView, order = 'False') => makeNpy({ descr, shape, order }, values)
  const oneHot = (put: (row: number, label: number) => number) => {
    const values = new Uint8Array(rows * 3)
    for (const [row, label] of labels.entries()) values[put(row, label)] = 1
    return values
  }
  const word = (label: number) => [65 + label, label === 0 ? 0 : 0x1f600]
  it.each([
    ['strings', npy('<U2', `(${rows},)`, Uint32Array.from(labels.flatMap(word))), ['A', 'B😀', 'C😀']],
    ['bytes', npy('|S2', `(${rows},)`, Uint8Array.from(labels.flatMap((label) => [65 + label, 0]))), ['A', 'B', 'C']],
    [
      'one-hot rows',
      npy(
        '|u1',
        `(${rows}, 3)`,
        oneHot((row, label) => 3 * row + label),
      ),
      [0, 1, 2],
    ],
    [
      'one-hot rows in Fortran order',
      npy(
        '|u1',
        `(${rows}, 3)`,
        oneHot((row, label) => rows * label + row),
        'True',
      ),
      [0, 1, 2],
    ],
    [
      'whole numbers in float16',
      npy(
        '<f2',
        `(${rows}, 1)`,
        Uint16Array.from(labels, (label) => [0, 0x3c00, 0x4000][label] ?? 0),
      ),
      [0, 1, 2],
    ],
    [
      'large integers',
      npy(
        '<u8',
        `(${rows},)`,
        BigUint64Array.from(labels, (label) => 2n ** 63n + BigInt(label)),
      ),
      [0, 1, 2].map((k) => String(2n ** 63n + BigInt(k))),
    ],
  ] as const)('%s', async (_, bytes, names) => {
    await put({ 'activations.npy': float16, 'labels.npy': bytes })
    const named = accusations.map(({ label, source, ...rest }) => ({
      ...rest,
      label: names[label as number] as string,
      ...(source !== undefined && { source: names[source as number] as string }),
    }))
    await report(data, {}, named)
    const before = await readNpyHeader(memorySource('a', bytes), 'a')
    for (const [flags, of, expected] of [
      [[], kept, pick(labels, kept)],
      [['--relabel'], keptByRelabel, relabelled],
    ] as const) {
      expect(await withReport(data, ...flags)).toMatchObject(ok)
      expect((await expectRows(out, { of })).labels).toEqual(expected.map((label) => names[label]))
      expect(await header('labels.npy')).toMatchObject({ descr: before.descr, fortranOrder: before.fortranOrder })
      await rm(out, { recursive: true })
    }
  })

  const table = (header: string, cells: (row: number, label: number) => string, end = '\n') =>
    `${header}${labels.map((label, row) => cells(row, label) + end).join('')}`
  const texts: readonly (readonly [string, string, string, string[], string])[] = [
    ['one column', 'y.csv', table('', (_, label) => `${label}`), [], table('', (_, label) => `${label}`)],
    [
      'a header and quotes',
      'y.csv',
      table('id,label,"a ""note"""\r\n', (row, label) => `${row},"${label}","x,\n""${row}"""`, '\r\n'),
      [],
      '',
    ],
    ['another column', 'y.csv', table('label,mine\n', (row, label) => `${row},${label}`), ['--label-column', 'mine'], ''],
    ['JSON', 'y.json', JSON.stringify(labels, null, 1), [], ''],
    ['JSON lines of objects', 'y.jsonl', table('', (row, label) => `{"id": 123456789012345678${row % 10}, "label":${label}}`), [], ''],
    ['JSON lines of numbers', 'y.ndjson', table('', (_, label) => ` ${label}`).trimEnd(), [], ''],
  ]
  it.each(texts)('text: %s', async (_, name, text, flags) => {
    const path = join(data, name)
    await put({ [name]: text, 'activations.npy': float16 })
    const files = { labels: path, ...(flags.length > 0 && { labelColumn: 'mine' }) }
    const activations = join(data, 'activations.npy')
    await report(activations, files)
    for (const [own, of, expected] of [
      [[], kept, pick(labels, kept)],
      [['--relabel'], keptByRelabel, relabelled],
    ] as const) {
      expect(await withReport(activations, '--labels', path, ...flags, ...own)).toMatchObject(ok)
      expect((await readdir(out)).sort()).toEqual(
        ['activations.npy', 'audit-report.json', 'drop.npy', 'keep.npy', 'sanitize-record.json', name].sort(),
      )
      const result = await expectRows(join(out, 'activations.npy'), {
        files: { ...files, labels: join(out, name) },
        from: activations,
        fromFiles: files,
        of,
      })
      expect(result.labels).toEqual(expected)
      await rm(out, { recursive: true })
    }
  })

  it('rows of a table that keep their label are kept as they are written; in others only the label is changed', async () => {
    const line = (row: number, label: number) => `${row},"${label}","x,\n""${row}"" "\r\n`
    await put({ 'y.csv': `id,label,note\r\n${labels.map((label, row) => line(row, label)).join('')}`, 'activations.npy': float16 })
    const files = { labels: join(data, 'y.csv') }
    await report(join(data, 'activations.npy'), files)
    await withReport(join(data, 'activations.npy'), '--labels', files.labels, '--relabel')
    const expected = keptByRelabel.map((row, at) =>
      row === 1 || row === 10 ? `${row},0,"x,\n""${row}"" "\r\n` : line(row, relabelled[at] as number),
    )
    expect((await outFile('y.csv')).toString()).toBe(`id,label,note\r\n${expected.join('')}`)
  })

  it('numbers in JSON lines that float64 does not hold stay as they are written', async () => {
    const line = (row: number, label: string) => `{"id":1234567890123456789${row},"label":${label}}\n`
    await put({ 'y.jsonl': labels.map((label, row) => line(row, String(label))).join(''), 'activations.npy': float16 })
    const files = { labels: join(data, 'y.jsonl') }
    await report(join(data, 'activations.npy'), files)
    await withReport(join(data, 'activations.npy'), '--labels', files.labels, '--relabel')
    expect((await outFile('y.jsonl')).toString()).toBe(keptByRelabel.map((row, at) => line(row, String(relabelled[at]))).join(''))
  })

  it('one table with labels and predictions, in place of files of the folder', async () => {
    const text = `label,pred\n${labels.map((label) => `${label},${(label + 1) % 3}\n`).join('')}`
    const path = join(folder, 'table.csv')
    await writeFile(path, text)
    await put({ 'activations.npy': float16, 'labels.npy': writeNpy(new Int32Array(rows), [rows]), 'preds.npy': 'not looked at' })
    const files = { labels: path, predictions: path }
    await report(data, files)
    expect(await withReport(data, '--labels', path, '--predictions', path, '--relabel')).toMatchObject(ok)
    const table = join(out, 'table.csv')
    const { after, labels: own } = await expectRows(out, {
      files: { labels: table, predictions: table },
      fromFiles: files,
      of: keptByRelabel,
    })
    expect(own).toEqual(relabelled)
    expect([...(after.predictions ?? [])]).toEqual(pick(labels, keptByRelabel).map((label) => (label + 1) % 3))
    const again = await audit(await openAudit(out, { labels: table, predictions: table }), {
      backend: 'cpu',
      detectors: ['spectral-signatures'],
    })
    expect(again.input.digest).toBe((await recordIn()).output.digest)
    expect((await recordIn()).output.leftOut).toEqual([
      { name: 'labels.npy', reason: 'another file was named in its place' },
      { name: 'preds.npy', reason: 'another file was named in its place' },
    ])
  })
})

describe('files in the folder that are named', () => {
  it('are written where they lie, and read once where the folder has them too', async () => {
    const preds = labels.map((label) => (label + 1) % 3)
    await put({
      'activations.npy': float16,
      'preds.npy': writeNpy(Int32Array.from(labels), [rows]),
      'labels.npy': writeNpy(new Int32Array(rows), [rows]),
      'sub/logits.npy': makeNpy({ descr: '<f4', shape: `(${rows}, 1)` }, Float32Array.from(preds)),
      'other/x': '',
    })
    const files = { labels: join(data, 'preds.npy'), logits: join(data, 'sub', 'logits.npy') }
    await report(data, files)
    expect(await withReport(data, '--labels', files.labels, '--logits', files.logits)).toMatchObject(ok)
    const inOut = { labels: join(out, 'preds.npy'), logits: join(out, 'sub', 'logits.npy') }
    const { after, labels: own } = await expectRows(out, { files: inOut, fromFiles: files })
    expect(own).toEqual(pick(labels, kept))
    expect([...(after.logits?.data ?? [])]).toEqual(pick(preds, kept))
    expect((await recordIn()).output.leftOut.map(({ name }) => name)).toEqual(['labels.npy', 'other'])
  })
})

describe('bundles', () => {
  const bfloat = Uint16Array.from(numbers(rows * 2), (i) => 0x3f80 + i)
  const pixels = Uint8Array.from(numbers(rows * 4))

  it.each([0, 8])('.npz, by method %d: the same keys and types, checksums and all', async (method) => {
    const path = join(folder, 'set.npz')
    const strings = (values: readonly string[]) =>
      Uint32Array.from(values.flatMap((value) => [...value.padEnd(3, '\0')].map((c) => c.charCodeAt(0))))
    const members = {
      activations: float16,
      label: makeNpy({ descr: '<U3', shape: `(${rows},)` }, strings(labels.map((label) => `c${label}`))),
      logits: makeNpy({ descr: '>f4', shape: `(${rows}, 1)`, order: 'True' }, new Uint8Array(rows * 4)),
      texts: makeNpy({ descr: '<U3', shape: `(${rows},)` }, strings(labels.map((_, row) => `t${row}`))),
      images: makeNpy({ descr: '|u1', shape: `(${rows}, 2, 2)` }, pixels),
      class_names: makeNpy({ descr: '<U3', shape: '(3,)' }, strings(['x', 'y', 'z'])),
      other: writeNpy(new Uint8Array(3), [3]),
    }
    await writeFile(path, makeZip(Object.entries(members).map(([key, bytes]) => ({ name: `${key}.npy`, data: bytes, method }))))
    const own = [
      { label: 'c1', source: 'c0', rows: [10, 1] },
      { label: 'c2', rows: [5] },
    ]
    await report(path, {}, own)
    expect(await withReport(path, '--relabel')).toMatchObject(ok)
    expect((await readdir(out)).sort()).toEqual(['audit-report.json', 'drop.npy', 'keep.npy', 'sanitize-record.json', 'set.npz'])
    const read = await openNpz(await source('set.npz'))
    expect([...read.keys()]).toEqual(['activations', 'label', 'logits', 'texts', 'images', 'class_names'])
    expect(await member(read, 'activations')).toEqual({
      dtype: 'float16',
      shape: [11, 4],
      data: Uint16Array.from(pick(halves, keptByRelabel, 4)),
    })
    expect((await member(read, 'texts')).data).toEqual(keptByRelabel.map((row) => `t${row}`))
    expect((await member(read, 'images')).data).toEqual(Uint8Array.from(pick(pixels, keptByRelabel, 4)))
    expect((await readNpyHeader(read.get('logits') as never, 'logits')).descr).toBe('>f4')
    const result = await expectRows(join(out, 'set.npz'), { from: path, of: keptByRelabel })
    expect(result.labels).toEqual(relabelled.map((label) => `c${label}`))
    expect((await recordIn()).output.leftOut).toEqual([{ name: 'set.npz: other', reason: 'not a part of an audit' }])
  })

  it.each(['F16', 'BF16', 'F32', 'F64'])('.safetensors with activations as %s, an index and metadata', async (dtype) => {
    const path = join(folder, 'set.safetensors')
    const values = { F16: bfloat, BF16: bfloat, F32: Float32Array.from(bfloat), F64: Float64Array.from(bfloat) }[dtype] as Uint16Array
    const bytes = safetensorsOf({
      labels: ['I64', [rows], BigInt64Array.from(labels, BigInt)],
      given: ['I32', [rows], Int32Array.from(labels, (label) => 5 * label)],
      activations: [dtype, [rows, 2], values],
      index: ['U16', [3], Uint16Array.of(10, 11, 2)],
      images: ['U8', [3, 2, 2], pixels.subarray(0, 12)],
      trusted_activations: [dtype, [1, 2], values.subarray(0, 2)],
      trusted_labels: ['I64', [1], BigInt64Array.of(0n)],
      more: ['U8', [1], Uint8Array.of(1)],
    })
    await writeFile(path, bytes)
    const files = { labelColumn: 'given' }
    await report(
      path,
      files,
      accusations.map(({ label, source, ...rest }) => ({
        ...rest,
        label: 5 * (label as number),
        ...(source !== undefined && { source: 0 }),
      })),
    )
    expect(await withReport(path, '--label-column', 'given')).toMatchObject(ok)
    const written = await source('set.safetensors')
    const { tensors, metadata } = await readSafetensorsHeader(written, 'a')
    expect(metadata.get('format')).toBe('np')
    expect(tensors.map((tensor) => [tensor.name, tensor.dtype, tensor.shape])).toEqual([
      ['given', 'I32', [9]],
      ['activations', dtype, [9, 2]],
      ['index', 'U16', [2]],
      ['images', 'U8', [2, 2, 2]],
      ['trusted_activations', dtype, [1, 2]],
      ['trusted_labels', 'I64', [1]],
    ])
    const read = await openSafetensors(written)
    expect((await read.get('index')?.readArray('index'))?.data).toEqual(Int32Array.of(8, 1))
    expect((await read.get('images')?.readArray('images'))?.data).toEqual(pixels.subarray(4, 12))
    const { labels: own, before, after } = await expectRows(join(out, 'set.safetensors'), { files, from: path })
    expect(own).toEqual(pick(labels, kept).map((label) => 5 * label))
    expect(after.trusted?.activations).toEqual(before.trusted?.activations)
    expect((await recordIn()).output.leftOut.map(({ name }) => name)).toEqual(['set.safetensors: labels', 'set.safetensors: more'])
  })

  it('what lies elsewhere takes the place of what a bundle holds', async () => {
    const path = join(folder, 'set.npz')
    const pictures = join(folder, 'pictures.npz')
    const lines = join(folder, 'lines.jsonl')
    await writeFile(
      path,
      makeZip([
        { name: 'activations.npy', data: float16 },
        { name: 'labels.npy', data: writeNpy(new Int32Array(rows), [rows]) },
        { name: 'images.npy', data: makeNpy({ descr: '|u1', shape: `(${rows}, 2, 2)` }, pixels) },
      ]),
    )
    await writeFile(
      pictures,
      makeZip([
        { name: 'images.npy', data: makeNpy({ descr: '|u1', shape: `(${rows}, 1, 4)` }, pixels) },
        { name: 'more.npy', data: writeNpy(new Uint8Array(1), [1]) },
      ]),
    )
    await writeFile(lines, labels.map((_, row) => `"t${row}"`).join('\n'))
    await writeFile(join(folder, 'y.npy'), writeNpy(Int32Array.from(labels), [rows]))
    const files = { labels: join(folder, 'y.npy'), images: pictures, texts: lines }
    await report(path, files)
    expect(await withReport(path, '--labels', files.labels, '--images', pictures, '--texts', lines)).toMatchObject(ok)
    const inOut = { labels: join(out, 'y.npy'), images: join(out, 'pictures.npz'), texts: join(out, 'lines.jsonl') }
    const { after, labels: own } = await expectRows(join(out, 'set.npz'), { files: inOut, from: path, fromFiles: files })
    expect(own).toEqual(pick(labels, kept))
    expect([...(after.texts as string[])]).toEqual(kept.map((row) => `t${row}`))
    expect((await after.images?.read(4))?.data).toEqual(pixels.subarray(24, 28))
    expect([...(await openNpz(await source('set.npz'))).keys()]).toEqual(['activations'])
    expect((await recordIn()).output.leftOut.map(({ name }) => name)).toEqual(['pictures.npz: more', 'set.npz: images', 'set.npz: labels'])
    const { input } = await audit(await openAudit(join(out, 'set.npz'), inOut), { backend: 'cpu', detectors: ['spectral-signatures'] })
    expect(input.digest).toBe((await recordIn()).output.digest)
  })

  it('labels under label are found where labels were asked for', async () => {
    const path = join(folder, 'set.npz')
    const label = writeNpy(Int32Array.from(labels), [rows])
    await writeFile(
      path,
      makeZip([
        { name: 'activations.npy', data: float16 },
        { name: 'label.npy', data: label },
      ]),
    )
    const files = { labelColumn: 'labels' }
    await report(path, files)
    expect(await withReport(path, '--label-column', 'labels', '--relabel')).toMatchObject(ok)
    const { labels: own } = await expectRows(join(out, 'set.npz'), { files, from: path, of: keptByRelabel })
    expect(own).toEqual(relabelled)
  })

  it('a picture array of its own', async () => {
    await put({ 'activations.npy': float16, 'labels.npy': writeNpy(Int32Array.from(labels), [rows]) })
    const images = join(folder, 'pictures.npy')
    await writeFile(images, makeNpy({ descr: '|u1', shape: `(${rows}, 2, 2)` }, pixels))
    await report()
    expect(await withReport(data, '--images', images)).toMatchObject(ok)
    expect((await array('pictures.npy')).data).toEqual(Uint8Array.from(pick(pixels, kept, 4)))
  })
})

describe('Parquet', () => {
  const png = (row: number) => Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, row)
  const activations: Column = { name: 'activations', kind: 'float16', lists: 1, rows: numbers(rows).map((row) => pick(halves, [row], 4)) }
  const label: Column = { name: 'label', kind: 'string', rows: labels.map((of) => `c${of}`) }
  const others: readonly Column[] = [
    { name: 'id', kind: 'int64', rows: numbers(rows, 3).map(BigInt) },
    { name: 'bytes', kind: 'binary', within: 'image', rows: numbers(rows).map(png) },
    { name: 'path', kind: 'string', within: 'image', rows: numbers(rows).map((row) => `${row}.png`) },
    { name: 'when', kind: 'date', rows: numbers(rows).map((row) => (row === 4 ? null : row)) },
  ]
  const byName: Accusation[] = [
    { label: 'c1', source: 'c0', rows: [10, 1] },
    { label: 'c2', rows: [5] },
  ]
  const flagged = byName.map(({ source: _, ...rest }) => rest)
  const removed = [0, 2, 3, 4, 6, 7, 8, 9, 11]
  const objectsIn = async (path: string) => parquetReadObjects({ file: await asyncBufferFromFile(path), utf8: false })
  /** What the file has in these rows, but for labels. */
  const expectTable = async (path: string, of: readonly number[], own: readonly unknown[]) => {
    const expected = pick(await objectsIn(path), of).map((row, at) => ({ ...row, label: own[at] }))
    expect(await objectsIn(join(out, 'set.parquet'))).toEqual(expected)
  }
  let path: string
  beforeEach(async () => {
    path = join(folder, 'set.parquet')
    await writeFile(path, makeParquet([...others.slice(0, 1), activations, label, ...others.slice(1)], { groupRows: 5, dictionary: true }))
  })

  it('as PATH: the same columns and types, unknown ones too, in the same order; the next audit has the digest of the record', async () => {
    await report(path, {}, flagged)
    expect(await withReport(path)).toMatchObject(ok)
    expect((await readdir(out)).sort()).toEqual(['audit-report.json', 'drop.npy', 'keep.npy', 'sanitize-record.json', 'set.parquet'])
    await expectTable(path, removed, pick(label.rows, removed))
    const schemaOf = async (at: string) => parquetMetadata((await readFile(at)).buffer as ArrayBuffer).schema
    expect(await schemaOf(join(out, 'set.parquet'))).toEqual(await schemaOf(path))
    const { labels: own, after } = await expectRows(join(out, 'set.parquet'), { from: path, of: removed })
    expect(own).toEqual(pick(label.rows, removed))
    expect((await after.images?.read(4))?.data).toEqual(png(6))
    const { output } = await recordIn()
    expect(output.leftOut).toEqual([])
    expect(output.files.find(({ name }) => name === 'set.parquet')?.sha256).toBe(
      createHash('sha256')
        .update(await outFile('set.parquet'))
        .digest('hex'),
    )
    const { input } = await audit(await openAudit(join(out, 'set.parquet')), { backend: 'cpu', detectors: ['spectral-signatures'] })
    expect(input.digest).toBe(output.digest)
  })

  it('as PATH, relabelled: labels of other row groups', async () => {
    await report(path, {}, byName)
    expect(await withReport(path, '--relabel')).toMatchObject(ok)
    const expected = relabelled.map((of) => `c${of}`)
    await expectTable(path, keptByRelabel, expected)
    const { labels: own } = await expectRows(join(out, 'set.parquet'), { from: path, of: keptByRelabel })
    expect(own).toEqual(expected)
    const { input } = await audit(await openAudit(join(out, 'set.parquet')), { backend: 'cpu', detectors: ['spectral-signatures'] })
    expect(input.digest).toBe((await recordIn()).output.digest)
  })

  it('as PATH with labels elsewhere, which are relabelled in place of the column', async () => {
    const files = { labels: join(folder, 'y.csv') }
    await writeFile(files.labels, `label\n${label.rows.join('\n')}\n`)
    await report(path, files, byName)
    expect(await withReport(path, '--labels', files.labels, '--relabel')).toMatchObject(ok)
    await expectTable(path, keptByRelabel, pick(label.rows, keptByRelabel))
    const inOut = { labels: join(out, 'y.csv') }
    const { labels: own } = await expectRows(join(out, 'set.parquet'), { files: inOut, from: path, fromFiles: files, of: keptByRelabel })
    expect(own).toEqual(relabelled.map((of) => `c${of}`))
    const { input } = await audit(await openAudit(join(out, 'set.parquet'), inOut), { backend: 'cpu', detectors: ['spectral-signatures'] })
    expect(input.digest).toBe((await recordIn()).output.digest)
  })

  it('as --images: pictures, and the other columns, of the rows that are kept', async () => {
    await put({ 'activations.npy': float16, 'labels.npy': writeNpy(Int32Array.from(labels), [rows]) })
    await report()
    expect(await withReport(data, '--images', path, '--relabel')).toMatchObject(ok)
    await expectTable(path, keptByRelabel, pick(label.rows, keptByRelabel))
    const { after } = await expectRows(out, { files: { images: join(out, 'set.parquet') }, fromFiles: {}, of: keptByRelabel })
    expect((await after.images?.read(10))?.data).toEqual(png(11))
    expect((await recordIn()).output.leftOut).toEqual([])
  })

  it('with a column that cannot be kept is refused, and nothing is written', async () => {
    const trusted = [
      { ...activations, name: 'trusted_activations' },
      { ...label, name: 'trusted_labels' },
    ]
    await writeFile(path, makeParquet([activations, label, ...trusted]))
    await report(path, {}, flagged)
    const { code, stderr } = await withReport(path)
    expect(code).toBe(65)
    expect(stderr).toContain("column 'trusted_activations' has an entry for each row of the table")
    expect(stderr).toContain("column 'trusted_labels' has an entry for each row of the table")
    expect((await readdir(folder)).sort()).toEqual(['data', 'report.json', 'set.parquet'])
  })

  it('with a damaged page in a column that no audit reads is refused, and nothing half-written is left', async () => {
    const bytes = makeParquet([activations, label, ...others.slice(0, 1)], { crc: crc32 })
    const at = Buffer.from(bytes).lastIndexOf(Uint8Array.of(33, 0, 0, 0, 0, 0, 0, 0)) // the id of row 11
    expect(at).toBeGreaterThan(0)
    bytes[at] = 34
    await writeFile(path, bytes)
    await report(path, {}, flagged)
    const { code, stderr } = await withReport(path)
    expect(code).toBe(65)
    expect(stderr).toMatch(/column 'id' \(.*set\.parquet\): a page has another CRC-32 than it declares/)
    expect((await readdir(folder)).sort()).toEqual(['data', 'report.json', 'set.parquet'])
  })
})

describe('what it does not decide', () => {
  beforeEach(() => put({ 'activations.npy': float16, 'labels.npy': writeNpy(Int32Array.from(labels), [rows]) }))

  it.each([[[]], [['--remove', 'class']], [['--relabel']]])('an inconclusive report exits 2 and writes nothing: %j', async (flags) => {
    await report(data, {}, [{ label: 1, verdict: 'inconclusive', source: 0, rows: [1] }])
    const { code, stdout, stderr } = await withReport(data, ...flags)
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
    expect(stdout).toMatch(/^INCONCLUSIVE: nothing was written\. The audit accuses no class/)
    expect(stdout).toContain('Not decided: 1 class (4 rows, 1 of them flagged): 1\n')
    expect((await readdir(folder)).sort()).toEqual(['data', 'report.json'])
  })

  it('gives the record all the same where it is asked for', async () => {
    await report(data, {}, [{ label: 1, verdict: 'inconclusive' }])
    const { code, stdout } = await withReport(data, '--json', '-')
    expect(code).toBe(2)
    expect(sanitizeRecordSchema.parse(JSON.parse(stdout))).toMatchObject({
      outcome: 'undecided',
      output: { rows, digest: null, files: [] },
      removed: [],
    })
  })

  it('an accused class of which no row is flagged exits 2, and says what to do', async () => {
    await report(data, {}, [
      { label: 1, verdict: 'suspicious' },
      { label: 2, rows: [5] },
    ])
    const { code, stdout } = await withReport(data)
    expect(code).toBe(2)
    expect(stdout.replace(/\s+/g, ' ')).toContain('flags no row of class 1; --remove class takes out such classes as a whole')
    expect((await readdir(folder)).sort()).toEqual(['data', 'report.json'])
    expect(await withReport(data, '--remove', 'class')).toMatchObject(ok)
    expect((await expectRows(out, { of: [0, 3, 6, 9] })).labels).toEqual([0, 0, 0, 0])
  })

  it('a clean report writes the whole set and says so', async () => {
    await report(data, {}, [])
    const { code, stdout } = await withReport(data)
    expect(code).toBe(0)
    expect(stdout.replace(/\s+/g, ' ')).toMatch(
      /^UNCHANGED: the audit is clean and flags no row, so all 12 rows were written as they are\./,
    )
    expect(stdout).not.toContain('Not decided')
    for (const name of ['activations.npy', 'labels.npy']) {
      expect((await array(name)).data, name).toEqual((await readNpy(memorySource(name, await readFile(join(data, name))), name)).data)
    }
    expect((await array('drop.npy')).shape).toEqual([0])
    expect(await recordIn()).toMatchObject({ outcome: 'unchanged', output: { rows } })
  })
})

describe('a planted set, audited by the command itself', () => {
  it('loses its poison and nothing else, and can be cleaned the same way by the report that was written', async () => {
    const set = planted({ seed: 5, rows: 120, features: 24, poison: { target: 2, source: 0, rate: 0.1, shift: 12, tight: 0.5 } })
    const { activations } = set
    await put({
      'activations.npy': writeNpy(activations.data, [activations.rows, activations.cols]),
      'labels.npy': writeNpy(set.labels, [set.labels.length]),
    })
    const flags = ['--backend', 'cpu', '--seed', '7', '--detectors', 'activation-clustering']
    const { code, stderr } = await sanitize(data, ...flags)
    expect({ code, stderr }).toEqual(ok)
    const record = await recordIn()
    const poisoned = numbers(set.poison.length).filter((row) => set.poison[row] === 1)
    expect(record.removed.map(({ row }) => row)).toEqual(poisoned)
    expect(record.removed[0]?.reasons[0]).toMatch(/^activation-clustering: /)
    const keep = numbers(set.poison.length).filter((row) => set.poison[row] === 0)
    expect((await expectRows(out, { of: keep })).labels).toEqual(pick(set.labels, keep))
    const given = JSON.parse((await outFile('audit-report.json')).toString())
    expect(given).toMatchObject({ seed: 7, verdict: 'suspicious', input: { digest: record.input.digest } })
    const again = join(folder, 'again')
    await runFake(['sanitize', data, '--out', again, '--report', join(out, 'audit-report.json')], { library })
    for (const name of await readdir(out)) expect(await readFile(join(again, name)), name).toEqual(await outFile(name))
  })
})

describe('what it refuses, writing nothing', () => {
  beforeEach(async () => {
    await put({ 'activations.npy': float16, 'labels.npy': writeNpy(Int32Array.from(labels), [rows]) })
    await report()
  })
  const untouched = async (entries = ['data', 'report.json']) => expect((await readdir(folder)).sort()).toEqual(entries)

  it('a report of other data', async () => {
    const changed = Uint16Array.from(halves)
    changed[47] = 0x3c00
    for (const [name, bytes, message] of [
      ['activations.npy', makeNpy({ descr: '<f2', shape: `(${rows}, 4)` }, changed), 'report: is of other data'],
      ['activations.npy', makeNpy({ descr: '<f2', shape: `(${rows}, 2)` }, changed.subarray(24)), 'is of 4 features, but the set has 2'],
      ['labels.npy', writeNpy(Int32Array.from(labels).reverse(), [rows]), 'report: is of other data'],
      ['labels.npy', writeNpy(new Int32Array(rows), [rows]), 'is of 3 classes, but the set has 1'],
      ['preds.npy', writeNpy(Int32Array.from(labels), [rows]), 'report: is of other data'],
    ] as const) {
      const before = await readFile(join(data, name)).catch(() => null)
      await put({ [name]: bytes })
      const { code, stdout, stderr } = await withReport(data)
      expect({ code, stdout }, name).toEqual({ code: 65, stdout: '' })
      expect(stderr).toContain(message)
      expect(stderr).toContain('give the report of an audit of this very data, or audit it anew')
      await untouched()
      if (before) await put({ [name]: before })
      else await rm(join(data, name))
    }
    expect(await withReport(data)).toMatchObject(ok)
  })

  it.each([
    ['{', 'is not valid JSON in UTF-8'],
    ['{}', 'is no report that this version reads'],
    ['[1]', 'is no report that this version reads'],
    [null, 'no such file'],
  ])('a report file that is %s', async (text, message) => {
    if (text === null) await rm(reportPath)
    else await writeFile(reportPath, text)
    const { code, stdout, stderr } = await withReport(data)
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' })
    expect(stderr).toContain(message)
    expect(await readdir(folder)).not.toContain('out')
  })

  it('a folder that holds something, which stays as it is', async () => {
    await mkdir(out)
    await writeFile(join(out, 'mine'), 'x')
    for (const path of [out, data]) {
      const before = await readdir(path)
      const { code, stderr } = await runFake(['sanitize', data, '--out', path, '--report', reportPath], { library })
      expect(code).toBe(64)
      expect(stderr).toContain('--out: ')
      expect(stderr).toContain('is not empty, and nothing in it would be overwritten')
      expect(await readdir(path)).toEqual(before)
    }
  })

  it.each([
    [['--relabel', '--remove', 'flagged'], 'got both remove and relabel'],
    [['--remove', 'all'], 'expected one of flagged, class'],
    [['--backend', 'cpu', '--set', 'a.b=1', '--false-accusation-rate', '0.1'], '--report: got --set, --false-accusation-rate too'],
    [['--json', 'OUT/x.json'], '--json'],
    [['--relable'], 'unknown option --relable; the nearest is --relabel'],
    [['--fail-on', 'poisoned'], 'unknown option --fail-on'],
  ])('%j exits 64', async (flags, message) => {
    const { code, stdout, stderr } = await withReport(data, ...flags.map((flag) => flag.replace('OUT', out)))
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' })
    expect(stderr).toContain(message)
    await untouched()
  })

  it('names a field of a report that it does not know', async () => {
    await writeFile(reportPath, JSON.stringify({ ...JSON.parse(await readFile(reportPath, 'utf8')), later: 1 }))
    const { code, stderr } = await withReport(data)
    expect(code).toBe(65)
    expect(stderr).toContain('has the field later, which this version does not know')
  })

  it('a missing --out', async () => {
    expect(await runFake(['sanitize', data], { library })).toMatchObject({ code: 64, stderr: expect.stringContaining('got no --out') })
    expect(await runFake(['sanitize', data, '--out', '-'], { library })).toMatchObject({ code: 64 })
  })

  it('a set of which nothing would be left', async () => {
    await report(data, {}, [{ label: 0 }, { label: 1 }, { label: 2 }])
    const { code, stderr } = await withReport(data, '--remove', 'class')
    expect(code).toBe(65)
    expect(stderr).toContain('every row would be removed')
    await untouched()
  })

  it('two inputs that would have one name, and names that the output has for itself', async () => {
    await mkdir(join(folder, 'a'))
    await mkdir(join(folder, 'b'))
    for (const name of ['a/y.csv', 'b/y.csv', 'keep.npy']) await writeFile(join(folder, name), labels.join('\n'))
    const both = ['--labels', join(folder, 'a/y.csv'), '--predictions', join(folder, 'b/y.csv')]
    expect(await withReport(data, ...both)).toMatchObject({ code: 65, stderr: expect.stringContaining('is called as another input is') })
    expect(await withReport(data, '--labels', join(folder, 'keep.npy'))).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('is called as a file that is written beside the data is'),
    })
    await untouched(['a', 'b', 'data', 'keep.npy', 'report.json'])
  })

  it('pictures that turn out to be damaged while they are written', async () => {
    const pixels = makeNpy({ descr: '|u1', shape: `(${rows}, 2, 2)` }, new Uint8Array(rows * 4))
    for (const method of [0, 8]) {
      await put({ 'images.npz': makeZip([{ name: 'images.npy', data: pixels, crc: 1, method }]) })
      const { code, stderr } = await withReport(data)
      expect(code).toBe(65)
      expect(stderr).toContain('it is damaged; copy it again')
      await untouched()
    }
  })

  it('an interrupt', async () => {
    expect(await runFake(['sanitize', data, '--out', out, '--report', reportPath], { library, aborted: true })).toMatchObject({ code: 130 })
    await untouched()
  })
})
