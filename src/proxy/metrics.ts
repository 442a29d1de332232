/** Counters and gauges in Prometheus' text format (version 0.0.4). Label values are ours, never a client's. */
export class Metrics {
  readonly #counters = new Map<string, { readonly help: string; readonly values: Map<string, number> }>()
  readonly #gauges = new Map<string, { readonly help: string; readonly read: () => number }>()

  counter(name: string, help: string): (labels?: Readonly<Record<string, string>>, by?: number) => void {
    const values = new Map<string, number>()
    this.#counters.set(name, { help, values })
    return (labels = {}, by = 1) => {
      const shown = Object.entries(labels).map(([label, value]) => `${label}="${value.replace(/[\\"\n]/g, '_')}"`)
      const key = shown.length === 0 ? '' : `{${shown.join(',')}}`
      values.set(key, (values.get(key) ?? 0) + by)
    }
  }

  gauge(name: string, help: string, read: () => number): void {
    this.#gauges.set(name, { help, read })
  }

  text(): string {
    const lines: string[] = []
    for (const [name, { help, values }] of this.#counters) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} counter`)
      for (const [labels, value] of values.size === 0 ? [['', 0] as const] : values) lines.push(`${name}${labels} ${value}`)
    }
    for (const [name, { help, read }] of this.#gauges) lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name} ${read()}`)
    return `${lines.join('\n')}\n`
  }
}
