import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { safetensorsOf } from '../io/make-safetensors.js'
import { concat, makeZip } from '../io/make-zip.js'
import { latin1, length } from '../support/pickle-assembler.js'
import { makeGguf, message } from './make-models.js'
import { scanBytes } from './scan-bytes.js'

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const dense = { module: 'keras.layers', class_name: 'Dense', config: { units: 3 }, registered_name: null }
const sequential = (...layers: unknown[]) => ({ module: 'keras', class_name: 'Sequential', config: { name: 's', layers } })
const hdf5 = (config: unknown) => concat([latin1('\x89HDF\r\n\x1a\n'), new Uint8Array(2000), json(config), new Uint8Array(3000).fill(1)])

describe('Keras', () => {
  const cases: [string, unknown, string, string][] = [
    [
      'a Lambda layer',
      { class_name: 'Lambda', config: { function: ['4wEAAAA=', null, null], function_type: 'lambda' } },
      'poisoned',
      'keras-code',
    ],
    [
      'a Lambda layer of Keras 3',
      { module: 'keras.layers', class_name: 'Lambda', config: { function: { class_name: '__lambda__', config: { code: '4wE=' } } } },
      'poisoned',
      'keras-code',
    ],
    [
      'a Lambda deep within',
      { ...dense, config: { inner: { layers: [[{ class_name: 'Lambda', config: {} }]] } } },
      'poisoned',
      'keras-code',
    ],
    [
      'a module of PyTorch',
      { module: 'keras.layers', class_name: 'TorchModuleWrapper', config: { module: 'gAJ9' } },
      'poisoned',
      'keras-code',
    ],
    ['a function of os (CVE-2025-1550)', { module: 'os', class_name: 'function', config: 'system' }, 'poisoned', 'keras-dangerous-import'],
    ['a function of builtins', { module: 'builtins', class_name: 'function', config: 'eval' }, 'poisoned', 'keras-dangerous-import'],
    [
      'a function of Keras that fetches files (CVE-2025-8747)',
      { module: 'keras.utils', class_name: 'function', config: 'get_file' },
      'poisoned',
      'keras-dangerous-import',
    ],
    ['an object of the author', { module: 'my_layers', class_name: 'Mine', config: {} }, 'suspicious', 'keras-unknown-import'],
    [
      'a vocabulary that is a file (CVE-2025-12058)',
      { module: 'keras.layers', class_name: 'StringLookup', config: { vocabulary: '/etc/passwd' } },
      'suspicious',
      'keras-file',
    ],
  ]
  test.each(cases)('%s is found in .keras archives, HDF5 files and JSON', async (_, layer, verdict, id) => {
    const config = sequential(dense, layer)
    const files: [string, Uint8Array][] = [
      [
        'm.keras',
        makeZip([
          { name: 'metadata.json', data: json({ keras_version: '3.0' }) },
          { name: 'config.json', data: json(config) },
        ]),
      ],
      ['m.h5', hdf5(config)],
      ['model.json', json(config)],
    ]
    for (const [name, bytes] of files) expect(await scanBytes(name, bytes), name).toMatchObject({ verdict, ids: [id] })
  })

  test('a model of layers alone is clean', async () => {
    expect(await scanBytes('m.keras', makeZip([{ name: 'config.json', data: json(sequential(dense)) }]))).toMatchObject({
      verdict: 'clean',
      ids: [],
    })
    expect(await scanBytes('m.h5', hdf5(sequential(dense)))).toMatchObject({ verdict: 'clean', ids: [] })
  })

  test('names written with escapes are read', async () => {
    const escaped = latin1('{"\\u0063lass_name": "\\u004cambda", "config": {}}')
    expect(await scanBytes('m.h5', concat([hdf5({}), new Uint8Array(9), escaped, new Uint8Array(9)]))).toMatchObject({
      ids: ['keras-code'],
    })
    expect(await scanBytes('config.json', escaped)).toMatchObject({ ids: ['keras-code'] })
  })

  test('a text that spans blocks of reading is read as a whole, and a broken one is not called clean', async () => {
    const config = sequential(dense, { class_name: 'Lambda', config: {} })
    const padding = 4 * 2 ** 20 - 2030
    expect(
      await scanBytes(
        'm.h5',
        concat([latin1('\x89HDF\r\n\x1a\n'), new Uint8Array(padding), json({ pad: 'x'.repeat(1990), config }), new Uint8Array(9)]),
      ),
    ).toMatchObject({ ids: ['keras-code'] })
    expect(await scanBytes('m.h5', concat([hdf5({}), latin1('{"class_name": "Dense", "config": {'), new Uint8Array(9)]))).toMatchObject({
      verdict: 'inconclusive',
      ids: ['keras-malformed'],
    })
  })
})

