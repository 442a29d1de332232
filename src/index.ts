import { auditWith } from './audit.js'
import { browserMemory } from './backends/browser-memory.js'
import { openBrowserGpu } from './backends/browser-webgpu.js'
import { webThreads } from './backends/web-worker-pool.js'
import { contextFactory } from './context.js'
import type { openAudit as openAuditNow } from './io/open-audit.js'

export type { AuditInput } from './io/audit-arrays.js'
export type { OpenAuditOptions } from './io/open-audit.js'
export * from './public.js'

/** Makes a context on the browser's WebGPU or the CPU. */
export const createContext = contextFactory(openBrowserGpu, browserMemory, webThreads)

/** Runs detectors over a set, on the browser's WebGPU or the CPU, and gathers a report. */
export const { audit, auditWithScores } = auditWith(createContext)

/** Reads an audit from files, a blob or a URL, as src/io/open-audit.ts says. The readers are loaded at the first call. */
export const openAudit: typeof openAuditNow = async (...args) => (await import('./io/open-audit.js')).openAudit(...args)
