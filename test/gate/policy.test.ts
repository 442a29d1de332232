import { readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import * as z from 'zod/mini'
import { buildTypeOf, stages } from '../../src/custody/stage.js'
import { parsePolicy, policySchema, readPolicy, reasons, stageNames } from '../../src/gate/index.js'
import { refusals } from '../../src/provenance/refusal.js'
import { keyOf, policyOfTen } from './chain-of-ten.js'

const docs = readFileSync(join(import.meta.dirname, '../../docs/policy.md'), 'utf8')
const rowsOf = (heading: string) => {
  const [, section = ''] = docs.split(heading)
  return [...(section.split('\n## ')[0] ?? '').matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)].map(
    ([, name = '', says = '']) => [name, says] as const,
  )
}
interface JsonSchema {
  readonly type?: string
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
}
let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'assay-policy-'))
  for (const [name, role] of Object.entries({ data: 'data-set', auditor: 'auditor', intake: 'release' })) {
    await writeFile(join(scratch, `${name}.pub`), keyOf(role).publicKey)
  }
  await writeFile(join(scratch, 'root.pem'), 'not read before a decision')
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

describe('docs/policy.md', () => {
  it('lists every reason, with the words that the code has for it', () => {
    const rows = rowsOf('## The decision')
    expect(Object.fromEntries(rows)).toEqual(reasons)
    expect(rows).toHaveLength(Object.keys(reasons).length)
  })

  it('lists every field, and no other', () => {
    const named: string[] = []
    const visit = (schema: JsonSchema, at: string): void => {
      if (schema.properties)
        for (const [name, inner] of Object.entries(schema.properties)) visitField(inner, at === '' ? name : `${at}.${name}`)
    }
    const visitField = (schema: JsonSchema, at: string): void => {
      if (schema.additionalProperties && typeof schema.additionalProperties === 'object') {
        named.push(`${at}.NAME`)
        visit(schema.additionalProperties, `${at}.NAME`)
      } else if (schema.type === 'array' && schema.items?.properties) visit(schema.items, `${at}[]`)
      else if (schema.properties) visit(schema, at)
      else named.push(at)
    }
    visit(z.toJSONSchema(policySchema) as JsonSchema, '')
    expect(
      rowsOf('### Every field')

        .map(([name]) => name)
        .sort(),
    ).toEqual(named.sort())
  })

  it('shows the stages as they are', () => {
    const rows = rowsOf('## Claims').filter(([name]) => (stageNames as readonly string[]).includes(name))
    expect(
      rows.map(([name, rest]) => [
        name,
        [
          ...rest
            .split('|')
            .slice(0, 2)
            .join()
            .matchAll(/`([^`]+)`/g),
        ].map(([, one]) => one),
      ]),
    ).toEqual(stageNames.map((stage) => [stage, [buildTypeOf(stage), ...stages[stage].from]]))
  })

  it('shows policies that are taken', async () => {
    const examples = [...docs.matchAll(/<!-- policy -->\s*```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text)
    expect(examples).toHaveLength(2)
    for (const example of examples)
      await expect(parsePolicy(example, { folder: scratch })).resolves.toMatchObject({ digest: /^[0-9a-f]{64}$/ })
  })

  it('names codes of refusals that are none of its own, but one', () => {
    expect(Object.keys(reasons).filter((code) => Object.hasOwn(refusals, code))).toEqual(['file-unsigned'])
  })
})

describe('a policy is refused', () => {
  const { publicKey } = keyOf('data-set')
  const whole = { ...policyOfTen, tests: [{ test: 'audit', signers: ['auditor'], maxAge: '1d' }] }
  const { stages: rules, roots, subject, signers, tests } = whole
  const cases: readonly (readonly [string, object, RegExp])[] = [
    ['that asks for nothing', { schemaVersion: 1, signers, subject: { signers: ['release'] } }, /asks for no claim/],
    [
      'that asks for no test and no stage',
      { ...whole, subject: { signers: ['release'] }, stages: {}, roots: undefined, tests: [] },
      /asks for no claim/,
    ],
    ['without roots', { ...whole, roots: [] }, /roots: is missing or empty/],
    [
      'with roots, but without stages',
      { ...whole, stages: undefined, subject: { signers: ['release'] } },
      /roots: is there without stages/,
    ],
    ['without the stages of the subject', { ...whole, subject: { signers: ['release'] } }, /subject\.stages: is missing/],
    ['with an unknown field', { ...whole, subject: { ...subject, allow: true } }, /subject: has the unknown field 'allow'/],
    ['with a stranger', { ...whole, tests: [{ ...tests[0], signers: ['nobody'] }] }, /tests\.0\.signers: 'nobody' is no signer/],
    ['with nobody', { ...whole, subject: { ...subject, signers: [] } }, /subject\.signers: expected at least one/],
    ['with a stage that it does not have', { ...whole, roots: [{ stage: 'distillation' }] }, /'distillation' is no stage/],
    [
      'with a stage of its own without a build type',
      { ...whole, stages: { ...rules, distillation: { ...rules['data-set'], from: ['training'] } } },
      /stages\.distillation\.buildType/,
    ],
    [
      'with two stages of one build type',
      { ...whole, stages: { ...rules, own: { ...rules['data-set'], from: ['training'], buildType: buildTypeOf('training') } } },
      /is there twice/,
    ],
    ['that takes FAILED', { ...whole, tests: [{ ...tests[0], accept: ['FAILED'] }] }, /tests\.0\.accept\.0/],
    ['without an age', { ...whole, tests: [{ test: 'audit', signers: ['auditor'] }] }, /tests\.0\.maxAge/],
    ['with an age of no unit', { ...whole, clockSkew: '5' }, /clockSkew: expected an age/],
    ['with clocks that may say anything', { ...whole, clockSkew: 'unlimited' }, /clockSkew: is unlimited/],
    ['with a root known by half', { ...whole, roots: [{ stage: 'data-set', rootDigest: '0'.repeat(64) }] }, /together/],
    [
      'with a signer of two kinds',
      { ...whole, signers: { ...signers, x: { publicKey, identity: 'a', issuer: 'b' } } },
      /signers\.x: expected exactly one/,
    ],
    ['with a signer of no kind', { ...whole, signers: { ...signers, x: {} } }, /signers\.x: expected exactly one/],
    ['with one signer under two names', { ...whole, signers: { ...signers, x: { publicKey } } }, /'data-set' and 'x' are the same signer/],
    [
      'with a path out of the folder',
      { ...whole, subject: { ...subject, claims: '../claims.jsonl' } },
      /subject\.claims: expected a path below/,
    ],
    ['with the same file twice', { ...whole, subject: { ...subject, claims: 'model.sig', signature: 'model.sig' } }, /the same file/],
    ['of another version', { ...whole, schemaVersion: 2 }, /schemaVersion/],
  ]
  it.each(cases)('%s', async (_, policy, problem) => {
    const error = await parsePolicy(JSON.stringify(policy)).catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'InputError', code: 'bad-policy' })
    expect(error.message).toMatch(problem)
    expect(roots).toBeDefined()
  })

  it('with all that is wrong at once', async () => {
    const error = await parsePolicy(JSON.stringify({ ...whole, roots: [], subject: { signers: ['nobody'] } })).catch((thrown) => thrown)
    expect(error.details.problems).toHaveLength(3)
  })

  it.each([
    ['a: 1\nb: 2\na: 3\n', /line 3: has the key 'a' twice/],
    ['a: { b: 1, b: 2 }', /line 1: has the key 'b' twice/],
    ['{"a": 1, "a": 2}', /has the key 'a' twice/],
    ['a: &x 1\nb: 2\n', /has the anchor &x/],
    ['a: &x 1\nb: *x\n', /has the (?:anchor|alias)/],
    ['a: !!binary aGk=\n', /has the tag/],
    ['a: !x 1\n', /(?:has the tag|tag)/],
    ['1: a\n', /key that is not a text/],
    ['? [a]\n: b\n', /key that is not a text/],
    ['%YAML 1.1\n---\na: 1\n', /directive/],
    ['a: 1\n---\nb: 1\n', /policy, line/],
    ['a: [', /policy, line/],
    ['', /the policy: /],
    ['a', /the policy: /],
  ])('in YAML: %j', async (text, problem) => {
    const error = await parsePolicy(text).catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'InputError', code: 'bad-policy' })
    expect(error.message).toMatch(problem)
  })
})