describe('ONNX', () => {
  const node = (operator: string, domain = '', ...attributes: Uint8Array[]) =>
    message([1, 'x'], [2, 'y'], [4, operator], [7, domain], ...attributes.map((one) => [5, one] as [number, Uint8Array]))
  const external = (location: string) => message([1, 10], [2, 1], [8, 'w'], [13, message([1, 'location'], [2, location])], [14, 1])
  const model = (graph: Uint8Array, ...more: [number, Uint8Array][]) => message([1, 8], [2, 'test'], ...more, [7, graph])
  const plain = message([1, node('Relu')], [5, message([1, 4], [2, 1], [9, new Uint8Array(5000)])])

  test('a model with its own tensors and operators is clean', async () => {
    expect(await scanBytes('m.onnx', model(plain))).toMatchObject({ verdict: 'clean', ids: [] })
    expect((await scanBytes('m.onnx', model(plain))).report.findings.map(({ id }) => id)).toEqual(['model-not-examined'])
  })
  test.each([
    ['data outside its folder', message([1, node('Relu')], [5, external('../../etc/passwd')]), 'poisoned', 'onnx-external-path'],
    ['data at an absolute path', message([1, node('Relu')], [5, external('/etc/passwd')]), 'poisoned', 'onnx-external-path'],
    [
      'data outside in an attribute',
      message([1, node('Constant', '', message([1, 'value'], [5, external('../x')]))]),
      'poisoned',
      'onnx-external-path',
    ],
    [
      'data outside in a graph of an attribute',
      message([1, node('If', '', message([1, 'then'], [6, message([5, external('..\\x')])]))]),
      'poisoned',
      'onnx-external-path',
    ],
    ['an operator of a library', message([1, node('Magic', 'my.domain')]), 'suspicious', 'onnx-custom-operator'],
    ['an operator that calls Python', message([1, node('PythonOp', 'com.microsoft')]), 'suspicious', 'onnx-custom-operator'],
  ])('%s', async (_, graph, verdict, id) => {
    for (const name of ['m.onnx', 'renamed.bin']) expect(await scanBytes(name, model(graph)), name).toMatchObject({ verdict, ids: [id] })
  })
  test('an operator that the model itself defines is none of a library', async () => {
    const defined = message([1, 'Magic'], [10, 'my.domain'], [7, node('Relu')])
    expect(await scanBytes('m.onnx', model(message([1, node('Magic', 'my.domain')]), [25, defined]))).toMatchObject({ ids: [] })
  })
  test('what is cut off or something else is not clean', async () => {
    expect(await scanBytes('m.onnx', model(plain).subarray(0, 3000))).toMatchObject({ verdict: 'inconclusive', ids: ['onnx-malformed'] })
    expect(await scanBytes('m.onnx', latin1('\x08\x08'))).toMatchObject({ verdict: 'inconclusive', ids: ['onnx-malformed'] })
  })
})

