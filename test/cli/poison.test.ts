import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openScenario } from '../../src/bench/node-scenario-folder.js'
import { memorySource } from '../../src/io/byte-source.js'
import { readNpy } from '../../src/io/npy.js'
import { writeNpy } from '../../src/io/npy-writer.js'
import { openNpz } from '../../src/io/npz.js'
import { writeNpz } from '../../src/io/npz-writer.js'
import { attacks } from '../../src/redteam/attacks.js'
import { badNets } from '../../src/redteam/index.js'
import { makeNpy } from '../io/make-npy.js'
import { pictures } from '../redteam/hand-made-images.js'
import { runFake } from './fake-io.js'

let folder: string
let data: string
let out: string
const set = pictures([20, 30, 40], [6, 6])
const rows = 90

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'assay-poison-'))
  data = join(folder, 'data')
  out = join(folder, 'out')
  await mkdir(join(data, 'truth'), { recursive: true })
  const files = {
    'images.npz': writeNpz([{ key: 'images', ...set.images }]),
    'labels.npy': writeNpy(set.labels, [rows]),
    'class_names.json': '["zero","one", "two"]',
    'ids.npy': makeNpy({ descr: '<i8', shape: `(${rows}, 1)` }, new BigInt64Array(rows).fill(3n)),
    'few.npy': writeNpy(Int32Array.of(1, 2), [2]),
    'activations.npy': writeNpy(new Float32Array(rows * 2), [rows, 2]),
    'preds.npy': writeNpy(set.labels, [rows]),
    'meta.json': '{}',
    'broken.npy': 'no array',
  }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(data, name), bytes)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const poison = (...flags: string[]) => runFake(['poison', data, '--out', out, ...flags])
const array = async (...path: string[]) => readNpy(memorySource('a', await readFile(join(out, ...path))), 'a')
const badnets = '--attack badnets --source 0 --target 2 --rate 0.2 --seed 7'.split(' ')

