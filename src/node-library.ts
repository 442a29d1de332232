import { auditWith } from './audit.js'
import { nodeMemory } from './backends/node-memory.js'
import { openNodeGpu } from './backends/node-webgpu.js'
import { nodeThreads } from './backends/node-worker-pool.js'
import { contextFactory } from './context.js'
import { hashTools } from './io/node-hash-thread.js'

export type { AuditInput } from './io/audit-arrays.js'
export { type AuditFiles, openAudit } from './io/node-open-audit.js'
export * from './public.js'

/** Makes a context on the optional `webgpu` package's GPU or the CPU. */
export const createContext = contextFactory(openNodeGpu, nodeMemory, nodeThreads)

/** Runs detectors over a set, on the optional `webgpu` package's GPU or the CPU, and gathers a report. */
export const { audit, auditWithScores } = auditWith(createContext, hashTools())
