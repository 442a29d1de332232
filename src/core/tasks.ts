import type { Context } from './backend.js'
import type { Lane, Task } from './lane.js'

interface Inputs<I> {
  readonly count: number
  /** Made one after the other, when a lane is free for it. */
  input(i: number): Promise<I>
  /** So many are done, the i-th now. */
  progress?(done: number, i: number): void
}

/** Does a task for `count` inputs on all lanes of the context; the outputs are in the inputs' order, whatever the number of lanes. */
export async function runTasks<I, O>(
  context: Pick<Context, 'lanes'>,
  task: Task<I, O>,
  { count, input, progress }: Inputs<I>,
): Promise<O[]> {
  const outputs = new Array<O>(count)
  let next = 0
  let done = 0
  const work = async (lane: Lane) => {
    try {
      while (next < count) {
        const i = next++
        outputs[i] = await lane.run(task, await input(i))
        progress?.(++done, i)
      }
    } catch (error) {
      next = count
      throw error
    }
  }
  await Promise.all((await context.lanes()).slice(0, count).map(work))
  return outputs
}
