import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { attest, type GateDecision, gate, type LoadedPolicy, type TestRequest } from '../../src/gate/index.js'
import { bundleMediaType } from '../../src/provenance/bundle.js'
import { payloadSigner } from '../../src/provenance/node-sign-payload.js'
import { hour, keyOf, load, now, policyOfTen, putClaims, type Role, signFolder } from './chain-of-ten.js'

let scratch: string
let data: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'assay-gate-'))
  data = join(scratch, 'data')
  await mkdir(data)
  await writeFile(join(data, 'rows.bin'), 'rows')
  await signFolder(data, 'data-set')
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

const { signers } = policyOfTen
const tests = [{ test: 'lint', of: ['data-set'], signers: ['auditor'], maxAge: '1d' }]
const base = {
  schemaVersion: 1,
  signers,
  subject: { signers: ['data-set'], stages: ['data-set'] },
  stages: { 'data-set': { signers: ['data-set'], maxAge: 'unlimited' } },
  roots: [{ stage: 'data-set' }],
  tests,
}
const policy = await load(base)

const ago = (hours: number) => new Date(now.getTime() - hours * hour)
const origin = async (role: Role = 'data-set', path = data) =>
  (await attest({ stage: 'data-set', output: { path }, finishedOn: ago(3) }, keyOf(role), { threads: 1 })).bundle.trimEnd()
const result = async (result: 'PASSED' | 'WARNED' | 'FAILED', change: Partial<TestRequest> = {}, role: Role = 'auditor') => {
  const report = { name: 'lint.txt', bytes: Buffer.from(result) }
  const request = { subjects: [{ path: data }], report, test: 'lint', result, finishedOn: ago(2), ...change }
  return (await attest(request, keyOf(role), { threads: 1 })).bundle.trimEnd()
}
const decide = (applied: LoadedPolicy = policy, path = data): Promise<GateDecision> => gate({ policy: applied, path, at: now, threads: 1 })
async function decideOn(lines: readonly string[], applied = policy): Promise<string[]> {
  await putClaims(data, lines)
  return (await decide(applied)).reasons.map(({ code, refusal }) => (refusal ? `${code}: ${refusal}` : code))
}
// biome-ignore lint/suspicious/noExplicitAny: parsed JSON that a test spoils
type Editable = any
const editBundle = (line: string, edit: (json: Editable) => void): string => {
  const json = JSON.parse(line)
  edit(json)
  return JSON.stringify(json)
}
/** A claim whose payload is anything, signed by a role. */
const crafted = async (payload: string, role: Role) => (await (await payloadSigner(keyOf(role)))(Buffer.from(payload))).trimEnd()
const payloadOf = (line: string) => JSON.parse(Buffer.from(JSON.parse(line).dsseEnvelope.payload, 'base64').toString())

it('lets through what is signed, claimed and tested, and says so for machines', async () => {
  await putClaims(data, [await origin(), await result('PASSED')])
  const decision = await decide()
  expect(decision).toMatchObject({ schemaVersion: 1, decision: 'allow', policyDigest: policy.digest })
  expect(decision.reasons).toEqual([
    {
      code: 'allowed',
      says: expect.stringMatching(/^'data' \([0-9a-f]{12}\) is as signed.*data-set by data-set; lint PASSED by auditor$/),
    },
  ])
  const { rootDigest, statementDigest } = decision.subject
  expect(rootDigest).toBe(createHash('sha256').update(createHash('sha256').update('rows').digest()).digest('hex'))
  const subjects = [{ name: 'data', rootDigest, statementDigest }]
  expect(decision.claims).toMatchObject([
    { line: 1, kind: 'provenance', name: 'data-set', result: null, subjects, signers: ['data-set'], time: ago(3).toISOString() },
    { line: 2, kind: 'test-result', name: 'lint', result: 'PASSED', subjects, signers: ['auditor'], time: ago(2).toISOString() },
  ])
})

