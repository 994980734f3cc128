import { type ClusterIdentity, clusterIdentity } from '../../api/cluster-identity.ts'
import type { KubeObject } from '../../api/meta.ts'
import { CLUSTER_CONFIGMAP, DEFAULT_CLUSTER_DOMAIN, DEFAULT_VIP_RANGE } from '../../api/names.ts'
import { CONFIGMAPS, type ConfigMap } from '../../api/resources.ts'
import type { MeshSettings } from '../../compiler/snapshot.ts'
import type { Resource } from '../../kube/object.ts'
import { UsageError } from '../io.ts'
import { type Live, mustOrMissing } from './connect.ts'

/** As far as it is read here. */
export interface Deployment extends KubeObject {
  readonly spec: {
    readonly replicas?: number
    readonly template: { readonly spec: { readonly containers: readonly Container[] } }
  }
  readonly status?: { readonly readyReplicas?: number }
}

interface Container {
  readonly name: string
  readonly args?: readonly string[]
}

export const DEPLOYMENTS: Resource<Deployment> = {
  group: 'apps',
  version: 'v1',
  plural: 'deployments',
  kind: 'Deployment',
  namespaced: true,
}

/** Name of the compiler's Deployment, and of its container. */
const COMPILER = 'portolan-compiler'
/** Finds it whatever its namespace. */
const ANY_COMPILER = 'app.kubernetes.io/name=portolan,app.kubernetes.io/component=compiler'

export interface Mesh extends MeshSettings {
  /** Whether proxies have an identity. */
  readonly mtls: boolean
  /** Whether a hub has given the cluster its key. */
  readonly joined: boolean
  readonly identity: ClusterIdentity
  readonly meshConfig: { readonly namespace: string; readonly name: string }
}

/**
 * What Portolan in the cluster was installed with, as its own compiler reads it.
 * @param flag that says where it is
 * @throws UsageError when it is not installed
 */
export async function meshOf(cluster: Live, flag = '--portolan-namespace'): Promise<Mesh> {
  const { client, portolanNamespace: namespace, name } = cluster
  const [compiler, identity] = await Promise.all([
    client.get(DEPLOYMENTS, { namespace, name: COMPILER }),
    client.get(CONFIGMAPS, { namespace, name: CLUSTER_CONFIGMAP }),
  ])
  const deployment = mustOrMissing(compiler, name)
  if (deployment === undefined) throw await notInstalled(cluster, flag)
  return meshFrom(deployment, mustOrMissing(identity, name))
}

/** @param told who the cluster is, as the hub says */
export function meshFrom({ metadata, spec }: Deployment, told: ConfigMap | undefined): Mesh {
  const { containers } = spec.template.spec
  const flags = flagsOf(containers.find(({ args }) => args?.[0] === 'compiler')?.args ?? [])
  const [namespace = '', name = ''] = (flags.get('mesh-config') ?? '').split('/')
  const egressNamespace = flags.get('egress-namespace')
  const identity = clusterIdentity(told, flags.get('cluster-key') ?? 'default/default/default/default')
  return {
    meshName: flags.get('mesh-name') ?? 'portolan',
    clusterKey: identity.clusterKey,
    clusterDomain: flags.get('cluster-domain') ?? DEFAULT_CLUSTER_DOMAIN,
    vipRange: flags.get('vip-range') ?? DEFAULT_VIP_RANGE,
    requireIdentity: flags.has('require-identity'),
    ...(egressNamespace === undefined ? {} : { egressNamespace }),
    mtls: !flags.has('no-mtls'),
    joined: told !== undefined && identity.issue === undefined,
    identity,
    meshConfig:
      name === '' ? { namespace: metadata.namespace ?? '', name: 'portolan-mesh-config' } : { namespace, name },
  }
}

/** `--name=value` and `--name value`. */
function flagsOf(args: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    args.flatMap((arg, index): readonly (readonly [string, string])[] => {
      const { name, value } = /^--(?<name>[a-z-]+)(?:=(?<value>.*))?$/.exec(arg)?.groups ?? {}
      return name === undefined ? [] : [[name, value ?? args[index + 1] ?? '']]
    }),
  )
}

async function notInstalled({ client, connection, name, portolanNamespace }: Live, flag: string): Promise<UsageError> {
  const elsewhere = await client.list(DEPLOYMENTS, { labelSelector: ANY_COMPILER })
  const [found] = elsewhere.ok ? elsewhere.value.items : []
  const remedy =
    found === undefined
      ? `install it with portolan install${connection.context === undefined ? '' : ` --context ${connection.context}`}`
      : `it is in namespace ${found.metadata.namespace}: add ${flag} ${found.metadata.namespace}`
  return new UsageError(`${name}: Portolan is not installed in namespace ${portolanNamespace}; ${remedy}`)
}
