import { CONFIGMAPS, type ConfigMap } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import { withoutForwarding } from '../corefile.ts'
import { type DnsPlace, PLACES, placeOf } from './cluster-dns-place.ts'
import { patchOf } from './cluster-dns-write.ts'

export interface Unforwarded {
  readonly changed: readonly DnsPlace[]
  /** In sentences. */
  readonly failures: readonly string[]
}

/** Takes our block out of the configuration of the cluster's own DNS, as nobody answers there any more. What is not ours stays. */
export async function unforward(client: KubeClient): Promise<Unforwarded> {
  const changed: DnsPlace[] = []
  const failures: string[] = []
  for (const place of PLACES) {
    const found = await client.get(CONFIGMAPS, place.configMap)
    if (!found.ok) {
      if (found.failure.reason !== 'NotFound') failures.push(found.failure.message)
      continue
    }
    const outcome = await withoutBlock(client, place, found.value)
    if (outcome === 'changed') changed.push(place)
    else if (outcome !== 'as it was') failures.push(outcome.why)
  }
  return { changed, failures }
}

type Outcome = 'changed' | 'as it was' | { readonly why: string }

async function withoutBlock(client: KubeClient, place: DnsPlace, object: ConfigMap): Promise<Outcome> {
  const text = object.data?.[place.key] ?? ''
  const wanted = withoutForwarding(text)
  if (!wanted.ok) return { why: `ConfigMap ${placeOf(place)}: ${wanted.why}` }
  if (wanted.text === text) return 'as it was'
  const written = await client.patch(CONFIGMAPS, place.configMap, patchOf(object, place.key, wanted.text))
  return written.ok ? 'changed' : { why: written.failure.message }
}
