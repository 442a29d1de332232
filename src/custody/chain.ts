import { type Artifact, artifactKey, type Reference } from './artifact.js'
import type { ProvenanceClaim, SignedClaim } from './claim.js'

export type SignedProvenance = SignedClaim & { readonly claim: ProvenanceClaim }

/** Something in a chain, with the claims that say where it comes from: one, where all is well, or none at a root that needs none. */
export interface Link {
  readonly artifact: Reference
  readonly origins: readonly SignedProvenance[]
}

/** A model's origins: a graph without cycles, where all is well. */
export interface Chain {
  /** All that the subject is made of, itself first, each once, by `artifactKey`. */
  readonly links: ReadonlyMap<string, Link>
  /** What is made of itself: the first link of each circle that was met. */
  readonly circles: readonly Reference[]
}

/**
 * Follows claims of provenance from a subject back to where they end. Only what binds both digests of something is followed: the same bytes
 * under other names are something else. What is a root by itself (`endsAt`) is not looked behind.
 */
export function traceChain(subject: Artifact, claims: readonly SignedProvenance[], endsAt: (artifact: Reference) => boolean): Chain {
  const bySubject = new Map<string, SignedProvenance[]>()
  for (const signed of claims) {
    for (const one of signed.claim.subjects) {
      const key = artifactKey(one)
      bySubject.set(key, [...(bySubject.get(key) ?? []), signed])
    }
  }
  const links = new Map<string, Link>()
  const circles: Reference[] = []
  const open = new Set<string>()
  // as deep as there are claims, which are bounded
  const visit = (artifact: Reference): void => {
    const key = artifactKey(artifact)
    if (open.has(key)) circles.push(artifact)
    if (links.has(key)) return
    const origins = bySubject.get(key) ?? []
    links.set(key, { artifact, origins })
    if (endsAt(artifact)) return
    open.add(key)
    for (const { claim } of origins) for (const input of claim.inputs) if (isBound(input)) visit(input)
    open.delete(key)
  }
  visit(subject)
  return { links, circles }
}

/** Whether a reference binds names and bytes. */
export function isBound(reference: Reference): boolean {
  return reference.rootDigest !== null && reference.statementDigest !== null
}
