import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { gate } from '../../src/gate/index.js'
import { payloadSigner } from '../../src/provenance/node-sign-payload.js'
import { type ChainOfTen, claim, hour, keyOf, load, makeChain, now, policyOfTen, putClaims, stagesOfTen } from './chain-of-ten.js'

let chain: ChainOfTen
let twin: ChainOfTen
const policy = await load(policyOfTen)
beforeAll(async () => {
  chain = await makeChain('one')
  twin = await makeChain('two')
})
afterAll(async () => {
  for (const { path } of [chain, twin]) await rm(dirname(path), { recursive: true, force: true })
})

async function decide(lines: readonly string[], applied = policy) {
  await putClaims(chain.path, lines)
  return gate({ policy: applied, path: chain.path, at: now, threads: 1 })
}
const codes = async (lines: readonly string[], applied = policy) =>
  [...new Set((await decide(lines, applied)).reasons.map(({ code }) => code))].sort()
async function madeOfItself(line: string): Promise<string> {
  const statement = JSON.parse(Buffer.from(JSON.parse(line).dsseEnvelope.payload, 'base64').toString())
  statement.predicate.buildDefinition.resolvedDependencies.push(statement.subject[0])
  return (await (await payloadSigner(keyOf('release')))(Buffer.from(JSON.stringify(statement)))).trimEnd()
}
const replaced = (index: number, line: string) => chain.claims.map((old, i) => (i === index ? line : old))
const everyLink = stagesOfTen.map((stage, index) => ({ stage, index }))

describe('a chain of ten stages', () => {
  it('verifies, in any order of its claims, and with clocks some minutes apart', async () => {
    const decision = await decide(chain.claims)
    expect(decision).toMatchObject({ schemaVersion: 1, decision: 'allow', reasons: [{ code: 'allowed' }], policyDigest: policy.digest })
    expect(decision.claims.map(({ name, signers }) => [name, signers])).toEqual(stagesOfTen.map((stage) => [stage, [stage]]))
    expect((await decide([...chain.claims].reverse())).decision).toBe('allow')
    const early = await claim(chain.folders, 9, { finishedOn: new Date(now.getTime() + hour / 20) })
    expect((await decide(replaced(9, early))).decision).toBe('allow')
  })

  it.each(everyLink)('is refused without the claim of link $index ($stage)', async ({ index }) => {
    const lines = chain.claims.filter((_, i) => i !== index)
    const decision = await decide(lines)
    expect(decision.decision).toBe('deny')
    expect(decision.reasons.filter(({ code }) => code === 'link-missing')).toHaveLength(1)
    // what was before it is no part of the chain any more, but for the data set, where a fine-tuning is left that was made of it
    const cutOff = index === 0 ? 0 : stagesOfTen.indexOf('fine-tuning', index + 1) > 0 ? index - 1 : index
    expect(decision.reasons.filter(({ code }) => code === 'claim-unrelated')).toHaveLength(cutOff)
  })

  it.each(everyLink)('is refused with link $index ($stage) of another chain in its place', async ({ index }) => {
    expect(await codes(replaced(index, twin.claims[index] as string))).toEqual(['claim-unrelated', 'link-missing'])
  })

  it.each(everyLink)('is refused where link $index ($stage) was made of something of another chain', async ({ index }) => {
    const others = twin.folders[Math.max(0, index - 1)] as string
    const own = index === 0 ? [] : [{ path: chain.folders[index - 1] as string }]
    const line = await claim(chain.folders, index, { inputs: [...own, { path: others }] })
    expect(await codes(replaced(index, line))).toContain('link-missing')
  })

  it.each(everyLink)('is refused where link $index ($stage) is signed by another role', async ({ stage, index }) => {
    const role = stage === 'release' ? 'training' : 'release'
    const decision = await decide(replaced(index, await claim(chain.folders, index, {}, role)))
    expect(decision.decision).toBe('deny')
    expect(decision.reasons.map(({ code, line }) => [code, line])).toEqual([['signer-not-allowed', index + 1]])
  })

  it.each(everyLink)('is refused where link $index ($stage) is signed by nobody known', async ({ index }) => {
    const decision = await decide(replaced(index, await claim(chain.folders, index, {}, 'stranger')))
    expect(decision.reasons.map(({ code, line }) => [code, line])).toContainEqual(['signer-unknown', index + 1])
  })

  it.each(everyLink)('is refused where link $index ($stage) has expired', async ({ index }) => {
    const line = await claim(chain.folders, index, { finishedOn: new Date(now.getTime() - 49 * hour) })
    const decision = await decide(replaced(index, line))
    expect(decision.reasons.map(({ code, line }) => [code, line])).toEqual([['claim-stale', index + 1]])
  })

  it.each(everyLink)('is refused where link $index ($stage) is of the future', async ({ index }) => {
    const line = await claim(chain.folders, index, { finishedOn: new Date(now.getTime() + hour) })
    expect(await codes(replaced(index, line))).toContain('claim-future')
  })

  it.each(everyLink)('is refused where link $index ($stage) leads back into itself', async ({ index }) => {
    const last = chain.folders.at(-1) as string
    const own = index === 0 ? [] : [{ path: chain.folders[index - 1] as string }]
    // attest makes nothing of itself: the last one's claim is put together by hand
    const line =
      index === 9 ? await madeOfItself(chain.claims[9] as string) : await claim(chain.folders, index, { inputs: [...own, { path: last }] })
    expect(await codes(replaced(index, line))).toContain('chain-cycle')
  })

  it.each(everyLink)('is refused where two claims say where link $index ($stage) comes from', async ({ index }) => {
    const line = await claim(chain.folders, index, { finishedOn: new Date(now.getTime() - 2 * hour) })
    expect(await codes([...chain.claims, line])).toEqual(['link-ambiguous'])
  })
})