describe('TensorFlow', () => {
  const graph = (...operations: string[]) => message(...operations.map((name) => [1, message([1, 'n'], [2, name])] as [number, Uint8Array]))
  const saved = (definition: Uint8Array) => message([1, 1], [2, message([1, message([5, '2.15'])], [2, definition])])
  test.each(['ReadFile', 'WriteFile', 'MatchingFiles', 'PyFunc', 'EagerPyFunc'])('%s is found in graphs and functions', async (name) => {
    const inFunction = message([1, message([1, 'n'], [2, 'Const'])], [2, message([1, message([3, message([1, 'n'], [2, name])])])])
    for (const definition of [graph('MatMul', name), inFunction]) {
      expect(await scanBytes('saved_model.pb', saved(definition))).toMatchObject({
        verdict: 'poisoned',
        ids: ['tensorflow-file-operation'],
      })
      expect(await scanBytes('frozen.pb', definition)).toMatchObject({ verdict: 'poisoned', ids: ['tensorflow-file-operation'] })
    }
    expect(await scanBytes('graph.pbtxt', latin1(`node { op: "${name}" }`))).toMatchObject({ ids: ['tensorflow-file-operation'] })
  })
  test('a graph that computes is clean; metadata with a Lambda layer is not; noise is inconclusive', async () => {
    expect(await scanBytes('saved_model.pb', saved(graph('MatMul', 'RestoreV2', 'SaveV2')))).toMatchObject({ verdict: 'clean', ids: [] })
    const metadata = message([1, message([2, 'root'], [4, JSON.stringify({ class_name: 'Lambda', config: {} })])])
    expect(await scanBytes('keras_metadata.pb', metadata)).toMatchObject({ verdict: 'poisoned', ids: ['keras-code'] })
    expect(await scanBytes('saved_model.pb', new Uint8Array(500).fill(0xff))).toMatchObject({ verdict: 'inconclusive' })
  })
})

const walk = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
const templates: [string, string, string, string][] = [
  ['a walk over attributes', walk, 'poisoned', 'template-code'],
  ['a walk in a statement', '{% for c in [].__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}', 'poisoned', 'template-code'],
  ['a walk by subscripts', "{{ ''['__class__'] }}", 'poisoned', 'template-code'],
  ['a walk by escapes', "{{ ''['\\x5f\\x5fclass\\x5f\\x5f'] }}", 'poisoned', 'template-code'],
  ['a walk by the attr filter', "{{ ''|attr('__class__') }}", 'poisoned', 'template-code'],
  ['globals of what Jinja offers', "{{ cycler.__init__.__globals__.os.popen('id').read() }}", 'poisoned', 'template-code'],
  ['a walk in a format string', "{{ '{0.__class__}'.format(messages) }}", 'poisoned', 'template-code'],
  ['a name put together', "{{ messages['_' * 2 ~ 'class' ~ '_' * 2] }}", 'suspicious', 'template-suspicious'],
  ['a computed attribute', '{{ messages|attr(x) }}', 'suspicious', 'template-suspicious'],
  ['another template', "{% include 'other' %}", 'suspicious', 'template-suspicious'],
]
const honest =
  "{{ bos_token }}{% for message in messages %}{% if loop.index0 == 0 and message['role'] != 'user' %}{{ raise_exception('roles') }}{% endif %}{{ '<|' + message.role + '|>__init__' + message['content'] | trim }}{% endfor %}{% set ns = namespace(found=false) %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"

describe('chat templates', () => {
  test.each(templates)('%s is found in GGUF files, configurations and templates', async (_, template, verdict, id) => {
    const files: [string, Uint8Array][] = [
      ['m.gguf', makeGguf(template)],
      ['m.gguf', makeGguf(template, { key: 'tokenizer.chat_template.tool_use' })],
      ['tokenizer_config.json', json({ chat_template: template })],
      ['tokenizer_config.json', json({ chat_template: [{ name: 'default', template }] })],
      ['chat_template.jinja', latin1(template)],
    ]
    for (const [name, bytes] of files) {
      const scanned = await scanBytes(name, bytes)
      expect(scanned.ids, name).toContain(id)
      expect(scanned.verdict, name).toBe(verdict)
    }
  })
  test('an honest template is clean', async () => {
    for (const [name, bytes] of [
      ['m.gguf', makeGguf(honest, { tensors: 1 })],
      ['chat_template.jinja', latin1(honest)],
      ['a.json', json({ chat_template: honest })],
    ] as const) {
      expect(await scanBytes(name, bytes)).toMatchObject({ verdict: 'clean', ids: [] })
    }
  })
  test('a GGUF file whose header lies or ends is found', async () => {
    const good = makeGguf(honest, { tensors: 1 })
    const lie = (at: number, value: number) => concat([good.subarray(0, at), length(value, 8), good.subarray(at + 8)])
    expect(await scanBytes('m.gguf', lie(8, 2 ** 50))).toMatchObject({ verdict: 'suspicious', ids: ['gguf-malformed'] })
    expect(await scanBytes('m.gguf', lie(16, 2 ** 62))).toMatchObject({ verdict: 'suspicious', ids: ['gguf-malformed'] })
    expect(await scanBytes('m.gguf', good.subarray(0, 100))).toMatchObject({ verdict: 'inconclusive', ids: ['gguf-truncated'] })
  })
})

