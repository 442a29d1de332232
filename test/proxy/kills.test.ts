import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runKills } from './kills.js'

it('killed at random points and started again, the command serves no wrong byte, stores nothing unverified, and finishes what it began', async () => {
  const { finished, killedWhileFetching, problems, trials } = await runKills({
    root: join(import.meta.dirname, '../..'),
    count: 8,
    seed: 20_261_126,
  })
  expect(problems).toEqual([])
  expect(trials).toBe(8)
  expect(killedWhileFetching).toBeGreaterThan(0)
  expect(finished).toBeLessThan(trials * 5)
}, 180_000)
