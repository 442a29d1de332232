import { createHash } from 'node:crypto'
import type { Sha256 } from '../core/digest.js'

/** Node's own SHA-256, block by block. */
export const newNodeSha256 = (): Sha256 => createHash('sha256')
