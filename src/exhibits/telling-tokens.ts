import { normalCdf } from '../stats/normal.js'

/** Texts are compared by what stands within so many words from either end: a trigger sits where a model sees it. */
const wordsFromEitherEnd = 300
const longestPhrase = 3
const mostTexts = 4_000
const mostListed = 12
/** Chance that any phrase is listed though flagged texts are like the others. */
const falseAlarm = 0.01

export interface TellingToken {
  readonly token: string
  readonly flagged: number
  readonly compared: number
}

/**
 * Words, marks and phrases of up to three that more of the flagged texts have than of each group they are compared with, those with the largest
 * gap between the shares first. Listed are those whose log odds ratio of the shares (a half added to each count) over its standard
 * error, the least of all groups, is so high that the chance that any of the candidates got there is below 1 %; of phrases that
 * share a word only the first.
 */
export function tellingTokens(flagged: readonly string[], groups: readonly (readonly string[])[]): TellingToken[] {
  const compared = groups.filter((group) => group.length > 0).map((group) => countPhrases(group))
  const own = countPhrases(flagged)
  if (own.texts === 0 || compared.length === 0) return []
  const least = Math.max(2, 0.02 * own.texts)
  const candidates = [...own.counts].filter(([, count]) => count >= least)
  const chance = (z: number) => (1 - normalCdf(z)) * candidates.length
  const telling = candidates
    .map(([token, count]) => ({
      token,
      z: Math.min(...compared.map(({ counts, texts }) => logOddsZ([count, own.texts], [counts.get(token) ?? 0, texts]))),
      flagged: count / own.texts,
      compared: Math.max(...compared.map(({ counts, texts }) => (counts.get(token) ?? 0) / texts)),
    }))
    .filter(({ z }) => z > 0 && chance(z) < falseAlarm)
    .sort((a, b) => b.flagged - b.compared - (a.flagged - a.compared) || b.token.length - a.token.length || (a.token < b.token ? -1 : 1))
  const listed: TellingToken[] = []
  const told = new Set<string>()
  for (const { token, flagged, compared } of telling) {
    if (listed.length === mostListed) break
    const words = wordsOf(token).map(({ word }) => word)
    if (words.some((word) => told.has(word))) continue
    for (const word of words) told.add(word)
    listed.push({ token, flagged, compared })
  }
  return listed
}

/** In how many texts each word or phrase stands. */
function countPhrases(texts: readonly string[]): { readonly counts: ReadonlyMap<string, number>; readonly texts: number } {
  const counts = new Map<string, number>()
  const taken = texts.slice(0, mostTexts)
  for (const text of taken) {
    const words = wordsOf(text)
    const phrases = new Set<string>()
    for (let start = 0; start < words.length; start++) {
      let phrase = ''
      for (let end = start; end < Math.min(words.length, start + longestPhrase); end++) {
        phrase = end === start ? (words[end]?.word as string) : `${phrase}${words[end]?.parted ? ' ' : ''}${words[end]?.word}`
        phrases.add(phrase)
      }
    }
    for (const phrase of phrases) counts.set(phrase, (counts.get(phrase) ?? 0) + 1)
  }
  return { counts, texts: taken.length }
}

interface Word {
  readonly word: string
  /** Whether a space comes before it. */
  readonly parted: boolean
}

/** Lower-case words, with what joins their parts, and runs of other marks, hidden characters among them. */
function wordsOf(text: string): Word[] {
  // Cut before it is taken apart: a text can be as long as a file. 12 characters hold a word and what parts it.
  const reach = 12 * wordsFromEitherEnd
  const looked = text.length > 2 * reach ? `${text.slice(0, reach)} ${text.slice(-reach)}` : text
  const found = looked
    .toLowerCase()
    .matchAll(/(\s*)([\p{L}\p{N}\p{M}]{1,60}(?:[-'’_][\p{L}\p{N}\p{M}]{1,60}){0,4}|[^\s\p{L}\p{N}\p{M}]{1,20})/gu)
  const words = Array.from(found, ([, space, word]) => ({ word: word as string, parted: space !== '' }))
  return words.length > 2 * wordsFromEitherEnd ? [...words.slice(0, wordsFromEitherEnd), ...words.slice(-wordsFromEitherEnd)] : words
}

/** The log odds ratio of two shares, each count and its rest with a half added (Haldane, Anscombe), over its standard error. */
function logOddsZ([a, allA]: readonly [number, number], [b, allB]: readonly [number, number]): number {
  const cells = [a, allA - a, b, allB - b].map((count) => count + 0.5) as [number, number, number, number]
  const logOdds = Math.log((cells[0] * cells[3]) / (cells[1] * cells[2]))
  return logOdds / Math.sqrt(cells.reduce((sum, count) => sum + 1 / count, 0))
}
