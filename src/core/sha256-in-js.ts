import { sha256 } from '@noble/hashes/sha2.js'

/** A SHA-256 in JavaScript, some ten times slower than a platform's own. A file of its own, so that it is loaded where it is needed. */
export const newSha256InJs = () => sha256.create()
