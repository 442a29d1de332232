import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { findingKinds } from './finding-kinds.js'
import type { ScanFinding, ScanReport, Severity } from './scan-report.js'

const levels: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  dangerous: 'error',
  suspicious: 'error',
  undecided: 'warning',
  note: 'note',
}
/** Of 10, as code-scanning dashboards sort by it. */
const gravity: Readonly<Record<Severity, string>> = { dangerous: '9.5', suspicious: '7.0', undecided: '4.0', note: '1.0' }

/**
 * The findings of a scan in SARIF 2.1.0 (OASIS), for dashboards of code scanning: one rule a kind, one result a finding, places as bytes of
 * files relative to what was scanned (`%SRCROOT%`); what is inside an archive is placed at the archive, and named.
 */
export function toSarif({ findings }: ScanReport, { version }: { readonly version: string }): Record<string, unknown> {
  const ids = [...new Set(findings.map(({ id }) => id))].sort()
  const severityOf = new Map(findings.map(({ id, severity }) => [id, severity]))
  return {
    $schema: 'https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'Assay', semanticVersion: version, rules: ids.map((id) => rule(id, severityOf.get(id) ?? 'note')) } },
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => result(finding, ids.indexOf(finding.id))),
      },
    ],
  }
}

function rule(id: string, severity: Severity): Record<string, unknown> {
  const kind = (findingKinds as Readonly<Record<string, { means: string; fix: string }>>)[id]
  return {
    id,
    shortDescription: { text: id.replaceAll('-', ' ') },
    fullDescription: { text: kind?.means ?? id },
    help: { text: kind?.fix ?? 'see the finding' },
    defaultConfiguration: { level: levels[severity] },
    properties: { 'security-severity': gravity[severity], tags: ['security', 'machine-learning'] },
  }
}

function result({ id, severity, path, offset, says, fix }: ScanFinding, ruleIndex: number): Record<string, unknown> {
  const [file = '', ...inner] = path.split('!/')
  const uri = file.split('/').map(encodeURIComponent).join('/')
  // Dashboards want a line, of which these files have none. A byte within a member is none of the archive.
  const region = { startLine: 1, ...(offset === null || inner.length > 0 ? {} : { byteOffset: offset, byteLength: 0 }) }
  return {
    ruleId: id,
    ruleIndex,
    level: levels[severity],
    message: { text: inner.length > 0 ? `${path}: ${says}; ${fix}` : `${says}; ${fix}` },
    locations: [{ physicalLocation: { artifactLocation: { uri, uriBaseId: '%SRCROOT%' }, region } }],
    // the same finding of another scan, wherever its byte is by then
    partialFingerprints: { 'assayFinding/v1': bytesToHex(sha256(utf8ToBytes(`${id}\n${path}\n${says}`))).slice(0, 32) },
    properties: { path, offset, severity },
  }
}
