import type { KubeObject } from '../../api/meta.ts'
import { CLUSTERSET_DOMAIN, IDENTITY_SECRET, MANAGED_BY, ROUTES_CONFIGMAP } from '../../api/names.ts'
import {
  CLUSTER_PROPERTIES,
  CLUSTERS,
  CONFIGMAPS,
  ENDPOINT_SLICES,
  GLOBAL_TRAFFIC_POLICIES,
  MCS_EXPORTS,
  MCS_IMPORTS,
  MESH_CONFIGS,
  PODS,
  SECRETS,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import type { Result } from '../../kube/failure.ts'
import { keyOf, type Resource } from '../../kube/object.ts'
import { type ExitCode, type Io, UsageError } from '../io.ts'
import { amount, type Format, serialize } from '../print.ts'
import { unforward } from './cluster-dns-cleanup.ts'
import { type DnsPlace, placeOf } from './cluster-dns-place.ts'
import { type Live, must, mustOrMissing, withCluster } from './connect.ts'
import type { LiveFlags } from './flags.ts'
import { type Leftover, leftovers, named, type Uninstalled } from './leftovers.ts'
import { DEPLOYMENTS } from './mesh.ts'

export interface CleanupOptions extends LiveFlags {
  readonly meshConfig?: { readonly namespace: string; readonly name: string }
  readonly output: Format
}

/** `portolan cleanup`: removes what a release leaves behind, except for what running pods route by. */
export function cleanupCommand(options: CleanupOptions, io: Io): Promise<ExitCode> {
  return withCluster(options, async (cluster) => {
    await refuseWhileInstalled(cluster)
    const { remove, keep, retract } = leftovers(
      cluster.portolanNamespace,
      await uninstalled(cluster, options.meshConfig),
    )
    const removed: Leftover[] = []
    const failures: string[] = []
    const carriedOut = (result: Result<unknown>): boolean => {
      if (!result.ok && result.failure.reason !== 'NotFound') failures.push(result.failure.message)
      return result.ok
    }
    for (const each of remove) if (carriedOut(await cluster.client.delete(each.resource, each.ref))) removed.push(each)
    for (const { resource, ref, manager } of retract)
      carriedOut(await cluster.client.apply(resource, { metadata: ref }, { manager, subresource: 'status' }))
    const names = await unforward(cluster.client)
    failures.push(...names.failures)

    const data = {
      removed: removed.map(shown),
      changed: names.changed.map(({ configMap, key }) => ({ kind: 'ConfigMap', ...configMap, key })),
      kept: keep.map(({ because, ...each }) => ({ ...shown(each), because })),
      failures,
    }
    if (options.output !== 'text') io.out(serialize(data, options.output))
    else io.out(text(removed, names.changed, keep, failures))
    return failures.length === 0 ? 0 : 1
  })
}

async function refuseWhileInstalled({ client, name, portolanNamespace: namespace }: Live): Promise<void> {
  const compiler = mustOrMissing(await client.get(DEPLOYMENTS, { namespace, name: 'portolan-compiler' }), name)
  if (compiler === undefined || compiler.metadata.deletionTimestamp !== undefined) return
  throw new UsageError(
    `${name}: Portolan is installed in namespace ${namespace} and would write everything again; remove it first: helm uninstall portolan -n ${namespace}`,
  )
}

async function uninstalled(
  { client, name, portolanNamespace: namespace }: Live,
  meshConfig = { namespace, name: 'portolan-mesh-config' },
): Promise<Uninstalled> {
  // Kinds whose CRDs are gone have left nothing behind.
  const all = async <T extends KubeObject>(result: Promise<Result<{ readonly items: readonly T[] }>>) =>
    mustOrMissing(await result, name)?.items ?? []
  const reported = async (resource: Resource<KubeObject>) =>
    (await all(client.list(resource))).map((object) => [resource, object] as const)
  const present = async (each: Leftover) =>
    mustOrMissing(await client.get(each.resource, each.ref), name) === undefined ? [] : [each]
  const managed = Object.entries(MANAGED_BY)
    .map((label) => label.join('='))
    .join()
  const labelled = async (resource: Resource<KubeObject>) =>
    (await all(client.list(resource, { labelSelector: managed }))).map((object) => [resource, object] as const)
  const [pods, there, tables, identities, imports, objects, config, ...others] = await Promise.all([
    client.list(PODS),
    Promise.all(named(namespace).map(present)),
    client.list(CONFIGMAPS, { fieldSelector: `metadata.name=${ROUTES_CONFIGMAP}` }),
    client.list(SECRETS, { fieldSelector: `metadata.name=${IDENTITY_SECRET}` }),
    all(client.list(SERVICE_IMPORTS)),
    // Names before what they lead to.
    Promise.all([MCS_IMPORTS, CLUSTER_PROPERTIES, SERVICES, ENDPOINT_SLICES].map(labelled)),
    client.get(MESH_CONFIGS, meshConfig),
    reported(SERVICE_EXPORTS),
    reported(MCS_EXPORTS),
    reported(GLOBAL_TRAFFIC_POLICIES),
    reported(CLUSTERS),
  ])
  return {
    pods: must(pods, name).items,
    named: there.flat(),
    tables: must(tables, name).items.map(({ metadata }) => metadata.namespace ?? ''),
    identities: must(identities, name)
      .items.filter(({ metadata }) =>
        Object.entries(MANAGED_BY).every(([label, value]) => metadata.labels?.[label] === value),
      )
      .map(({ metadata }) => metadata.namespace ?? ''),
    imports,
    objects: objects.flat(),
    meshConfig: mustOrMissing(config, name),
    reported: others.flat(),
  }
}

const shown = ({ resource, ref }: Leftover) => ({ kind: resource.kind, ...ref })
const line = ({ resource, ref }: Leftover) => `${resource.kind} ${keyOf(ref)}`

function text(
  removed: readonly Leftover[],
  changed: readonly DnsPlace[],
  kept: readonly (Leftover & { readonly because: string })[],
  failures: readonly string[],
): string {
  return [
    ...removed.map((each) => `removed  ${line(each)}`),
    ...changed.map(
      (place) => `changed  ConfigMap ${placeOf(place)}: it hands on names of ${CLUSTERSET_DOMAIN} no more`,
    ),
    ...kept.map((each) => `kept     ${line(each)}: ${each.because}`),
    ...failures.map((failure) => `FAILED   ${failure}`),
    kept.length === 0
      ? `${amount(removed.length, 'object')} removed; what is left are the CRDs and objects that were not Portolan's`
      : 'Pods with sidecars still run by what was kept. Restart them outside the mesh, then run portolan cleanup.',
    '',
  ].join('\n')
}
