import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const script = fileURLToPath(new URL('../../examples/export-activations.py', import.meta.url))
const make = fileURLToPath(new URL('../../examples/data/make.py', import.meta.url))

/** PYTHON names another interpreter, such as one in a virtual environment that has torch. */
const python = process.env.PYTHON ?? 'python3'

const run = (...args: string[]) => spawnSync(python, ['-B', ...args], { encoding: 'utf8' })
const hasPython = run('--version').status === 0
const hasTorch = hasPython && run('-c', 'import torch, numpy').status === 0

// Importing torch can take many seconds.
describe('examples in Python', { timeout: 60_000 }, () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'assay-export-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.skipIf(!hasPython)('compile', () => {
    for (const file of [script, make]) {
      const compiled = join(folder, 'compiled.pyc')
      const { status, stderr } = run(
        '-c',
        'import py_compile, sys; py_compile.compile(sys.argv[1], sys.argv[2], doraise=True)',
        file,
        compiled,
      )
      expect(stderr).toBe('')
      expect(status).toBe(0)
    }
  })

  test.skipIf(!hasPython)('export-activations.py shows its help, with or without PyTorch', () => {
    const { status, stdout } = run(script, '--help')
    expect(status).toBe(0)
    expect(stdout).toContain('example: python export-activations.py --model')
  })

  test.skipIf(!hasPython)('export-activations.py wants both --model and --data, or --demo alone', () => {
    for (const args of [[], ['--model', 'm:f'], ['--demo', '--data', 'm:f']]) {
      const { status, stderr } = run(script, '--out', join(folder, 'never'), ...args)
      expect(status).toBe(2)
      expect(stderr).toContain('pass both --model and --data, or --demo alone')
    }
  })

  test.skipIf(!hasPython || hasTorch)('export-activations.py says that PyTorch is missing where it is', () => {
    const { status, stderr } = run(script, '--demo', '--out', join(folder, 'never'))
    expect(status).toBe(1)
    expect(stderr).toContain('PyTorch and numpy are needed')
    expect(readdirSync(folder)).not.toContain('never')
  })

  describe.skipIf(!hasTorch)('with PyTorch (skipped where `python3 -c "import torch"` fails)', () => {
    test('the demo writes an audit folder: 500 rows of 64 features, 10 classes, nothing left over', () => {
      const out = join(folder, 'demo')
      const { status, stderr } = run(script, '--demo', '--out', out)
      expect(stderr).toBe('')
      expect(status).toBe(0)
      expect(readdirSync(out).sort()).toEqual(['activations.npy', 'labels.npy', 'logits.npy', 'preds.npy'])
      expect(header(join(out, 'activations.npy'))).toContain("'descr': '<f2', 'fortran_order': False, 'shape': (500, 64)")
      expect(header(join(out, 'labels.npy'))).toContain("'descr': '<i8', 'fortran_order': False, 'shape': (500,)")
      expect(header(join(out, 'preds.npy'))).toContain("'descr': '<i8', 'fortran_order': False, 'shape': (500,)")
      expect(header(join(out, 'logits.npy'))).toContain("'descr': '<f4', 'fortran_order': False, 'shape': (500, 10)")
      expect(readFileSync(join(out, 'activations.npy')).length).toBe(128 + 500 * 64 * 2)
      expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
    })

    test('activations, logits and predictions are the network’s own, rows in the data set’s order', () => {
      const { status, stderr, stdout } = run('-c', AGREES, script, join(folder, 'agrees'))
      expect(stderr).toBe('')
      expect(stdout.trim()).toBe('agrees')
      expect(status).toBe(0)
    })

    test('a shuffling loader, drop_last, an existing folder, an unknown layer, NaN and float16 overflow are refused', () => {
      const { status, stderr, stdout } = run('-c', REFUSES, script, join(folder, 'refuses'))
      expect(stderr).toBe('')
      expect(stdout.trim().split('\n')).toEqual([
        expect.stringMatching(/^loader: its sampler is a RandomSampler, expected a SequentialSampler/),
        expect.stringMatching(/^loader: drop_last leaves rows out/),
        expect.stringMatching(/exists already; name a folder that does not/),
        expect.stringMatching(/^layer: the model has no module 'nowhere'; its last ones are /),
        expect.stringMatching(/^activations: row 3, column 0 is nan, expected a finite number/),
        expect.stringMatching(/^activations: row 0, column \d+ is \S+, which float16 cannot hold/),
        'left: []',
      ])
      expect(status).toBe(0)
    })
  })
})

/** The text of a version 1.0 .npy header. */
function header(path: string): string {
  const bytes = readFileSync(path)
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x93NUMPY\x01\x00')
  return bytes.subarray(10, 10 + bytes.readUInt16LE(8)).toString('latin1')
}

const LOAD = `
import importlib.util, os, sys
from pathlib import Path
import numpy as np, torch
from torch.utils.data import DataLoader, TensorDataset
spec = importlib.util.spec_from_file_location('export_activations', sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
model, data = module.demo()
out = Path(sys.argv[2])
`

const AGREES = `${LOAD}
model.train()
module.export_activations(model, DataLoader(data, batch_size=64), out, dtype='float32', class_names=list('abcdefghij'))
assert all(part.training for part in model.modules()), 'modes put back'
with torch.no_grad():
    penultimate, logits = model.eval()[:-1](data.tensors[0]).numpy(), model(data.tensors[0]).numpy()
read = lambda name: np.load(out / (name + '.npy'))
assert np.allclose(read('activations'), penultimate, atol=1e-6) and read('activations').dtype == np.float32
assert np.allclose(read('logits'), logits, atol=1e-6)
assert np.array_equal(read('preds'), read('logits').argmax(axis=1))
assert np.array_equal(read('labels'), data.tensors[1].numpy())
module.export_activations(model, DataLoader(data, batch_size=64), str(out) + '-maps', layer='2', dtype='float32')
with torch.no_grad():
    pooled = model[:3](data.tensors[0]).mean(dim=(2, 3)).numpy()
assert np.allclose(np.load(str(out) + '-maps/activations.npy'), pooled, atol=1e-6), 'maps are averaged over space'
print('agrees')
`

const REFUSES = `${LOAD}
def refused(out, model=model, layer=None, data=data, **loading):
    try:
        module.export_activations(model, DataLoader(data, batch_size=64, **loading), out, layer)
        print('accepted')
    except module.ExportError as error:
        print(error)
out.mkdir()
refused(out / 'a', shuffle=True)
refused(out / 'a', drop_last=True)
refused(out)
refused(out / 'a', layer='nowhere')
images, labels = data.tensors
broken = images.clone()
broken[3] = float('nan')
refused(out / 'a', data=TensorDataset(broken, labels))
refused(out / 'a', data=TensorDataset(images * 1e9, labels))
print('left:', os.listdir(out))
`
