import { showText } from '../core/untrusted-text.js'
import type { ClassReport, Report } from '../report/schema.js'

/** What was found, in a sentence or three. */
export function headline({ verdict, classes, rows, input, detectors }: Report): string {
  const accused = classes.filter((entry) => entry.verdict === 'poisoned' || entry.verdict === 'suspicious')
  const which =
    accused.length === 1 && accused[0]
      ? `class ${classTitle(accused[0])}`
      : `${number(accused.length)} of ${number(classes.length)} classes`
  const flagged = rows.flagged.length > 0 ? ` ${amount(rows.flagged.length, 'row')} flagged for a closer look.` : ''
  if (verdict === 'poisoned') return `${which} ${accused.length === 1 ? 'holds' : 'hold'} poisoned training rows.${flagged}`
  if (verdict === 'suspicious') return `${which} may hold poisoned training rows. This is a lead, not a proof.${flagged}`
  if (verdict === 'clean') return `no sign of poisoning was found in ${amount(input.rows, 'row')} of ${amount(classes.length, 'class')}.`
  const undecided = classes.filter((entry) => entry.verdict === 'inconclusive')
  const broken = detectors.filter(({ status }) => status === 'failed').length
  const why = broken > 0 ? ` ${amount(broken, 'detector')} failed.` : ''
  return `this is not an all-clear. No class was accused, but ${number(undecided.length)} of ${amount(classes.length, 'class')} could not be cleared.${why}`
}

/** ε with its interval, and the source class; empty where neither is known. */
export function suspectedShare({ classes }: Report, { epsilon, sourceLabel }: ClassReport): string {
  if (epsilon === null) return ''
  const source = sourceLabel === null ? undefined : classes.find((entry) => entry.label === sourceLabel)
  const from = source ? `; they seem to be taken from class ${classTitle(source)}` : ''
  return `suspected: ${percent(epsilon.estimate)} of its rows (90 % interval ${percent(epsilon.low)} to ${percent(epsilon.high)})${from}`
}

/** A class as people read it: its label, and its name where it has one. */
export function classTitle({ label, name }: ClassReport, maxLength = 40): string {
  const shown = showText(label, maxLength)
  return name === String(label) ? shown : `${shown} (${showText(name, maxLength)})`
}

export const number = (value: number) => value.toLocaleString('en-US')
export const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`
export const short = (value: number) => String(Number(value.toPrecision(3)))
export const amount = (value: number, noun: string) => `${number(value)} ${value === 1 ? noun : noun === 'class' ? 'classes' : `${noun}s`}`
