/** Bytes of memory that a page may count on: what the browser tells (at most 8 GiB), else 4 GiB. */
export function browserMemory(): number {
  const { deviceMemory = 4 } = (globalThis.navigator ?? {}) as { readonly deviceMemory?: number }
  return deviceMemory * 2 ** 30
}
