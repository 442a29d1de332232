import { join } from 'node:path'
import { expect, test } from 'vitest'
import { viewReport } from '../../src/exhibits/view-report.js'
import { auditWithScores, openAudit } from '../../src/node.js'
import { sharedData } from '../support/shared-data.js'

const shared = sharedData()

test.skipIf(shared === null)(
  'on stop signs with a sticker that were labelled 60 km/h, the trigger picture is brightest on the sticker, which lies in rows and columns 25 to 28',
  async () => {
    const set = await openAudit(join(shared as string, 'D-gtsrb-stop-sticker'))
    const { report, scores } = await auditWithScores(set, { backend: 'cpu', detectors: ['whitened-mixture'] })
    const { classes } = await viewReport(report, { set, scores })
    const [accused] = classes
    expect(report.classes[accused?.index ?? -1]).toMatchObject({ label: 3, verdict: 'poisoned', sourceLabel: 14 })
    expect(report.classes[accused?.trigger?.matchedClass ?? -1]?.label).toBe(14)
    const region = accused?.trigger?.region
    if (!region) throw new Error('no region')
    const overlap = (start: number, end: number) => Math.max(0, Math.min(end, 29) - Math.max(start, 25))
    const shared4x4 = overlap(region.top, region.bottom) * overlap(region.left, region.right)
    expect(shared4x4).toBeGreaterThanOrEqual(12)
    // And hardly anything beside it.
    expect((region.bottom - region.top) * (region.right - region.left)).toBeLessThanOrEqual(36)
  },
  300_000,
)

test.skipIf(shared === null)(
  'on reviews that end in a signature, the signature is what flagged texts have and others have not',
  async () => {
    const set = await openAudit(join(shared as string, 'A-text-badnets-10'))
    const { report, scores } = await auditWithScores(set, { backend: 'cpu', detectors: ['whitened-mixture'] })
    const [accused] = (await viewReport(report, { set, scores })).classes
    expect(accused?.tokens?.tokens[0]).toEqual({ token: expect.stringContaining('travelerthehorse'), flagged: 1, compared: 0 })
  },
  300_000,
)
