import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Metrics } from '../../src/proxy/metrics.js'
import { answers } from '../../src/proxy/refused.js'

const docs = readFileSync(join(import.meta.dirname, '../../docs/proxy.md'), 'utf8')

it('docs/proxy.md lists every code of the proxy with its status and words, and no other', () => {
  const listed = [...docs.matchAll(/^\| `([\w-]+)` \| (\d{3}) \| (.*) \|$/gm)].map(([, code, status, says]) => [code, Number(status), says])
  expect(listed).toEqual(Object.entries(answers).map(([code, [status, says]]) => [code, status, says]))
})

it('docs/proxy.md names every metric', () => {
  const source =
    readFileSync(join(import.meta.dirname, '../../src/proxy/proxy.ts'), 'utf8') +
    readFileSync(join(import.meta.dirname, '../../src/proxy/server.ts'), 'utf8')
  const names = [...source.matchAll(/'(assay_proxy_\w+)'/g)].map(([, name]) => name as string)
  expect(names.length).toBeGreaterThan(5)
  expect(names.filter((name) => !docs.includes(name))).toEqual([])
})

it('metrics are in the text format, and no value of a label breaks out of it', () => {
  const metrics = new Metrics()
  metrics.counter('none_total', 'Nothing.')
  const count = metrics.counter('some_total', 'Something.')
  count({ code: 'a"\n} 1' })
  count({ code: 'b' }, 3)
  metrics.gauge('now', 'A gauge.', () => 7)
  expect(metrics.text()).toBe(
    '# HELP none_total Nothing.\n# TYPE none_total counter\nnone_total 0\n# HELP some_total Something.\n# TYPE some_total counter\nsome_total{code="a__} 1"} 1\nsome_total{code="b"} 3\n# HELP now A gauge.\n# TYPE now gauge\nnow 7\n',
  )
})
