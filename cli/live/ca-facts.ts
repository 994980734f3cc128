import { TRUST_DOMAIN_KEY } from '../../api/identity.ts'
import { IDENTITY_CONFIGMAP, TRUST_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS, type ConfigMap } from '../../api/resources.ts'
import { TRUST_AWAITED_KEY } from '../../api/trust.ts'
import { type PublishedRoot, readRootList, SOURCE_KEY } from '../../certs/identity/published.ts'
import { UsageError } from '../io.ts'
import { type Live, mustOrMissing } from './connect.ts'

/** A member that does not hold a root yet. */
export interface Lacking {
  readonly clusterKey: string
  /** Whether the hub reaches it: then it is a matter of seconds. */
  readonly reachable: boolean
}

/** What a cluster tells of its certificate authority. No private key is in it. */
export interface CaFacts {
  readonly trustDomain: string
  /** Name of the Secret that the roots come from, when it is not Portolan that makes them. */
  readonly source?: string
  readonly roots: readonly PublishedRoot[]
  /** The root that is to sign next, while there is one. */
  readonly candidate?: PublishedRoot
  readonly lacking: readonly Lacking[]
}

const awaitedIn = (trust: ConfigMap | undefined, id: string): readonly unknown[] => {
  try {
    const awaited = JSON.parse(trust?.data?.[TRUST_AWAITED_KEY] ?? '{}')?.[id]
    return Array.isArray(awaited) ? awaited : []
  } catch {
    return []
  }
}

/** @throws UsageError when the cluster has no identity server */
export async function caFacts({ client, name, portolanNamespace: namespace }: Live): Promise<CaFacts> {
  const [identity, trust] = await Promise.all([
    client.get(CONFIGMAPS, { namespace, name: IDENTITY_CONFIGMAP }),
    client.get(CONFIGMAPS, { namespace, name: TRUST_CONFIGMAP }),
  ])
  const published = mustOrMissing(identity, name)
  if (published === undefined)
    throw new UsageError(
      `${name}: there is no ConfigMap ${namespace}/${IDENTITY_CONFIGMAP}; see whether Deployment portolan-identity runs, which the chart makes unless identity.enabled is false`,
    )
  const roots = readRootList(published)
  const source = published.data?.[SOURCE_KEY]
  // The first root of all waits for nobody.
  const candidate = roots.find(({ waitingFor }) => waitingFor !== undefined)
  const reachable = candidate === undefined ? [] : awaitedIn(mustOrMissing(trust, name), candidate.id)
  return {
    trustDomain: published.data?.[TRUST_DOMAIN_KEY] ?? '',
    ...(source === undefined ? {} : { source }),
    roots,
    ...(candidate === undefined ? {} : { candidate }),
    lacking: (candidate?.waitingFor ?? []).map((clusterKey) => ({
      clusterKey,
      reachable: reachable.includes(clusterKey),
    })),
  }
}

/** A root as people call it: the first characters of its fingerprint. */
export const shortId = (id: string): string => id.slice(0, 12)

/** `a/b/c/west (cannot be reached)`, joined. */
export const lackingText = (lacking: readonly Lacking[]): string =>
  lacking
    .map(({ clusterKey, reachable }) => (reachable ? clusterKey : `${clusterKey} (the hub cannot reach it)`))
    .join(', ')