describe('of the results of a test', () => {
  const cases: readonly (readonly [
    string,
    () => Promise<string[]>,
    Partial<(typeof tests)[number]> & { accept?: string[]; conflict?: string },
    string[],
  ])[] = [
    ['none is a test that is missing', async () => [], {}, ['test-missing']],
    ['FAILED denies', async () => [await result('FAILED')], {}, ['test-failed']],
    ['WARNED denies, unless the policy takes it', async () => [await result('WARNED')], {}, ['test-failed']],
    ['WARNED passes where the policy takes it', async () => [await result('WARNED')], { accept: ['PASSED', 'WARNED'] }, ['allowed']],
    ['FAILED wins over PASSED by default', async () => [await result('PASSED'), await result('FAILED')], {}, ['test-failed']],
    [
      'an old FAILED wins over a newer PASSED',
      async () => [await result('FAILED', { finishedOn: ago(100) }), await result('PASSED')],
      {},
      ['test-failed'],
    ],
    [
      'the newest counts where the policy says so',
      async () => [await result('FAILED', { finishedOn: ago(3) }), await result('PASSED')],
      { conflict: 'newest' },
      ['allowed'],
    ],
    [
      'a newer FAILED counts there too',
      async () => [await result('PASSED', { finishedOn: ago(3) }), await result('FAILED')],
      { conflict: 'newest' },
      ['test-failed'],
    ],
    [
      'of two of the same time FAILED wins there too',
      async () => [await result('PASSED'), await result('FAILED')],
      { conflict: 'newest' },
      ['test-failed'],
    ],
    ['a stale one denies', async () => [await result('PASSED', { finishedOn: ago(25) })], {}, ['claim-stale']],
    [
      'a stale one beside a fresh one does not',
      async () => [await result('PASSED', { finishedOn: ago(25) }), await result('PASSED')],
      {},
      ['allowed'],
    ],
    ['one of the future denies', async () => [await result('PASSED', { finishedOn: ago(-1) })], {}, ['claim-future', 'test-missing']],
    [
      'one by another role denies',
      async () => [await result('PASSED'), await result('PASSED', {}, 'data-set')],
      {},
      ['signer-not-allowed'],
    ],
    [
      'one by a stranger denies',
      async () => [await result('PASSED'), await result('FAILED', {}, 'stranger')],
      {},
      ['signer-unknown: key-mismatch'],
    ],
    [
      'one of a test without a rule denies',
      async () => [await result('PASSED'), await result('PASSED', { test: 'other' })],
      {},
      ['claim-unexpected'],
    ],
    ['what is to be tested must be there', async () => [await result('PASSED')], { of: ['training'] }, ['test-missing']],
  ]
  it.each(cases)('%s', async (_, lines, change, expected) => {
    const stages = { ...base.stages, training: { signers: ['training'], maxAge: '1d' } }
    const applied = await load({ ...base, stages, tests: [{ ...tests[0], ...change }] })
    expect(await decideOn([await origin(), ...(await lines())], applied)).toEqual(expected)
  })
})

