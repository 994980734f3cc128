/**
 * Whose a path of the gateway is. Whoever serves a path gets the calls of all paths below it, so no namespace may have one
 * inside or around that of another: it would take calls, and what they carry, that are meant for that one.
 */

/** A path that an export wants. */
export interface PathClaim {
  /** Without a slash at its end except for `/` itself and for Exact. */
  readonly path: string
  readonly pathType: 'Prefix' | 'Exact'
  /** The Service, `ns/name`. */
  readonly service: string
}

/** The claim that another stands back for. */
export type Holder = Pick<PathClaim, 'path' | 'service'>

const namespaceOf = (service: string): string => service.slice(0, service.indexOf('/'))

/** Below `/<namespace>`, where paths are that nobody has written, a namespace comes before all others. */
export const isOwnArea = (path: string, namespace: string): boolean =>
  path === `/${namespace}` || path.startsWith(`/${namespace}/`)

/** Whether it is by its age that a holder keeps an export from its path, and by nothing else. */
export const isJustOlder = (holder: Holder, path: string, service: string): boolean =>
  holder.path === path && isOwnArea(path, namespaceOf(holder.service)) === isOwnArea(path, namespaceOf(service))

/** The paths that a path lies below, as far as anybody can be said to have them: at `/` is what no other path takes. */
const above = (path: string): readonly string[] =>
  [...path.matchAll(/(?!^)\//g)].map(({ index }) => path.slice(0, index))

/**
 * @param claims the oldest first
 * @returns who keeps a claim from being served: another export of the same path, or of one inside or around it in another
 * namespace; undefined for a claim that is served
 */
export const pathHolders = (claims: readonly PathClaim[]): ((claim: PathClaim) => Holder | undefined) => {
  const served = new Map<string, PathClaim>()
  const below = new Map<string, Map<string, Holder>>()

  const holderOf = ({ path, pathType, service }: PathClaim): Holder | undefined => {
    const namespace = namespaceOf(service)
    const same = served.get(path)
    if (same !== undefined && same.service !== service) return same
    const around = above(path)
      .flatMap((each) => served.get(each) ?? [])
      .find((each) => each.pathType === 'Prefix' && namespaceOf(each.service) !== namespace)
    if (around !== undefined || pathType === 'Exact') return around
    return [...(below.get(path) ?? [])].find(([other]) => other !== namespace)?.[1]
  }

  const isOwn = ({ path, service }: PathClaim) => isOwnArea(path, namespaceOf(service))
  for (const claim of [...claims.filter(isOwn), ...claims.filter((each) => !isOwn(each))]) {
    if (holderOf(claim) !== undefined) continue
    // Of one export's claims to a path a Prefix says more than an Exact.
    if (served.get(claim.path)?.pathType !== 'Prefix') served.set(claim.path, claim)
    for (const each of above(claim.path)) {
      const holders = below.get(each) ?? new Map<string, Holder>()
      below.set(each, holders)
      const namespace = namespaceOf(claim.service)
      if (!holders.has(namespace)) holders.set(namespace, claim)
    }
  }
  return holderOf
}