describe('assay poison', () => {
  it('writes the data folder that the library makes, with its truth', async () => {
    const { code, stderr } = await poison(...badnets, '--set', 'pattern=solid', '--set', 'margin=0', '--set', 'color=200')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const expected = badNets(set, { source: 0, target: 2, rate: 0.2, seed: 7, pattern: 'solid', margin: 0, color: 200 })
    const images = await openNpz(memorySource('i', await readFile(join(out, 'images.npz'))))
    expect(await readNpy(images.get('images') as never, 'images')).toEqual({ dtype: 'uint8', ...expected.images })
    expect(await array('labels.npy')).toEqual({ dtype: 'int32', shape: [rows], data: expected.labels })
    expect(await array('truth', 'poison_mask.npy')).toEqual({ dtype: 'uint8', shape: [rows], data: expected.truth.poison })
    expect(await array('truth', 'true_labels.npy')).toEqual({ dtype: 'int32', shape: [rows], data: set.labels })
    expect(JSON.parse(await readFile(join(out, 'truth', 'truth.json'), 'utf8'))).toEqual({
      ...{ attack: 'BadNets source->target', attack_id: 'badnets', source: 0, target: 2, rate: 0.2, seed: 7 },
      ...{ rate_of: 'clean rows of the target class', epsilon: 8 / 48, n_poison: 8, poison_share_of_all: 8 / 90 },
      trigger: 'solid 4×4, colour 200, bottom right, margin 0',
      options: { source: 0, target: 2, rate: 0.2, seed: 7, pattern: 'solid', color: 200, place: 'br', margin: 0 },
      tool: { name: 'assay', version: expect.any(String) },
    })
  })

  it('carries along what is one entry a row, byte for byte, and says what it leaves out and why', async () => {
    const { stdout } = await poison(...badnets)
    expect((await readdir(out)).sort()).toEqual(['class_names.json', 'ids.npy', 'images.npz', 'labels.npy', 'truth'])
    expect((await readdir(join(out, 'truth'))).sort()).toEqual(['poison_mask.npy', 'true_labels.npy', 'truth.json'])
    for (const name of ['class_names.json', 'ids.npy']) expect(await readFile(join(out, name))).toEqual(await readFile(join(data, name)))
    const words = stdout.replace(/\s+/g, ' ')
    expect(words).toContain('BadNets source->target: 8 of 90 rows poisoned; they are of class 0 and now bear the label of class 2; seed 7')
    expect(words).toContain('the poison is 16.67 % of the rows that bear label 2')
    expect(words).toContain('Rate: 0.2 of the clean rows of the target class; ')
    expect(words).toContain('Carried along as they were: class_names.json, ids.npy')
    expect(words).toContain('Left out (of a model trained on the data as it was): activations.npy, preds.npy')
    expect(words).toContain('Left out (not an array of one entry a row): few.npy, meta.json')
    expect(words).toContain('Left out (the truth of the data as it was): truth')
    expect(words).toContain('Left out (not readable (bad-magic)): broken.npy')
  })

  it('writes the same bytes for the same seed', async () => {
    await poison(...badnets)
    const again = join(folder, 'again')
    await runFake(['poison', data, '--out', again, ...badnets])
    for (const name of ['images.npz', 'labels.npy', 'truth/truth.json', 'truth/poison_mask.npy']) {
      expect(await readFile(join(again, name)), name).toEqual(await readFile(join(out, name)))
    }
  })

  it.each([
    ['all-to-all', []],
    ['blended', ['--target', '1', '--set', 'alpha=0.5']],
    ['sig', ['--target', '1', '--set', 'frequency=2.5']],
    ['wanet', ['--target', '1', '--set', 'strength=3', '--set', 'upsampling=bilinear']],
    ['adaptive-blend', ['--target', '1', '--rate', '0.1', '--cover-rate', '0.1', '--set', 'grid=2']],
    ['tact', ['--source', '0', '--target', '1', '--cover-rate', '0.1', '--set', 'coverLabels=[2]']],
    ['label-flips', []],
  ])('plants %s, which assay bench reads once activations are there', async (attack, flags) => {
    const { code, stderr, stdout } = await poison('--attack', attack, ...flags, '--json', '-')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const said = JSON.parse(stdout)
    await writeFile(join(out, 'activations.npy'), writeNpy(new Float32Array(rows * 2), [rows, 2]))
    const { truth } = await openScenario({ name: attack, path: out })
    expect(truth).toMatchObject({ attack: said.attack, target: { label: said.target, epsilon: said.epsilon } })
    expect(truth.poisoned.reduce((sum, value) => sum + value, 0)).toBe(said.n_poison)
    const covers = (await readdir(join(out, 'truth'))).includes('cover_mask.npy')
    expect(covers).toBe(['wanet', 'adaptive-blend', 'tact'].includes(attack))
    if (covers) {
      const { dtype, data: mask } = await array('truth', 'cover_mask.npy')
      expect(dtype).toBe('uint8')
      expect([...(mask as Uint8Array)].filter((value) => value === 1)).toHaveLength(said.n_cover)
    }
  })

  it('takes a .npz with everything, and a pattern from a .npy', async () => {
    const path = join(folder, 'all.npz')
    const pattern = join(folder, 'pattern.npy')
    const ids = { key: 'ids', data: new Float32Array(rows), shape: [rows] }
    await writeFile(path, writeNpz([{ key: 'images', ...set.images }, { key: 'labels', data: set.labels, shape: [rows] }, ids]))
    await writeFile(pattern, writeNpy(new Uint8Array(36).fill(9), [6, 6]))
    const flags = ['--attack', 'blended', '--target', '0', '--set', `pattern=${pattern}`, '--set', 'alpha=1']
    expect(await runFake(['poison', path, '--out', out, ...flags])).toMatchObject({ code: 0, stderr: '' })
    expect((await readdir(out)).sort()).toEqual(['ids.npy', 'images.npz', 'labels.npy', 'truth'])
    const told = JSON.parse(await readFile(join(out, 'truth', 'truth.json'), 'utf8'))
    expect(told.options.pattern).toEqual({ shape: [6, 6], sha256: expect.any(String) })
    const images = await openNpz(memorySource('i', await readFile(join(out, 'images.npz'))))
    const read = (await readNpy(images.get('images') as never, 'images')).data as Uint8Array
    const { data: mask } = await array('truth', 'poison_mask.npy')
    const row = (mask as Uint8Array).indexOf(1)
    expect([...read.subarray(36 * row, 36 * (row + 1))]).toEqual(new Array(36).fill(9))
  })

  it('--json FILE and --quiet mean what they mean elsewhere', async () => {
    const json = join(folder, 'said.json')
    expect(await poison(...badnets, '--quiet', '--json', json)).toMatchObject({ code: 0, stdout: '', stderr: '' })
    expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({ n_poison: 8, out, rows, left_out: expect.any(Array) })
  })

  it('names its attacks and every option of theirs in its help and in docs/red-team.md, and shows an example', async () => {
    const { stdout } = await runFake(['poison', '--help'])
    expect(stdout).toMatch(/Example:\n {2}\$ assay poison /)
    const docs = await readFile(join(import.meta.dirname, '../../docs/red-team.md'), 'utf8')
    for (const { id, options } of attacks) {
      const [, own = ''] = new RegExp(`^ {2}${id} +(.*)$`, 'm').exec(stdout) ?? []
      const [line = ''] = new RegExp(`^\\| \`${id}\` .*$`, 'm').exec(docs) ?? []
      expect(own, id).not.toBe('')
      const names = Object.keys((options as unknown as { shape: object }).shape)
      const patch = 'pattern height width color picture place margin'.split(' ')
      const stamps = patch.every((name) => names.includes(name))
      for (const name of names) {
        const shared = ['source', 'target', 'rate', 'coverRate', 'seed'].includes(name)
        const ofPatch = stamps && patch.includes(name)
        if (!shared && !ofPatch) expect(own, `${id} ${name}`).toContain(name)
        if (name !== 'seed' && !ofPatch) expect(line, `${id} ${name}`).toContain(`\`${name}\``)
        if (ofPatch) expect(docs).toContain(`\`${name}\``)
      }
    }
  })
})