test('a policy of brackets without end is refused, and does not end the process', async () => {
  await expect(parsePolicy(`a: ${'['.repeat(100_000)}`)).rejects.toMatchObject({ name: 'InputError', code: 'bad-policy' })
})

test('the digest of a policy binds the keys, and not how it is written', async () => {
  const text = `schemaVersion: 1\nsigners: { a: { publicKey: data.pub } }\nsubject: { signers: [a] }\ntests: [{ test: audit, signers: [a], maxAge: 1d }]\n`
  const file = join(scratch, 'policy.yaml')
  await writeFile(file, text)
  const { digest } = await readPolicy(file)
  const inPlace = { signers: { a: { publicKey: await readFile(join(scratch, 'data.pub'), 'utf8') } }, subject: { signers: ['a'] } }
  expect(
    (await parsePolicy(JSON.stringify({ tests: [{ maxAge: '1d', signers: ['a'], test: 'audit' }], schemaVersion: 1, ...inPlace }))).digest,
  ).toBe(digest)
  await writeFile(file, `# a remark\n${text}`)
  expect((await readPolicy(file)).digest).toBe(digest)
  await writeFile(file, text.replace('data.pub', 'auditor.pub'))
  expect((await readPolicy(file)).digest).not.toBe(digest)
  await writeFile(file, text.replace('data.pub', 'nowhere.pub'))
  await expect(readPolicy(file)).rejects.toMatchObject({ code: 'not-found' })
})
