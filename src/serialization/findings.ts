import { showText } from '../core/untrusted-text.js'
import { type FindingId, findingKinds } from './finding-kinds.js'
import { type ScanFinding, severities } from './scan-report.js'

/** Of one kind in one file; the rest is counted. */
const listedPerFile = 50
const maxPathLength = 1000

/** Gathers what a scan finds: each thing once, and no more than a reader can take in. */
export class Findings {
  private readonly found: ScanFinding[] = []
  private readonly counts = new Map<string, number>()
  private readonly seen = new Set<string>()

  /** `says`: one sentence, whose quotes from the input have gone through `showText`. */
  add(id: FindingId, path: string, offset: number | null, says: string): void {
    const { severity, fix } = findingKinds[id]
    // a header may name a place that no file has
    const place = offset !== null && Number.isSafeInteger(offset) && offset >= 0 ? offset : null
    this.push({ id, severity, path: showText(path, maxPathLength), offset: place, says, fix })
  }

  /** What others found, such as the examination of a model. */
  push(finding: ScanFinding): void {
    const { id, path, offset, says } = finding
    const key = `${id}\n${path}\n${says}`
    const place = `${id}\n${path}`
    if (this.seen.has(key) || this.seen.has(`${place}\n+`)) return
    const count = (this.counts.get(place) ?? 0) + 1
    this.counts.set(place, count)
    if (count > listedPerFile) {
      this.seen.add(`${place}\n+`)
      this.found.push({ ...finding, offset, says: `there are more of this kind in the file than the ${listedPerFile} that are listed` })
      return
    }
    this.seen.add(key)
    this.found.push(finding)
  }

  /** The gravest first, then by path and place. */
  sorted(): ScanFinding[] {
    const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
    return [...this.found].sort(
      (a, b) =>
        severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
        byText(a.path, b.path) ||
        (a.offset ?? -1) - (b.offset ?? -1) ||
        byText(a.id, b.id) ||
        byText(a.says, b.says),
    )
  }
}