describe('configurations and programs', () => {
  test.each([
    ['config.json', json({ auto_map: { AutoModel: 'modeling_x.XModel' } }), 'suspicious', 'remote-code'],
    ['config.json', json({ custom_pipelines: { p: { impl: 'p.Pipeline' } } }), 'suspicious', 'remote-code'],
    ['config.json', latin1('{"a": '), 'inconclusive', 'config-malformed'],
    ['modeling_x.py', latin1('import torch\n'), 'inconclusive', 'python-code'],
    ['lib.so', latin1('\x7fELF\x02\x01'), 'inconclusive', 'python-code'],
    ['run', latin1('#!/bin/sh\nls\n'), 'inconclusive', 'python-code'],
    ['params.yaml', latin1('a: !!python/object/apply:os.system ["id"]\n'), 'poisoned', 'yaml-code'],
    ['weights.bin', new Uint8Array(100).fill(0xee), 'inconclusive', 'unknown-content'],
  ])('%s %#', async (name, bytes, verdict, id) => {
    expect(await scanBytes(name, bytes)).toMatchObject({ verdict, ids: [id] })
  })
  test('plain ones are clean', async () => {
    expect(await scanBytes('config.json', json({ model_type: 'bert', hidden_size: 3 }))).toMatchObject({ verdict: 'clean', ids: [] })
    expect(await scanBytes('README.md', latin1('# A model\n'))).toMatchObject({ verdict: 'clean', ids: [] })
    expect(await scanBytes('empty.bin', new Uint8Array(0))).toMatchObject({ verdict: 'clean', ids: [] })
  })
})

describe('safetensors', () => {
  const header = (text: string, data: Uint8Array) => concat([length(text.length, 8), latin1(text), data])
  test('a sound file is clean, of eight-bit floats too', async () => {
    const eightBit = header('{"w":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}', new Uint8Array(4))
    expect(await scanBytes('m.safetensors', eightBit)).toMatchObject({ verdict: 'clean', ids: [] })
    expect(await scanBytes('m.safetensors', safetensorsOf({}))).toMatchObject({ verdict: 'clean', ids: [] })
  })
  test('one whose header and bytes differ is found', async () => {
    const w = '{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
    expect(await scanBytes('m.safetensors', header(w, new Uint8Array(9)))).toMatchObject({
      verdict: 'suspicious',
      ids: ['safetensors-malformed'],
    })
    expect(await scanBytes('m.safetensors', header(w, new Uint8Array(2)))).toMatchObject({
      verdict: 'inconclusive',
      ids: ['safetensors-truncated'],
    })
  })
  const crafted = join(import.meta.dirname, '../../../shared/provenance/crafted-safetensors')
  const files = (() => {
    try {
      return readdirSync(crafted)
    } catch {
      return []
    }
  })()
  test.skipIf(files.length === 0)('the crafted files are all found, and the sound one is clean', async () => {
    for (const name of files) {
      const { verdict } = await scanBytes(name, new Uint8Array(readFileSync(join(crafted, name))))
      if (name === 'ok.safetensors') expect(verdict).toBe('clean')
      else expect(['suspicious', 'inconclusive'], name).toContain(verdict)
    }
  })
})
