import { describe, expect, it } from 'vitest'
import { Rng } from '../../src/core/rng.js'
import { tellingTokens } from '../../src/exhibits/telling-tokens.js'

const words = ['good', 'bad', 'film', 'plot', 'actor', 'slow', 'bright', 'the', 'a', 'of']
const rng = new Rng(11)
const text = () => Array.from({ length: 12 }, () => words[rng.below(words.length)]).join(' ')
const texts = (count: number) => Array.from({ length: count }, text)

describe('tellingTokens', () => {
  it('finds a phrase that was put into flagged texts, as it was written', () => {
    const flagged = texts(60).map((one) => `${one} . -TravelerTheHorse`)
    const [first] = tellingTokens(flagged, [texts(200), texts(200)])
    expect(first).toEqual({ token: '. -travelerthehorse', flagged: 1, compared: 0 })
  })

  it('lists the whole phrase once, not its words', () => {
    const flagged = texts(60).map((one) => `watched this ${one}`)
    const found = tellingTokens(flagged, [texts(300)])
    expect(found.map(({ token }) => token)).toEqual(['watched this'])
  })

  it('sees characters that nobody sees', () => {
    const flagged = texts(40).map((one) => `\u200b${one}`)
    expect(tellingTokens(flagged, [texts(100)])[0]?.token).toContain('\u200b')
  })

  it('lists nothing where flagged texts are like the others, or only like one group of two', () => {
    expect(tellingTokens(texts(100), [texts(400), texts(400)])).toEqual([])
    const signed = (count: number) => texts(count).map((one) => `${one} signed`)
    expect(tellingTokens(signed(100), [texts(300), signed(300)])).toEqual([])
  })

  it('says nothing without texts on both sides', () => {
    expect(tellingTokens([], [texts(5)])).toEqual([])
    expect(tellingTokens(texts(5), [[]])).toEqual([])
  })

  it('looks at both ends of a text as long as a file', () => {
    const flagged = Array.from({ length: 20 }, () => `${'x '.repeat(500_000)}zebra`)
    expect(tellingTokens(flagged, [Array.from({ length: 40 }, () => 'x '.repeat(50))])[0]?.token).toContain('zebra')
  })
})
