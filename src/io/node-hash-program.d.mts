/** The text of node-hash-program.gen.ts. */
export function generate(): Promise<string>
