import { describe, expect, it } from 'vitest'
import { renderJson } from '../../src/report/json.js'
import { type Report, reportJsonSchema, reportSchema } from '../../src/report/schema.js'
import { handMadeReport, handMadeSet, ranFinding, ranResult, trafficSignReport } from './hand-made.js'

const small = () => handMadeReport(handMadeSet([0, 0, 1]), [ranResult('a', [0, 1, 0], [ranFinding([1]), ranFinding()])])

describe('the report schema', () => {
  it('takes a report back unchanged after a round trip through JSON', () => {
    const report = trafficSignReport()
    expect(reportSchema.parse(JSON.parse(renderJson(report)))).toEqual(report)
  })

  it('refuses keys it does not know, at every level', () => {
    const report = small()
    expect(reportSchema.safeParse({ ...report, extra: 1 }).success).toBe(false)
    expect(reportSchema.safeParse({ ...report, rows: { ...report.rows, extra: 1 } }).success).toBe(false)
    expect(reportSchema.safeParse({ ...report, classes: [{ ...report.classes[0], extra: 1 }] }).success).toBe(false)
  })

  it('allows null where a number may be unknown, and nowhere else', () => {
    const report = small()
    const withClass = (change: object) => reportSchema.safeParse({ ...report, classes: [{ ...report.classes[0], ...change }] }).success
    for (const key of ['pValue', 'epsilon', 'minDetectableEpsilon', 'sourceLabel']) expect(withClass({ [key]: null }), key).toBe(true)
    for (const key of ['label', 'name', 'rows', 'verdict', 'evidence']) expect(withClass({ [key]: null }), key).toBe(false)
    const evidence = report.classes[0]?.evidence[0]
    expect(withClass({ evidence: [{ ...evidence, threshold: null, pValue: null }] })).toBe(true)
    expect(withClass({ evidence: [{ ...evidence, statistic: null }] })).toBe(false)
  })

  it('refuses a statistic that is not finite', () => {
    const report = handMadeReport(handMadeSet([0]), [ranResult('a', [0], [ranFinding(null, { statistic: Number.NaN })])])
    expect(() => renderJson(report)).toThrow()
  })

  it('refuses reasons that are not parallel to the flagged rows, and rows flagged twice', () => {
    const report = small()
    const withRows = (rows: Report['rows']) => reportSchema.safeParse({ ...report, rows }).success
    expect(withRows({ flagged: [1], reasons: [['a']], probability: null })).toBe(true)
    expect(withRows({ flagged: [1], reasons: [], probability: null })).toBe(false)
    expect(withRows({ flagged: [1], reasons: [['a']], probability: [] })).toBe(false)
    expect(withRows({ flagged: [1, 1], reasons: [['a'], ['a']], probability: null })).toBe(false)
  })
})

describe('the JSON Schema', () => {
  it('requires and describes every property', () => {
    const undescribed: string[] = []
    const loose: string[] = []
    const visit = (node: unknown, path: string) => {
      if (node === null || typeof node !== 'object') return
      const { properties, required, additionalProperties } = node as Record<string, unknown>
      if (properties) {
        if (additionalProperties !== false) loose.push(path)
        for (const [key, value] of Object.entries(properties)) {
          const { description, const: literal } = value as Record<string, unknown>
          if (!description && literal === undefined) undescribed.push(`${path}.${key}`)
          if (!(required as string[]).includes(key)) loose.push(`${path}.${key}`)
        }
      }
      for (const [key, value] of Object.entries(node)) visit(value, `${path}.${key}`)
    }
    const schema = reportJsonSchema()
    visit(schema, '')
    expect(undescribed).toEqual([])
    expect(loose).toEqual([])
    expect(schema).toMatchObject({ type: 'object', title: 'Assay report' })
  })
})

describe('renderJson', () => {
  it('gives equal bytes whatever the order of the options', () => {
    const set = handMadeSet([0])
    const one = handMadeReport(set, [], { options: { b: { y: 1, x: [2, { d: 1, c: 2 }] }, a: 1 } })
    const other = handMadeReport(set, [], { options: { a: 1, b: { x: [2, { c: 2, d: 1 }], y: 1 } } })
    expect(renderJson(one)).toBe(renderJson(other))
    expect(renderJson(one)).toMatch(/^\{\n {2}"schemaVersion": 1,\n {2}"tool": /)
    expect(renderJson(one).endsWith('}\n')).toBe(true)
  })

  it('leaves nothing in the text that drives a terminal, and loses nothing', () => {
    const name = 'a\u001b[2J\u0007\u009b31m\u202egnp\u2028\u{e0001}é漢'
    const report = handMadeReport(handMadeSet(['x'], { x: name }), [])
    const json = renderJson(report)
    expect(json.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
    expect(JSON.parse(json).classes[0].name).toBe(name)
  })
})