describe('a claim that was changed is refused', () => {
  it('in any byte of its payload, its signature, or how it says who signed', async () => {
    const [one, other] = [await origin(), await result('PASSED')]
    const flip = (text: string, at: number) => {
      const bytes = Buffer.from(text, 'base64')
      bytes[at] = (bytes[at] as number) ^ 1
      return bytes.toString('base64')
    }
    const lines: string[] = []
    for (const share of [0, 0.3, 0.6, 0.99]) {
      for (const field of ['payload', 'sig'] as const) {
        lines.push(
          editBundle(one, ({ dsseEnvelope: envelope }) => {
            const holder = field === 'payload' ? envelope : envelope.signatures[0]
            holder[field] = flip(holder[field], Math.floor(Buffer.from(holder[field], 'base64').length * share))
          }),
        )
      }
    }
    lines.push(
      editBundle(one, ({ verificationMaterial }) => {
        verificationMaterial.publicKey.hint = '0'.repeat(64)
      }),
    )
    lines.push(
      editBundle(one, ({ dsseEnvelope }) => {
        dsseEnvelope.payload = JSON.parse(other).dsseEnvelope.payload
      }),
    )
    for (const line of lines) {
      const codes = await decideOn([line, other])
      expect(codes[0]).toMatch(/^(?:claim-refused: signature-invalid|signer-unknown: key-mismatch)$/)
      expect(codes).toContain('link-missing')
    }
  })

  it('in its spelling', async () => {
    const [one, other] = [await origin(), await result('PASSED')]
    const unpadded = editBundle(one, ({ dsseEnvelope }) => {
      dsseEnvelope.payload = `${dsseEnvelope.payload} `
    })
    const cases: readonly (readonly [string, string])[] = [
      [unpadded, 'base64-not-canonical'],
      [
        editBundle(one, (json) => {
          json.more = 1
        }),
        'unknown-field',
      ],
      [
        editBundle(one, (json) => {
          json.dsseEnvelope.more = 1
        }),
        'unknown-field',
      ],
      [one.replace('{', '{"mediaType":"x",'), 'json-duplicate-key'],
      [one.replace('{', '{ '), 'bundle-malformed'],
      [`${one}\r`, 'bundle-malformed'],
      [one.replace('mediaType', '\\u006dediaType'), 'bundle-malformed'],
      ['', 'bundle-malformed'],
      ['{}', 'media-type'],
      ['not json', 'bundle-malformed'],
      [one.slice(0, -1), 'bundle-malformed'],
      [
        editBundle(one, (json) => {
          json.mediaType = `${bundleMediaType};x`
        }),
        'media-type',
      ],
    ]
    for (const [line, refusal] of cases) {
      // what is beside it is whole: one line that cannot be read denies
      expect((await decideOn([one, other, line]))[0], line.slice(0, 60)).toBe(`claim-refused: ${refusal}`)
    }
  })

  it('in what it says, though validly signed', async () => {
    const [one, other] = [await origin(), await result('PASSED')]
    const change = (line: string, role: Role, edit: (statement: Editable) => void) => {
      const statement = payloadOf(line)
      edit(statement)
      return crafted(JSON.stringify(statement), role)
    }
    const said: readonly (readonly [Promise<string>, string])[] = [
      [
        change(one, 'data-set', (s) => {
          s.more = 1
        }),
        'unknown-field',
      ],
      [
        change(one, 'data-set', (s) => {
          s.predicate.more = 1
        }),
        'unknown-field',
      ],
      [
        change(one, 'data-set', (s) => {
          s.predicate.runDetails.metadata.more = 1
        }),
        'unknown-field',
      ],
      [
        change(one, 'data-set', (s) => {
          s.subject = Array.from({ length: 1001 }, (_, i) => ({
            ...s.subject[0],
            name: `${i}`,
            digest: { sha256: `${i}`.padStart(64, '0') },
          }))
        }),
        'statement-malformed',
      ],
      [
        change(one, 'data-set', (s) => {
          s._type = 'https://in-toto.io/Statement/v0.1'
        }),
        'statement-type',
      ],
      [
        change(one, 'data-set', (s) => {
          s.predicateType = 'https://slsa.dev/provenance/v0.2'
        }),
        'predicate-type',
      ],
      [
        change(one, 'data-set', (s) => {
          s.subject = []
        }),
        'subject-count',
      ],
      [
        change(one, 'data-set', (s) => {
          s.subject.push(s.subject[0])
        }),
        'statement-malformed',
      ],
      [
        change(one, 'data-set', (s) => {
          s.subject[0].digest.sha256 = s.subject[0].digest.sha256.toUpperCase()
        }),
        'statement-malformed',
      ],
      [
        change(one, 'data-set', (s) => {
          s.predicate.runDetails.metadata.finishedOn = '2026-02-31T00:00:00Z'
        }),
        'statement-malformed',
      ],
      [
        change(one, 'data-set', (s) => {
          s.predicate.runDetails.metadata = {}
        }),
        'statement-malformed',
      ],
      [
        change(one, 'data-set', (s) => {
          s.predicate.runDetails.metadata.startedOn = '2027-01-01T00:00:00Z'
        }),
        'statement-malformed',
      ],
      [crafted(JSON.stringify(payloadOf(one)).replace('{', '{"_type":"x",'), 'data-set'), 'json-duplicate-key'],
      [
        change(other, 'auditor', (s) => {
          s.predicate.failedTests = ['more']
        }),
        'statement-malformed',
      ],
      [
        change(other, 'auditor', (s) => {
          s.predicate.passedTests = []
        }),
        'statement-malformed',
      ],
      [
        change(other, 'auditor', (s) => {
          s.predicate.passedTests = ['lint', 'lint']
        }),
        'statement-malformed',
      ],
      [
        change(other, 'auditor', (s) => {
          s.predicate.configuration[0].annotations = {}
        }),
        'statement-malformed',
      ],
      [
        change(other, 'auditor', (s) => {
          s.predicate.result = 'SKIPPED'
        }),
        'statement-malformed',
      ],
    ]
    for (const [index, [line, refusal]] of said.entries()) {
      expect(await decideOn([one, other, await line]), `${index}`).toEqual([`claim-refused: ${refusal}`])
    }
    // the root digest alone binds nothing
    const loose = change(one, 'data-set', (s) => {
      delete s.subject[0].annotations
    })
    expect(await decideOn([await loose, other])).toEqual(['link-missing', 'test-missing', 'claim-renamed'])
  })
})

