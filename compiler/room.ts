/** Who has to go when not all fit into one ConfigMap: nobody's services may be kept out, or frozen, by those of another namespace. */
import { by } from './order.ts'

export const namespaceOf = (service: string): string => service.slice(0, service.indexOf('/'))

/**
 * From the namespace that takes most, the largest service, and so on: who takes little never goes for those who take much.
 *
 * @param sizes bytes by service, `namespace/name`
 * @param over at least so many bytes have to go
 * @returns the first that goes first; all of them, when all are not enough
 */
export const leavesRoom = (sizes: ReadonlyMap<string, number>, over: number): readonly string[] => {
  const largestFirst = [...sizes].toSorted(
    by(
      ([, bytes]) => -bytes,
      ([service]) => service,
    ),
  )
  const queues = Map.groupBy(largestFirst, ([service]) => namespaceOf(service))
  const taken = new Map([...queues].map(([namespace, all]) => [namespace, sum(all)]))
  const gone: string[] = []
  // Commas between, which go as well, are not counted: what is left out is never too little.
  for (let left = over; left > 0; ) {
    const [namespace = ''] =
      [...taken].toSorted(
        by(
          ([, bytes]) => -bytes,
          ([name]) => name,
        ),
      )[0] ?? []
    const next = queues.get(namespace)?.shift()
    if (next === undefined) return gone
    const [service, bytes] = next
    gone.push(service)
    left -= bytes
    taken.set(namespace, (taken.get(namespace) ?? 0) - bytes)
  }
  return gone
}

const sum = (parts: readonly (readonly [string, number])[]): number => parts.reduce((all, [, bytes]) => all + bytes, 0)
