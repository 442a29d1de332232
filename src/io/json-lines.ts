import { InputError } from '../core/errors.js'

/** One value a line after another. Throws `InputError` `bad-json` with the row, counted from 0; an empty line is no value. */
export function* jsonLines(text: string, where: string): Generator<unknown, void, undefined> {
  let row = 0
  for (let start = 0; start < text.length; row++) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    let value: unknown
    try {
      value = JSON.parse(text.slice(start, end))
    } catch (cause) {
      throw new InputError(
        'bad-json',
        `${where}: row ${row} is not valid JSON, expected one value a line; write it with a JSON library`,
        { row },
        cause,
      )
    }
    yield value
    start = end + 1
  }
}