describe('a claim about something else is refused', () => {
  it('where the folder has the same bytes under other names', async () => {
    const renamed = join(scratch, 'renamed')
    await cp(data, renamed, { recursive: true })
    await rename(join(renamed, 'rows.bin'), join(renamed, 'other.bin'))
    await signFolder(renamed, 'data-set')
    await putClaims(renamed, [await origin(), await result('PASSED')])
    const decision = await decide(policy, renamed)
    expect(decision.subject.rootDigest).toBe((await decide()).subject.rootDigest)
    expect(decision.reasons.map(({ code }) => code)).toEqual(['link-missing', 'test-missing', 'claim-renamed', 'claim-renamed'])
  })

  it('where one of its subjects is not in the chain', async () => {
    const other = join(scratch, 'other')
    await mkdir(other)
    await writeFile(join(other, 'rows.bin'), 'other rows')
    await signFolder(other, 'data-set')
    const both = await result('PASSED', { subjects: [{ path: data }, { path: other }] })
    expect(await decideOn([await origin(), both])).toEqual(['claim-unrelated'])
    expect(await decideOn([await origin(), await result('PASSED', { subjects: [{ path: other }] })])).toEqual([
      'test-missing',
      'claim-unrelated',
    ])
  })

  it('where the policy asks for no chain, and there is one', async () => {
    const { roots: _, stages: __, ...rest } = base
    const bare = await load({ ...rest, subject: { signers: ['data-set'] }, tests: [{ ...tests[0], of: ['subject'] }] })
    expect(await decideOn([await result('PASSED')], bare)).toEqual(['allowed'])
    expect(await decideOn([await result('PASSED'), await origin()], bare)).toEqual(['claim-unexpected'])
  })
})

