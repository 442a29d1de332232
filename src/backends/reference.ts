import { CpuBackend, type CpuRun, computeByTwin } from './cpu.js'

/**
 * Runs each kernel's twin: plain TypeScript with float64 sums, on the thread that calls it. The oracle that the other backends are held
 * against, and the last resort where neither a GPU nor WebAssembly is to be had. Wherever a twin yields, the event loop gets a turn and
 * an abort is seen.
 */
export class ReferenceBackend extends CpuBackend {
  readonly adapter = 'plain TypeScript, float64 sums'

  protected compute<P>(run: CpuRun<P>): Promise<Float32Array> {
    return computeByTwin(run)
  }
}
