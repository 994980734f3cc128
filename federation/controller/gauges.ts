import { type Entry, exportsOf, ownImports } from './entry.ts'
import type { Metrics } from './metrics.ts'

/** How many there are of what, as metrics. */
export function gauge(metrics: Metrics, entries: readonly Entry[], active: readonly Entry[]): void {
  metrics.members.reset()
  metrics.exports.reset()
  metrics.imports.reset()
  for (const { cluster } of entries) {
    if (cluster === undefined) continue
    const managed = cluster.status?.conditions?.find(({ type }) => type === 'Managed')
    metrics.members.inc({ reason: managed?.reason ?? 'Connecting' })
  }
  metrics.leaving.set(entries.filter(({ cluster }) => cluster === undefined).length)
  for (const entry of active) {
    metrics.exports.set({ cluster: entry.name }, exportsOf(entry))
    metrics.imports.set({ cluster: entry.name }, ownImports(entry))
  }
}

/** A replica that does not lead counts nothing. */
export function ungauge({ members, exports, imports, leaving }: Metrics): void {
  for (const each of [members, exports, imports, leaving]) each.reset()
}
