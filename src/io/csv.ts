import { InputError } from '../core/errors.js'

export interface CsvRecord {
  readonly fields: readonly string[]
  /** Where the next record begins in the text. */
  readonly end: number
}

/**
 * One record of a CSV file (RFC 4180: commas, double quotes doubled within quotes, CRLF or LF) after another, in one pass. An empty
 * last line is no record. Throws `InputError` `bad-csv` for quotes that stand anywhere but around a whole field.
 */
export function* csvRecords(text: string, where: string): Generator<CsvRecord, void, undefined> {
  let row = 0
  for (let at = 0; at < text.length; row++) {
    const fields: string[] = []
    for (let more = true; more; ) {
      let field = ''
      if (text[at] === '"') {
        at++
        for (;;) {
          const quote = text.indexOf('"', at)
          if (quote < 0) throw new InputError('bad-csv', `${where}: line ${row} has a quote that is never closed; close it`, { row })
          field += text.slice(at, quote)
          at = quote + 1
          if (text[at] !== '"') break
          field += '"'
          at++
        }
      } else {
        const start = at
        while (at < text.length && text[at] !== ',' && text[at] !== '\n' && text[at] !== '\r' && text[at] !== '"') at++
        field = text.slice(start, at)
      }
      fields.push(field)
      more = text[at] === ','
      if (more || text[at] === '\n') at++
      else if (text[at] === '\r' && text[at + 1] === '\n') at += 2
      else if (at < text.length) {
        const got = text[at] === '"' ? 'a quote' : 'text'
        throw new InputError(
          'bad-csv',
          `${where}: line ${row} has ${got} beside a field, expected quotes around the whole field; write it with a CSV library`,
          { row },
        )
      }
    }
    yield { fields, end: at }
  }
}

/** Fields as a record without a line end, quoted where they have to be. */
export function csvText(fields: readonly string[]): string {
  return fields.map((field) => (/[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')
}
