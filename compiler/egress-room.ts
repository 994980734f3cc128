import { egressFiles } from './files.ts'
import { egressBytes } from './render-egress.ts'
import { bytesOf, SIZE_LIMIT_KB } from './size.ts'
import type { EgressListener, EgressTable, ServiceRoute } from './tables.ts'

/** One import at the egress. Listeners are in the order of the routes that they lead to. */
export interface EgressEntry {
  readonly routes: readonly ServiceRoute[]
  readonly listeners: readonly EgressListener[]
}

/**
 * Those that one ConfigMap has room for: each as a whole, and none in the place of an older one.
 *
 * @param entries the oldest first
 * @param empty the table without any of them
 */
export const egressThatFits = <T extends EgressEntry>(
  entries: readonly T[],
  empty: EgressTable,
  place: { readonly namespace: string; readonly clusterKey: string },
  limitKb: number = SIZE_LIMIT_KB,
): ReadonlySet<T> => {
  let room = limitKb * 1000 - bytesOf(egressFiles(empty, place).files)
  const fit = new Set<T>()
  for (const entry of entries) {
    const bytes = entry.listeners.reduce((sum, listener, index) => {
      const route = entry.routes[index]
      return sum + JSON.stringify(listener).length + 1 + (route ? egressBytes(route, listener, empty) : 0)
    }, 0)
    if (bytes > room) continue
    room -= bytes
    fit.add(entry)
  }
  return fit
}
