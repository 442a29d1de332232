import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { root } from '../machine.js'

/** What bench/peers/numpy_audit.py prints. */
export interface PeerRun {
  readonly numpy: string
  readonly sklearn: string
  readonly totalMs: number
  readonly stagesMs: Readonly<Record<string, number>>
  readonly classes: readonly { readonly inertia: number; readonly silhouette: number; readonly largestScore: number }[]
}

/** A Python that has numpy and scikit-learn, or null: $PYTHON, python3 of the path, or the system's. */
export function findPython(): string | null {
  const candidates = [process.env.PYTHON, 'python3', '/usr/bin/python3'].filter((candidate) => candidate !== undefined)
  return candidates.find((python) => spawnSync(python, ['-c', 'import numpy, scipy, sklearn'], { stdio: 'ignore' }).status === 0) ?? null
}

/** Runs the peer once on `folder`; its linear algebra may use `threads` threads. */
export function runPeer(python: string, folder: string, threads: number): PeerRun {
  const limit = String(threads)
  const env = { ...process.env, OMP_NUM_THREADS: limit, OPENBLAS_NUM_THREADS: limit, MKL_NUM_THREADS: limit }
  const { status, stdout, stderr } = spawnSync(python, [join(root, 'bench', 'peers', 'numpy_audit.py'), folder], { encoding: 'utf8', env })
  if (status !== 0) throw new Error(`the peer failed: ${stderr}`)
  return JSON.parse(stdout) as PeerRun
}