describe('of a chain', () => {
  it('the root must be one of the policy', async () => {
    const [one, other] = [await origin(), await result('PASSED')]
    const elsewhere = await load({ ...base, roots: [{ stage: 'data-set', signers: ['training'] }] })
    expect(await decideOn([one, other], elsewhere)).toEqual(['root-untrusted'])
    const { subject } = await decide()
    const { rootDigest, statementDigest } = subject
    const known = await load({ ...base, roots: [{ stage: 'data-set', rootDigest, statementDigest }] })
    expect(await decideOn([other], known)).toEqual(['allowed'])
    const otherStatement = await load({ ...base, roots: [{ stage: 'data-set', rootDigest, statementDigest: '0'.repeat(64) }] })
    expect(await decideOn([one, other], otherStatement)).toEqual(['root-untrusted'])
  })

  it('the builder must be one that the policy allows, where it says which', async () => {
    const ci = 'https://ci.example/release'
    const strict = await load({ ...base, stages: { 'data-set': { ...base.stages['data-set'], builders: [ci] } } })
    const lines = async (builder?: string) => [
      (await attest({ stage: 'data-set', output: { path: data }, builder, finishedOn: ago(3) }, keyOf('data-set'))).bundle.trimEnd(),
      await result('PASSED'),
    ]
    expect(await decideOn(await lines(), strict)).toEqual(['builder-not-allowed'])
    expect(await decideOn(await lines(ci), strict)).toEqual(['allowed'])
  })

  it('a stage needs what it is made of, from the stages that may feed it, and is known', async () => {
    const model = join(scratch, 'model')
    await mkdir(model)
    await writeFile(join(model, 'weights.bin'), 'weights')
    await signFolder(model, 'training')
    const stages = Object.fromEntries(
      ['data-set', 'training', 'release', 'quantisation'].map((stage) => [stage, { signers: [stage], maxAge: '1d' }]),
    )
    const whole = { ...base, subject: { signers: ['training'], stages: ['training', 'release', 'quantisation'] }, stages, tests: undefined }
    const decideAs = async (stage: 'training' | 'release' | 'quantisation', role: Role, change: object = {}) => {
      const request = { stage, output: { path: model }, inputs: [{ path: data }], finishedOn: ago(2) }
      await putClaims(model, [await origin(), (await attest(request, keyOf(role))).bundle.trimEnd()])
      return (await decide(await load({ ...whole, ...change }), model)).reasons.map(({ code }) => code)
    }
    expect(await decideAs('training', 'training')).toEqual(['allowed'])
    expect(await decideAs('release', 'release')).toEqual(['stage-order', 'stage-order'])
    expect(await decideAs('quantisation', 'quantisation')).toEqual(['stage-order'])
    expect(await decideAs('training', 'training', { subject: { signers: ['training'], stages: ['release'] } })).toEqual([
      'stage-not-allowed',
    ])
    expect(await decideAs('training', 'training', { subject: { signers: ['data-set'], stages: ['training'] } })).toEqual([
      'signer-not-allowed',
    ])
    const { training: _, ...without } = stages
    expect(await decideAs('training', 'training', { stages: without, subject: { signers: ['training'], stages: ['release'] } })).toEqual([
      'claim-unexpected',
    ])
    const own = { buildType: 'urn:assay:stage:training:v1x', from: ['data-set'], signers: ['training'], maxAge: '1d' }
    expect(await decideAs('training', 'training', { stages: { ...stages, distillation: own } })).toEqual(['allowed'])
  })

  it('an input must be bound by names too', async () => {
    const model = join(scratch, 'model')
    await mkdir(model)
    await writeFile(join(model, 'weights.bin'), 'weights')
    await signFolder(model, 'training')
    const request = { stage: 'training', output: { path: model }, inputs: [{ path: data }], finishedOn: ago(2) } as const
    const statement = payloadOf((await attest(request, keyOf('training'))).bundle)
    delete statement.predicate.buildDefinition.resolvedDependencies[0].annotations
    await putClaims(model, [await crafted(JSON.stringify(statement), 'training')])
    const stages = { ...base.stages, training: { signers: ['training'], maxAge: '1d' } }
    const applied = await load({ ...base, stages, subject: { signers: ['training'], stages: ['training'] }, tests: undefined })
    expect((await decide(applied, model)).reasons.map(({ code }) => code)).toEqual(['link-unbound'])
  })

  it('may begin at what another gate let through, and never at what it denied', async () => {
    await putClaims(data, [await origin(), await result('PASSED')])
    const decision = await decide()
    const verdict = async (given: GateDecision, role: Role, hours = 1) =>
      (await attest({ decision: given, finishedOn: ago(hours) }, keyOf(role))).bundle.trimEnd()
    const { tests: _, ...rest } = base
    const relying = await load({ ...rest, roots: [{ stage: 'data-set', verdictBy: ['release'], maxAge: '1d' }] })
    expect(await decideOn([await verdict(decision, 'release')], relying)).toEqual(['allowed'])
    expect(await decideOn([await verdict(decision, 'release', 25)], relying)).toEqual(['link-missing', 'claim-stale'])
    expect(await decideOn([await verdict(decision, 'auditor')], relying)).toEqual(['link-missing', 'signer-not-allowed'])
    const denied = await verdict({ ...decision, decision: 'deny' }, 'release')
    expect(await decideOn([denied], relying)).toEqual(['link-missing', 'verdict-failed'])
    expect(await decideOn([await verdict(decision, 'release'), denied], relying)).toEqual(['verdict-failed'])
    expect(await decideOn([await origin(), await result('PASSED'), await verdict(decision, 'release')])).toEqual(['claim-unexpected'])
  })
})

