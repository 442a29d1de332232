/** Facts about an error for programs: what was got, what was expected, where. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/**
 * Every error that Assay throws on purpose. `code` is stable and meant for programs, `message` for people, in the form
 * *where: what was got, what was expected; how to mend*. An abort is not one of these: the signal's own reason is thrown.
 */
export class AssayError extends Error {
  readonly code: string
  readonly details: ErrorDetails

  constructor(code: string, message: string, details: ErrorDetails = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.details = details
  }
}

/** A file, a manifest or the data in it is not what it has to be. */
export class InputError extends AssayError {}

/** An option has a value outside its range, or an unknown name. */
export class OptionError extends AssayError {}

/** The compute backend that was asked for is not to be had, or failed while it ran. */
export class BackendError extends AssayError {}

/** A detector could not finish, for a reason of its own. */
export class DetectorError extends AssayError {}
