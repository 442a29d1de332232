import { parentPort } from 'node:worker_threads'
import { BlockHash, type Blocks } from './node-block-hash.js'

/** What the thread is asked of the hash that has a number: to go on with bytes, with blocks that are tagged too, for its digest, or to forget it. */
export type HashQuestion = { readonly hash: number } & (
  | { readonly bytes: Uint8Array }
  | { readonly blocks: Blocks }
  | { readonly end: 'digest' | 'forget' }
)

/** What it answers: the tags of blocks or the digest, where that was asked for, or what failed. */
export type HashAnswer = { readonly id: number } & ({ readonly found: Uint8Array | null } | { readonly failure: string })

// The program of the thread that hashes beside the calling one; node-hash-program.mjs bundles it into a string.
const hashes = new Map<number, BlockHash>()
parentPort?.on('message', ({ id, ...question }: HashQuestion & { readonly id: number }) => {
  const tell = (answer: HashAnswer) => parentPort?.postMessage(answer)
  try {
    tell({ id, found: answerTo(question as HashQuestion) })
  } catch (error) {
    tell({ id, failure: error instanceof Error ? error.message : String(error) })
  }
})

function answerTo(question: HashQuestion): Uint8Array | null {
  const hash = hashes.get(question.hash) ?? new BlockHash()
  hashes.set(question.hash, hash)
  if ('blocks' in question) return hash.look(question.blocks)
  if ('bytes' in question) hash.update(question.bytes)
  else if (question.end === 'digest') return hash.digest()
  else hashes.delete(question.hash)
  return null
}
