import * as z from 'zod/mini'
import { InputError } from '../core/errors.js'
import { showText } from '../core/untrusted-text.js'
import type { SignedArtifact } from './node-artifact.js'

const sha256 = z.string().check(z.regex(/^[0-9a-f]{64}$/))

/** `extraction.json` of an audit folder: of which model and which inputs its activations are. Other fields are its own affair. */
const extraction = z.looseObject({
  schemaVersion: z.literal(1),
  model: z.looseObject({ sha256, files: z.optional(z.array(z.looseObject({ name: z.string(), sha256 }))) }),
  inputs: z.array(z.looseObject({ name: z.string(), sha256 })).check(z.minLength(1)),
})

export type Extraction = z.infer<typeof extraction>

/** Reads the record of an extraction. Throws `InputError` `bad-extraction`. */
export function readExtraction(bytes: Uint8Array): Extraction {
  try {
    return extraction.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)))
  } catch (cause) {
    const mend = 'expected schemaVersion 1, and the sha256 of the model and of its inputs'
    throw new InputError('bad-extraction', `extraction: is not the record of one; ${mend}`, {}, cause)
  }
}

/** The files that an extraction was made of and that are in none of the signed things: empty, where it is of these. */
export function strangersOf({ inputs, model }: Extraction, signedThings: readonly SignedArtifact[]): string[] {
  // a model of several files goes by its root digest
  const signed = new Set(
    signedThings.flatMap(({ rootDigest, statement }) => [rootDigest, ...statement.resources.map(({ digest }) => digest)]),
  )
  const files = [{ name: 'the model', sha256: model.sha256 }, ...(model.files ?? []), ...inputs]
  return files.filter(({ sha256 }) => !signed.has(sha256)).map(({ name }) => showText(name))
}
