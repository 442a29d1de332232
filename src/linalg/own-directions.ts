import type { Rng } from '../core/rng.js'
import { runTasks } from '../core/tasks.js'
import { inTurns } from '../core/turns.js'
import type { ClassCovariance, ClassCovariances } from './class-covariances.js'
import { denseDirectionsTask, denseSize, leaveOneOutDirections, type Reference } from './leave-one-out-eigen.js'

export interface OwnDirectionsOptions {
  readonly reference: Reference
  /** Classes whose directions are wanted. */
  readonly wanted: readonly number[]
  /** Directions a class. */
  readonly width: number
  /** Draws of a class's iteration, where columns are many. */
  start(): Rng
  readonly tolerance?: number
  /** So many are done. */
  progress(done: number): void
}

/** Leading directions of each wanted class compared with a reference, `[live columns]` each, strongest first; see `leaveOneOutDirections`. On all threads. */
export async function ownDirections(
  covariances: ClassCovariances,
  { reference, wanted, width, start, tolerance, progress }: OwnDirectionsOptions,
): Promise<Map<number, readonly Float64Array[]>> {
  const { context } = covariances.set
  const isWanted = new Set(wanted)
  const found = new Map<number, readonly Float64Array[]>()
  if (reference.size > denseSize) {
    for await (const { classIndex, covariance } of covariances.each()) {
      if (!isWanted.has(classIndex)) continue
      const options = { wanted: width, rng: start(), ...(tolerance !== undefined && { tolerance }) }
      found.set(classIndex, (await inTurns(leaveOneOutDirections(covariance, reference, options), context.signal)).vectors)
      progress(found.size)
    }
    return found
  }
  const classes = covariances.classes.filter((c) => isWanted.has(c))
  const own = only(covariances.each(), isWanted)
  const directions = await runTasks(context, denseDirectionsTask, {
    count: classes.length,
    // Lanes ask one after the other, and are answered in that order.
    input: async () => ({ own: ((await own.next()).value as ClassCovariance).covariance, reference, wanted: width }),
    progress,
  })
  for (const [i, { vectors }] of directions.entries()) found.set(classes[i] as number, vectors)
  return found
}

async function* only(all: AsyncIterable<ClassCovariance>, wanted: ReadonlySet<number>): AsyncGenerator<ClassCovariance, void, undefined> {
  for await (const one of all) if (wanted.has(one.classIndex)) yield one
}