describe('what it refuses', () => {
  it.each([
    [['--attack', 'badnet', '--target', '1'], '--attack: got badnet, expected one of .*; the nearest is badnets'],
    [['--attack', 'badnets', '--target', '1', '--sorce', '2'], 'unknown option --sorce; the nearest is --source'],
    [['--attack', 'badnets'], 'badnets: target: got undefined'],
    [['--attack', 'badnets', '--target', '1', '--source', '1'], 'source: got 1, which is the target too'],
    [['--attack', 'badnets', '--target', '12'], 'target: got 12, but no row bears that label; expected one of 0, 1, 2'],
    [['--attack', 'badnets', '--target', '1.5'], 'expected a whole number'],
    [['--attack', 'badnets', '--target', '1', '--rate', '2'], 'expected a number above 0, at most 1'],
    [['--attack', 'badnets', '--target', '1', '--rate', '1'], 'is 90 rows, but there are 60 rows of other classes'],
    [['--attack', 'badnets', '--target', '1', '--rate', '0.001'], 'rounds to 0 rows'],
    [['--attack', 'sig', '--target', '1', '--source', '2'], 'sig: source: there is no such option'],
    [['--attack', 'sig', '--target', '1', '--cover-rate', '0.1'], 'sig: coverRate: there is no such option'],
    [['--attack', 'sig', '--target', '1', '--set', 'delta=0'], 'sig: delta: got 0'],
    [['--attack', 'sig', '--target', '1', '--set', 'target=2'], '--set: target is given by a flag too'],
    [['--attack', 'sig', '--target', '1', '--set', 'delta'], 'expected OPTION=VALUE'],
    [['--attack', 'badnets', '--target', '1', '--set', 'place=[4,4]'], 'not inside pictures of 6×6'],
    [['--target', '1'], 'poison: got no --attack, expected the name of one; see assay poison --help'],
    [['--atack', 'sig'], 'unknown option --atack; the nearest is --attack; see assay poison --help'],
  ])('%j exits 64 and writes nothing', async (flags, message) => {
    const { code, stdout, stderr } = await poison(...flags)
    expect({ code, stdout }).toEqual({ code: 64, stdout: '' })
    expect(stderr).toMatch(/^assay: .*\n$/)
    expect(stderr).toMatch(new RegExp(message))
    expect(await readdir(folder)).toEqual(['data'])
  })

  it('a missing --out', async () => {
    expect(await runFake(['poison', data, ...badnets])).toMatchObject({ code: 64, stderr: expect.stringContaining('got no --out') })
  })

  it('a DIR that holds something, and a --json inside DIR', async () => {
    const before = await readdir(data)
    expect(await runFake(['poison', data, '--out', data, ...badnets])).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('not empty'),
    })
    expect(await readdir(data)).toEqual(before)
    expect(await poison(...badnets, '--json', join(out, 'x.json'))).toMatchObject({ code: 64, stderr: expect.stringContaining('--json') })
    expect(await readdir(folder)).toEqual(['data'])
  })

  it.each([
    ['labels.npy', null, 'expected labels (labels.npy) too'],
    ['images.npz', null, 'expected images (images.npz) too'],
    ['labels.npy', writeNpy(new Int32Array(3), [3]), 'labels: got 3, expected 90'],
    ['labels.npy', writeNpy(new Float32Array(rows).fill(0.5), [rows]), 'row 0 is 0.5'],
    ['labels.npy', makeNpy({ descr: '<U1', shape: '(2,)' }, Uint32Array.of(97, 98)), 'row 0 is a, expected a whole number of 32 bits'],
    ['images.npz', writeNpz([{ key: 'images', data: new Float32Array(4), shape: [1, 2, 2] }]), 'holds float32, expected uint8'],
    ['images.npz', writeNpz([{ key: 'images', data: new Uint8Array(4), shape: [2, 2] }]), 'expected [n, height, width]'],
    [
      'images.npz',
      writeNpz([
        { key: 'images', ...set.images },
        { key: 'index', data: new Int32Array(rows), shape: [rows] },
      ]),
      'has an index',
    ],
    ['images.npz', new Uint8Array(50), 'is not a sound zip archive'],
  ])('%s that is wrong exits 65 and writes nothing', async (name, bytes, message) => {
    if (bytes) await writeFile(join(data, name), bytes)
    else await rm(join(data, name))
    const { code, stdout, stderr } = await poison(...badnets)
    expect(stderr).toContain(message)
    expect({ code, stdout }).toEqual({ code: 65, stdout: '' })
    expect(await readdir(folder)).toEqual(['data'])
  })

  it('pictures of some rows only', async () => {
    await rm(join(data, 'images.npz'))
    await writeFile(join(data, 'images_subset.npz'), writeNpz([]))
    expect((await poison(...badnets)).stderr).toContain('images_subset.npz has those of some rows only; save them all')
  })

  it('a PATH that is not there, and an interrupt, which leaves nothing', async () => {
    expect(await runFake(['poison', join(folder, 'nowhere'), '--out', out, ...badnets])).toMatchObject({ code: 65 })
    expect(await runFake(['poison', data, '--out', out, ...badnets], { aborted: true })).toMatchObject({ code: 130 })
    expect(await readdir(folder)).toEqual(['data'])
  })
})
