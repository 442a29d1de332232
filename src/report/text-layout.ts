/** Characters that terminals draw two columns wide. */
const wide = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u
const combining = /\p{M}/u

/** Columns that `text` takes in a terminal, near enough: wide characters count two, combining marks none. */
export function displayWidth(text: string): number {
  let columns = 0
  for (const character of text) columns += combining.test(character) ? 0 : wide.test(character) ? 2 : 1
  return columns
}

/** `text` in exactly `columns` columns: padded with spaces, or cut with `…`. */
export function fitText(text: string, columns: number): string {
  const width = displayWidth(text)
  if (width <= columns) return text + ' '.repeat(columns - width)
  const kept = takeColumns(text, columns - 1)
  return `${kept}…${' '.repeat(columns - 1 - displayWidth(kept))}`
}

/** `text` broken at spaces into lines of at most `columns` columns; a longer word is broken inside. At least one line. */
export function wrapText(text: string, columns: number): string[] {
  return wrapWords(text.split(' '), columns)
}

/** As `wrapText`, for words that may hold spaces. */
export function wrapWords(words: readonly string[], columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const whole of words) {
    let word = whole
    if (line !== '' && displayWidth(line) + 1 + displayWidth(word) > columns) {
      lines.push(line)
      line = ''
    }
    while (displayWidth(word) > columns) {
      const head = takeColumns(word, columns)
      lines.push(head)
      word = word.slice(head.length)
    }
    line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines
}

/** As much of `text` as fits, but at least one character, so that callers get on. */
function takeColumns(text: string, columns: number): string {
  let kept = ''
  let used = 0
  for (const character of text) {
    used += displayWidth(character)
    if (used > columns && kept !== '') break
    kept += character
  }
  return kept
}
