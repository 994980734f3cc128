import type { Held } from './exported.ts'
import type { ObservedImport } from './observed.ts'

type Imports = ReadonlyMap<string, ObservedImport>

interface Entry {
  readonly by: Map<string, ObservedImport>
  /** Another one after each change. */
  version: object
}

/** Who holds an import of which service, kept up to date by what changes: asking it costs nothing. */
export interface Holders {
  /** What a member holds now; nothing when it has left. */
  readonly update: (cluster: string, imports: Imports | undefined) => void
  readonly held: (service: string, cluster: string) => Held
  /** The same for as long as nothing of the service changes. */
  readonly version: (service: string) => object
}

const NONE: Imports = new Map()
const UNTOUCHED = {}

export function createHolders(): Holders {
  const last = new Map<string, Imports>()
  const services = new Map<string, Entry>()

  function put(service: string, cluster: string, found: ObservedImport | undefined) {
    const entry = services.get(service) ?? { by: new Map<string, ObservedImport>(), version: {} }
    services.set(service, entry)
    const before = entry.by.get(cluster)
    if (found === undefined) entry.by.delete(cluster)
    else entry.by.set(cluster, found)
    if (before?.ours !== found?.ours || before?.givers !== found?.givers) entry.version = {}
    if (entry.by.size === 0) services.delete(service)
  }

  return {
    update: (cluster, imports) => {
      const before = last.get(cluster) ?? NONE
      const now = imports ?? NONE
      if (before === now) return
      for (const [service, found] of now) if (before.get(service) !== found) put(service, cluster, found)
      for (const service of before.keys()) if (!now.has(service)) put(service, cluster, undefined)
      if (imports === undefined) last.delete(cluster)
      else last.set(cluster, imports)
    },
    held: (service, cluster) => {
      const found = services.get(service)?.by.get(cluster)
      if (found !== undefined) return found.ours ? found.givers : 'foreign'
      return last.has(cluster) ? [] : 'unknown'
    },
    version: (service) => services.get(service)?.version ?? UNTOUCHED,
  }
}
