import { changedKeys } from '../differences.ts'
import type { Held } from './exported.ts'
import type { ObservedImport } from './observed.ts'

type Imports = ReadonlyMap<string, ObservedImport>

/** Who holds an import of which service, kept up to date by what changes: asking it costs nothing. */
export interface Holders {
  /** What a member holds now; nothing when it has left. */
  readonly update: (cluster: string, imports: Imports | undefined) => void
  readonly held: (service: string, cluster: string) => Held
  /** Services of which somebody holds something else than when this was last asked. */
  readonly takeChanged: () => ReadonlySet<string>
}

const NONE: Imports = new Map()

export function createHolders(): Holders {
  const last = new Map<string, Imports>()
  let changed = new Set<string>()

  return {
    update: (cluster, imports) => {
      const before = last.get(cluster) ?? NONE
      const now = imports ?? NONE
      for (const service of changedKeys(before, now)) {
        const [was, is] = [before.get(service), now.get(service)]
        if (was?.ours !== is?.ours || was?.givers !== is?.givers) changed.add(service)
      }
      if (imports === undefined) last.delete(cluster)
      else last.set(cluster, imports)
    },
    held: (service, cluster) => {
      const imports = last.get(cluster)
      if (imports === undefined) return 'unknown'
      const found = imports.get(service)
      return found === undefined ? [] : found.ours ? found.givers : 'foreign'
    },
    takeChanged: () => {
      const taken = changed
      changed = new Set()
      return taken
    },
  }
}
