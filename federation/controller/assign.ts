import type { ServiceImport } from '../../api/service-import.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import type { WantedSlice } from '../slices.ts'
import type { Trust } from '../trust.ts'
import type { Desired } from './desired.ts'

/** A cluster that is registered, or in which something of the hub is left. */
export interface Party {
  readonly name: string
  /** Whether its Cluster is there. */
  readonly registered: boolean
  /** Another hub says that it is its own. */
  readonly isAnothers: boolean
  /** Its API server takes part by the name of another Cluster. */
  readonly isTakenOver: boolean
  /** It is not known yet whether it can be reached, and what it is then. */
  readonly isUndecided: boolean
  /** What it exports is known, and would be after a restart. */
  readonly isHeard: boolean
  /** Portolan's own namespace there as it was seen; absent when it was not. */
  readonly seenIn?: string
  /** The same as it is remembered. */
  readonly rememberedIn?: string
}

/** What all together came to, by name of Cluster where it says Cluster. */
export interface Outcome {
  readonly hub: string
  /** Portolan's own at the hub. */
  readonly namespace: string
  readonly createNamespaces: boolean
  /** Cluster → who it is, of those that take part. */
  readonly identities: ReadonlyMap<
    string,
    Pick<Desired, 'trustDomain' | 'globalServices'> & { readonly clusterKey: string }
  >
  readonly imports: ReadonlyMap<string, readonly ServiceImport[]>
  readonly slices: ReadonlyMap<string, readonly WantedSlice[]>
  readonly statuses: ReadonlyMap<string, readonly ObjectStatus[]>
  readonly trust: ReadonlyMap<string, Trust>
}

/** What each cluster is to hold, by its name. One that is to be left alone is not among them. */
export function assign(parties: readonly Party[], outcome: Outcome): ReadonlyMap<string, Desired> {
  const { identities, imports, slices, statuses, trust, hub, namespace, createNamespaces } = outcome
  const somebodyIsNew = parties.some(({ isUndecided }) => isUndecided)
  const unheard = new Set(
    parties.flatMap(({ name, isHeard }) => (isHeard ? [] : (identities.get(name)?.clusterKey ?? []))),
  )

  function wantedOf(party: Party): Desired | undefined {
    const { name, seenIn, rememberedIn } = party
    const identity = identities.get(name)
    const told = trust.get(name)
    // What is or may turn out to be another one's is not touched.
    if (party.isAnothers) return undefined
    if (!party.registered && !somebodyIsNew && !party.isTakenOver)
      return { ...NOTHING, namespace: rememberedIn ?? seenIn ?? namespace, hub }
    // Nor what cannot be remembered yet.
    if (identity === undefined || told === undefined || !party.isHeard || seenIn === undefined) return undefined
    return {
      namespace: seenIn,
      hub,
      ...identity,
      trust: told,
      imports: imports.get(name) ?? [],
      slices: slices.get(name) ?? [],
      statuses: statuses.get(name) ?? [],
      createNamespaces,
      unheard,
    }
  }

  return new Map(
    parties.flatMap((party): readonly (readonly [string, Desired])[] => {
      const desired = wantedOf(party)
      return desired === undefined ? [] : [[party.name, desired]]
    }),
  )
}

/** What a member that has left should hold. */
const NOTHING = {
  globalServices: false,
  imports: [],
  slices: [],
  statuses: [],
  createNamespaces: false,
  unheard: new Set<string>(),
} as const
