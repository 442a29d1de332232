/** The text of hash-program.gen.ts. */
export function generate(): Promise<string>
