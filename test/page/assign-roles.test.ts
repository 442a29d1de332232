import { expect, test } from 'vitest'
import { assignRoles } from '../../src/page/assign-roles.js'
import type { SurveyedFile } from '../../src/page/messages.js'

const file = (name: string, kind: SurveyedFile['kind'] = 'array', arrays: [key: string, dimensions: number][] = []): SurveyedFile => ({
  name,
  byteLength: 100,
  kind,
  arrays: arrays.map(([key, dimensions]) => ({ key, dimensions, says: '' })),
  problem: null,
})
const matrix = (name: string) => file(name, 'array', [['', 2]])
const vector = (name: string) => file(name, 'array', [['', 1]])
const rolesOf = (...files: SurveyedFile[]) => assignRoles(files).roles

test('the files of an audit folder are taken by their names, and what else lies there is left out', () => {
  const found = assignRoles([
    matrix('activations.npy'),
    vector('labels.npy'),
    matrix('trusted_activations.npy'),
    vector('trusted_labels.npy'),
    file('class_names.json', 'table'),
    file('images.npz', 'bundle', [['images', 4]]),
    file('model.onnx', 'other'),
    matrix('some features.npy'),
  ])
  expect(found.roles).toEqual(['activations', 'labels', 'trusted_activations', 'trusted_labels', 'class_names', 'images', null, null])
  expect(found.isSure).toBe(true)
})

test('where a folder has no labels by name, what looks like them is proposed', () => {
  expect(assignRoles([matrix('activations.npy'), vector('mystery.npy')])).toMatchObject({ roles: ['activations', 'labels'], isSure: false })
  expect(assignRoles([matrix('activations.npy')])).toMatchObject({ roles: ['activations'], isSure: false })
})

test('a bundle with the usual keys is sure, alone or beside files of an audit folder', () => {
  const bundle = file('set.npz', 'bundle', [['activations', 2], ['label', 1]]) // biome-ignore format: pairs
  expect(assignRoles([bundle])).toEqual({ roles: ['activations'], columns: { activations: 'activations', labels: 'label' }, isSure: true })
  expect(assignRoles([file('x.npz', 'bundle', [['activations', 2]]), vector('labels.npy')])).toMatchObject({
    roles: ['activations', 'labels'],
    isSure: true,
  })
})

test('a bundle with other keys is asked about: what looks right is proposed, and never one key for both', () => {
  const named = assignRoles([file('t.parquet', 'bundle', [['id', 1], ['target', 1], ['embedding', 2]])]) // biome-ignore format: pairs
  expect(named).toEqual({ roles: ['activations'], columns: { activations: 'embedding', labels: 'target' }, isSure: false })
  const unnamed = assignRoles([file('t.npz', 'bundle', [['a', 2], ['b', 1]])]) // biome-ignore format: pairs
  expect(unnamed).toEqual({ roles: ['activations'], columns: { activations: 'a', labels: 'b' }, isSure: false })
})

test('files of other names are guessed by words and by what they hold, each role once, and asked about', () => {
  expect(rolesOf(matrix('train_features.npy'), file('targets.csv', 'table'), vector('predicted.npy'))).toEqual([
    'activations',
    'labels',
    'preds',
  ])
  expect(rolesOf(vector('one.npy'), matrix('two.npy'))).toEqual(['labels', 'activations'])
  expect(rolesOf(matrix('clean_embeddings.npy'), vector('clean_labels.npy'), matrix('embeddings.npy'), vector('labels_v2.npy'))).toEqual([
    ...['trusted_activations', 'trusted_labels', 'activations', 'labels'],
  ])
  expect(rolesOf(matrix('features_a.npy'), matrix('features_b.npy'))).toEqual(['activations', null])
  expect(assignRoles([matrix('two.npy'), vector('one.npy')]).isSure).toBe(false)
})

test('one name twice is a question, not a choice', () => {
  const twice = assignRoles([matrix('activations.npy'), matrix('activations.npy'), vector('labels.npy')])
  expect(twice.isSure).toBe(false)
  expect(twice.roles.filter((role) => role === 'activations')).toHaveLength(1)
})

test('a file that cannot be read is taken for nothing by a guess', () => {
  expect(rolesOf({ ...matrix('features.npy'), problem: 'broken' }, matrix('other.npy'))).toEqual([null, 'activations'])
})

test('columns of a table of labels are proposed', () => {
  const table = (name: string) => file('labels.csv', 'table', [['id', 1], [name, 1]]) // biome-ignore format: pairs
  expect(assignRoles([matrix('activations.npy'), table('label')])).toMatchObject({ columns: { labels: 'label' }, isSure: false })
  expect(assignRoles([matrix('feats.npy'), table('class id')])).toMatchObject({ columns: { labels: 'class id' }, isSure: false })
})