describe('fails closed', () => {
  it('where the signature does not hold, whatever the claims', async () => {
    await putClaims(data, [await origin(), await result('PASSED')])
    const codes = async () => (await decide()).reasons.map(({ code, refusal }) => [code, refusal])
    await writeFile(join(data, 'rows.bin'), 'Rows')
    expect(await codes()).toEqual([['signature-refused', 'file-digest']])
    await writeFile(join(data, 'rows.bin'), 'rows')
    await writeFile(join(data, 'more.bin'), '')
    expect(await codes()).toEqual([['file-unsigned', 'file-unsigned']])
    await rm(join(data, 'more.bin'))
    await writeFile(join(data, '.gitattributes'), '')
    expect(await codes()).toEqual([['file-unsigned', undefined]])
    const { decision } = await decide(await load({ ...base, subject: { ...base.subject, allowUnsigned: ['.gitattributes'] } }))
    expect(decision).toBe('allow')
    await rm(join(data, '.gitattributes'))
    await signFolder(data, 'stranger')
    expect(await codes()).toEqual([['signature-refused', 'key-mismatch']])
    await rename(join(data, 'model.sig'), join(scratch, 'model.sig'))
    expect(await codes()).toEqual([['signature-refused', 'signature-missing']])
    await symlink(join(scratch, 'model.sig'), join(data, 'model.sig'))
    expect(await codes()).toEqual([['signature-refused', 'file-symlink']])
  })

  it('where the file of claims is none', async () => {
    const file = join(data, 'claims.jsonl')
    const codes = async () => (await decide()).reasons.map(({ code }) => code)
    expect((await codes())[0]).toBe('claims-missing')
    await writeFile(file, '')
    expect((await codes())[0]).toBe('claims-unreadable')
    await writeFile(file, Buffer.from([0xff, 0x0a]))
    expect((await codes())[0]).toBe('claims-unreadable')
    const line = await origin()
    await writeFile(file, `${line}\n`.repeat(1001))
    expect((await codes())[0]).toBe('claims-unreadable')
    await writeFile(file, Buffer.alloc(32 * 2 ** 20 + 1, '\n'))
    const started = performance.now()
    expect((await codes())[0]).toBe('claims-unreadable')
    expect(performance.now() - started).toBeLessThan(20_000)
    await rm(file)
    await writeFile(join(scratch, 'secret'), 'root:secret')
    await symlink(join(scratch, 'secret'), file)
    const decision = await decide()
    expect(decision.reasons[0]?.code).toBe('claims-unreadable')
    expect(JSON.stringify(decision)).not.toContain('root:')
  })

  it('where PATH is not there, the policy is none, or the time is none', async () => {
    await expect(decide(policy, join(scratch, 'nowhere'))).rejects.toMatchObject({ code: 'not-found' })
    await expect(gate({ policy: join(data, 'rows.bin'), path: data })).rejects.toMatchObject({ code: 'bad-policy' })
    await expect(gate({ policy, path: data, at: new Date(Number.NaN) })).rejects.toMatchObject({ code: 'bad-option' })
  })
})

it('looks for signature and claims where the policy, or the caller, says, and beside a file under its name', async () => {
  const claims = [await origin(), await result('PASSED')]
  await rename(join(data, 'model.sig'), join(data, 'own.sig'))
  await writeFile(join(data, 'own.jsonl'), `${claims.join('\n')}\n`)
  const named = await load({ ...base, subject: { ...base.subject, signature: 'own.sig', claims: 'own.jsonl' } })
  expect((await decide(named)).decision).toBe('allow')
  const given = { signaturePath: join(data, 'own.sig'), claimsPath: join(data, 'own.jsonl') }
  expect((await gate({ policy, path: data, at: now, ...given })).decision).toBe('allow')

  const file = join(scratch, 'weights.bin')
  await writeFile(file, 'weights')
  const { sign } = await import('../../src/provenance/node-index.js')
  await writeFile(`${file}.sig`, (await sign(file, keyOf('data-set'))).bundle)
  await writeFile(`${file}.claims.jsonl`, `${await origin('data-set', file)}\n`)
  const { tests: _, ...untested } = base
  expect((await decide(await load(untested), file)).decision).toBe('allow')
})
