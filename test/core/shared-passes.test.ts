import { describe, expect, test } from 'vitest'
import { SharedPasses } from '../../src/core/shared-passes.js'

const numbers = [1, 2, 3]
const soon = () => new Promise((resolve) => setTimeout(resolve, 2))

/** Passes that give each taker the numbers, with what it wanted before them, one after the other; `live` is the item that is good. */
function counted({ failsAt = Number.POSITIVE_INFINITY } = {}) {
  const seen = { passes: [] as string[][], given: 0, live: 0 }
  const passes = new SharedPasses<string, string>(async (asked) => {
    seen.passes.push(asked.map(({ wanted }) => wanted))
    for (const number of numbers) {
      if (number === failsAt) throw new Error('the disk is gone')
      if (asked.every(({ isOver }) => isOver)) return
      seen.given++
      seen.live = number
      await Promise.all(asked.map((taker) => taker.give(`${taker.wanted}${number}`)))
    }
  })
  return { seen, passes }
}

async function all(taking: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = []
  for await (const item of taking) found.push(item)
  return found
}

describe('passes that are shared', () => {
  test('begin when all that are left want one, and give each what it asked for', async () => {
    const { seen, passes } = counted()
    const found = await Promise.all([
      passes.run(async ({ take }) => [await all(take('a')), await all(take('b'))]),
      passes.run(async ({ take }) => {
        await soon()
        return [await all(take('c'))]
      }),
      passes.run(async () => []),
      passes.run(async ({ take }) => {
        const first = await all(take('d'))
        await soon()
        await soon()
        return [first, await all(take('e')), await all(take('f'))]
      }),
    ])
    expect(found).toEqual([
      [
        ['a1', 'a2', 'a3'],
        ['b1', 'b2', 'b3'],
      ],
      [['c1', 'c2', 'c3']],
      [],
      [
        ['d1', 'd2', 'd3'],
        ['e1', 'e2', 'e3'],
        ['f1', 'f2', 'f3'],
      ],
    ])
    expect(seen.passes.map((wanted) => wanted.sort())).toEqual([['a', 'c', 'd'], ['b', 'e'], ['f']])
  })

  test('give the next item when everybody is done with the last', async () => {
    const { seen, passes } = counted()
    const slowly = async (taking: AsyncIterable<string>, wait: number) => {
      for await (const item of taking) {
        for (let i = 0; i < wait; i++) {
          expect(seen.live).toBe(Number(item.at(-1)))
          await soon()
        }
      }
    }
    await Promise.all([0, 3, 1].map((wait, i) => passes.run(({ take }) => slowly(take(`${i}`), wait))))
    expect(seen).toMatchObject({ passes: [['0', '1', '2']], given: 3 })
  })

  test('wait for nobody who waits for what another one finds, and let that one in when it has been found', async () => {
    const { seen, passes } = counted()
    let found: Promise<string[]> | null = null
    const finder = passes.run(async ({ take }) => {
      found = all(take('found'))
      await found
      return await all(take('own'))
    })
    const other = passes.run(async ({ aside, take }) => {
      const own = await aside(found as unknown as Promise<string[]>)
      return [...own, ...(await all(take('other')))]
    })
    expect(await finder).toEqual(['own1', 'own2', 'own3'])
    expect(await other).toEqual(['found1', 'found2', 'found3', 'other1', 'other2', 'other3'])
    expect(seen.passes).toEqual([['found'], ['own', 'other']])
  })

  test('wait for nobody who has left, and let that one in all the same', async () => {
    const { seen, passes } = counted()
    let isDone = false
    const left = passes.run(async ({ take, leave }) => {
      const found = await all(take('a'))
      leave()
      while (!isDone) await soon()
      return [...found, ...(await all(take('late')))]
    })
    const other = passes.run(async ({ take }) => {
      const found = [...(await all(take('b'))), ...(await all(take('c')))]
      isDone = true
      return found
    })
    expect(await other).toEqual(['b1', 'b2', 'b3', 'c1', 'c2', 'c3'])
    expect(await left).toEqual(['a1', 'a2', 'a3', 'late1', 'late2', 'late3'])
    expect(seen.passes).toEqual([['a', 'b'], ['c'], ['late']])
  })

  test('end early where nobody wants more, and go on for those who do', async () => {
    const { seen, passes } = counted()
    const first = async (taking: AsyncIterable<string>) => {
      for await (const item of taking) return item
      return null
    }
    const runs = [0, 1].map(() => passes.run(async ({ take }) => [await first(take('a')), await first(take('b'))]))
    expect(await Promise.all(runs)).toEqual([
      ['a1', 'b1'],
      ['a1', 'b1'],
    ])
    expect(seen.given).toBe(2)
    const mixed = [passes.run(({ take }) => first(take('c'))), passes.run(({ take }) => all(take('d')))]
    expect(await Promise.all(mixed)).toEqual(['c1', ['d1', 'd2', 'd3']])
    expect(seen.passes).toHaveLength(3)
  })

  test('tell every taker what went wrong, and serve who goes on all the same', async () => {
    const { seen, passes } = counted({ failsAt: 2 })
    const runs = [0, 1].map(() => passes.run(({ take }) => all(take('a')).catch((error: Error) => [error.message])))
    expect(await Promise.all(runs)).toEqual([['the disk is gone'], ['the disk is gone']])
    const tries = passes.run(async ({ take }) => {
      await all(take('b')).catch(() => undefined)
      await all(take('c'))
    })
    await expect(tries).rejects.toThrow('the disk is gone')
    expect(seen.passes).toHaveLength(3)
  })

  test('end for all when one throws, also for those who wait', async () => {
    const { seen, passes } = counted()
    const reason = new Error('enough')
    const slow = passes.run(async ({ take }) => await all(take('a')))
    const failing = passes.run(async ({ take }) => {
      for await (const item of take('b')) if (item === 'b2') throw reason
    })
    const late = passes.run(async ({ aside }) => {
      await aside(soon())
      await aside(soon())
      await aside(soon())
      expect.fail('it went on')
    })
    const ended = await Promise.allSettled([slow, failing, late])
    expect(ended.map((one) => one.status === 'rejected' && one.reason)).toEqual([reason, reason, reason])
    expect(seen.given).toBeLessThanOrEqual(3)
  })

  test('end for all when one throws that still waits for something itself', async () => {
    const { seen, passes } = counted()
    const reason = new Error('enough')
    const failing = passes.run(async ({ take }) => {
      const fails = async () => {
        await soon()
        throw reason
      }
      await Promise.all([all(take('a')), fails()])
    })
    const waiting = passes.run(async ({ aside, take }) => {
      await aside(soon())
      await aside(soon())
      return await all(take('b'))
    })
    const late = passes.run(async ({ take }) => {
      await soon()
      await soon()
      await soon()
      return await all(take('c'))
    })
    const ended = await Promise.allSettled([failing, waiting, late])
    expect(ended.map((one) => one.status === 'rejected' && one.reason)).toEqual([reason, reason, reason])
    expect(seen.passes.length).toBeLessThanOrEqual(1)
  })

  test('start and stop a watch when a piece of work goes on and when it waits', async () => {
    const { passes } = counted()
    const said: string[] = []
    const watch = { start: () => said.push('start'), stop: () => said.push('stop') }
    await passes.run(async ({ take, aside }) => {
      await aside(soon())
      said.push('aside')
      for await (const item of take('a')) said.push(item)
    }, watch)
    expect(said.join(' ')).toBe('start stop start aside stop start a1 stop start a2 stop start a3 stop start stop')
  })
})
