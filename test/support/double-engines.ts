import { afterAll } from 'vitest'
import { relaxedSimdWasm, simdWasm } from '../../src/backends/wasm.gen.js'
import { hasRelaxedSimd } from '../../src/backends/wasm-features.js'
import { DoubleEngine, doubleEngine, useDoubleEngine } from '../../src/core/double-engine.js'

const instance = (base64: string) =>
  new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))))

const before = doubleEngine()
afterAll(() => useDoubleEngine(before))

/** What `compute` gives in plain TypeScript, and in WebAssembly by each build that this engine has. */
export function byEachEngine<T>(compute: () => T): { readonly plain: T; readonly inWebAssembly: readonly T[] } {
  const by = (engine: DoubleEngine | null) => {
    useDoubleEngine(engine)
    return compute()
  }
  const builds = hasRelaxedSimd() ? [simdWasm, relaxedSimdWasm] : [simdWasm]
  return { plain: by(null), inWebAssembly: builds.map((build) => by(new DoubleEngine(instance(build)))) }
}
