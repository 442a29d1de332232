import type * as library from './node-library.js'

export { AssayError, BackendError, DetectorError, InputError, OptionError } from './core/errors.js'
export type * from './node-library.js'
export { renderJson } from './report/json.js'
export { renderTerminal } from './report/terminal.js'
export { version } from './version.js'

// Importing the package costs next to nothing: what computes, and what reads files, is loaded when the first of these is called.

/** Runs detectors over a set, on the optional `webgpu` package's GPU or the CPU, and gathers a report. */
export const audit = loadedAtCall('audit')
/** An audit that also returns the scores of the rows. */
export const auditWithScores = loadedAtCall('auditWithScores')
/** Makes a context on the optional `webgpu` package's GPU or the CPU. Dispose it (`using`) when the last read is done. */
export const createContext = loadedAtCall('createContext')
/** Opens an audit out of files on this machine: a folder, a bundle, or a `.npy` with activations. */
export const openAudit = loadedAtCall('openAudit')
/** Takes out of a set what a report of it accuses. */
export const sanitize = loadedAtCall('sanitize')

// Each detector over a set, outside an audit.
export const activationClustering = loadedAtCall('activationClustering')
export const beatrix = loadedAtCall('beatrix')
export const exreLite = loadedAtCall('exreLite')
export const knnAgreement = loadedAtCall('knnAgreement')
export const scan = loadedAtCall('scan')
export const spectralSignatures = loadedAtCall('spectralSignatures')
export const spectre = loadedAtCall('spectre')
export const whitenedMixture = loadedAtCall('whitenedMixture')

type Library = typeof library
/** Of the library's functions those that give promises. */
type Loadable = { [K in keyof Library]: Library[K] extends (...args: never[]) => Promise<unknown> ? K : never }[keyof Library]

function loadedAtCall<K extends Loadable>(name: K): Library[K] {
  const call = async (...args: unknown[]): Promise<unknown> => {
    const { [name]: method } = await import('./node-library.js')
    return await (method as (...args: unknown[]) => Promise<unknown>)(...args)
  }
  return call as Library[K]
}
