/** `portolan cleanup` with the rights that the chart's Job has, each of which it needs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../api/meta.ts'
import { FIELD_MANAGER, MANAGED_BY } from '../../../api/names.ts'
import * as resources from '../../../api/resources.ts'
import { BEGIN, END } from '../../../cli/corefile-blocks.ts'
import { CLUSTER_ROLE_BINDINGS, ROLE_BINDINGS } from '../../../cli/live/hub-account.ts'
import { hubKubeconfig } from '../../../cli/live/hub-kubeconfig.ts'
import { DEPLOYMENTS } from '../../../cli/live/mesh.ts'
import { createClient, type KubeClient } from '../../../kube/client.ts'
import { must, mustOrMissing } from '../../../kube/failure.ts'
import { LEASES } from '../../../kube/lease.ts'
import { keyOf, type Ref, type Resource } from '../../../kube/object.ts'
import { render } from '../../chart/helm.ts'
import { type ApiServer, startApiServer } from '../../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../../kube/compiler.ts'
import { CRDS } from '../../kube/crds.ts'
import { exported, imported, pod, policy } from '../../kube/objects.ts'
import {
  type Audit,
  createAudit,
  createHolder,
  type Expectation,
  failsWithout,
  holdsWithAll,
  type Right,
  rightsOf,
  type Trial,
  textOf,
} from '../../kube/rights.ts'
import { portolan } from '../session.ts'

const RIGHTS = rightsOf(await render('-s', 'templates/cleanup.yaml'), 'portolan-cleanup')
const { CLUSTER_PROPERTIES, CONFIGMAPS, ENDPOINT_SLICES, MCS_IMPORTS, MESH_CONFIGS, PODS, SECRETS } = resources
const { SERVICE_ACCOUNTS, SERVICE_IMPORTS, SERVICES } = resources
const ROLE = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'portolan-member' }

let dir: string
let audit: Audit
let api: ApiServer
let client: KubeClient

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-cleanup-'))
  audit = await createAudit(dir, 'cleanup')
  api = await startApiServer({ args: audit.args })
  client = createClient(api.connection)
  await kubectl(api, ['apply', ...CRDS])
  await kubectl(api, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
  for (const name of [SYSTEM, 'shop']) await kubectl(api, ['create', 'namespace', name])
})
afterAll(async () => {
  await client?.close()
  await api?.stop()
  await rm(dir, { recursive: true, force: true })
})

type Leftover = readonly [resource: Resource, ref: Ref, content: object, manager?: string]

const NO_ENDPOINTS = { addressType: 'IPv4', endpoints: [], ports: [] }

/** What a release leaves behind. */
const LEFTOVERS: readonly Leftover[] = [
  [CLUSTER_ROLE_BINDINGS, { name: 'portolan-hub' }, { roleRef: { ...ROLE, kind: 'ClusterRole' } }],
  [ROLE_BINDINGS, { namespace: SYSTEM, name: 'portolan-hub' }, { roleRef: ROLE }],
  [SERVICE_ACCOUNTS, { namespace: SYSTEM, name: 'portolan-hub' }, {}],
  [CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' }, {}],
  [CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-trust' }, {}],
  [SERVICES, { namespace: SYSTEM, name: 'portolan-dns' }, { spec: { ports: [{ port: 53 }] } }],
  [CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-dns' }, {}],
  [CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-gateway' }, {}],
  [CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-egress' }, {}],
  [SECRETS, { namespace: SYSTEM, name: 'portolan-webhook-tls' }, {}],
  [LEASES, { namespace: SYSTEM, name: 'portolan-compiler' }, {}],
  [LEASES, { namespace: SYSTEM, name: 'portolan-federation' }, {}],
  [LEASES, { namespace: SYSTEM, name: 'portolan-identity' }, {}],
  [SECRETS, { namespace: SYSTEM, name: 'portolan-ca' }, {}],
  [CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-identity' }, {}],
  [CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-trust' }, {}],
  [SECRETS, { namespace: 'shop', name: 'portolan-identity' }, {}],
  [PODS, { namespace: SYSTEM, name: 'portolan-smoke' }, { spec: { containers: [{ name: 'smoke', image: 'x' }] } }],
  [MESH_CONFIGS, { namespace: SYSTEM, name: 'portolan-mesh-config' }, { spec: {} }],
  [CONFIGMAPS, { namespace: 'shop', name: 'portolan-routes' }, {}],
  [
    SERVICE_IMPORTS,
    { namespace: 'shop', name: 'far' },
    { spec: imported('shop', 'far').spec },
    FIELD_MANAGER.federation,
  ],
  [MCS_IMPORTS, { namespace: 'shop', name: 'far' }, { spec: { type: 'Headless', ports: [] } }, FIELD_MANAGER.compiler],
  ...['cluster.clusterset.k8s.io', 'clusterset.k8s.io'].map(
    (name): Leftover => [CLUSTER_PROPERTIES, { name }, { spec: { value: 'x' } }, FIELD_MANAGER.compiler],
  ),
  [SERVICES, { namespace: 'shop', name: 'derived' }, { spec: { ports: [{ port: 80 }] } }, FIELD_MANAGER.compiler],
  [ENDPOINT_SLICES, { namespace: 'shop', name: 'copied' }, NO_ENDPOINTS, FIELD_MANAGER.federation],
]
/** What users have written, with what Portolan said of it. */
const OWN: readonly (readonly [Resource<KubeObject>, KubeObject])[] = [
  [resources.SERVICE_EXPORTS, exported('shop', 'pay')],
  [SERVICE_IMPORTS, imported('shop', 'pay')],
  [
    resources.MCS_EXPORTS,
    {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: { namespace: 'shop', name: 'pay' },
    } as KubeObject,
  ],
  [resources.GLOBAL_TRAFFIC_POLICIES, policy('shop', 'pay')],
  [
    resources.CLUSTERS,
    {
      apiVersion: 'flomesh.io/v1alpha1',
      kind: 'Cluster',
      metadata: { name: 'far' },
      spec: { gatewayHost: 'far.example', gatewayPort: 80, kubeconfigSecretRef: { name: 'far' } },
    } as KubeObject,
  ],
]
const SAID = {
  conditions: [
    { type: 'Valid', status: 'True', reason: 'Valid', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ],
}

const COREFILE = ['.:53 {', '    errors', '    forward . /etc/resolv.conf', '    reload', '}', ''].join('\n')
const BLOCK = [BEGIN, 'clusterset.local:53 {', '    forward . 10.43.0.53:5353', '}', END, '']
/** Where the cluster's own DNS may have its configuration, and what of it is not ours. */
const DNS: Readonly<Record<string, readonly [key: string, rest: string]>> = {
  coredns: ['Corefile', COREFILE],
  'coredns-custom': ['portolan.server', ''],
  'node-local-dns': ['Corefile', COREFILE],
}
const inKubeSystem = (name: string) => ({ namespace: 'kube-system', name })
const dnsOf = async (name: string) => {
  const [key = ''] = DNS[name] ?? []
  const { data = {} } = must(await client.get(CONFIGMAPS, inKubeSystem(name)))
  return data[key]
}
async function enableDns(): Promise<void> {
  for (const [name, [key, rest]] of Object.entries(DNS)) {
    const data = { [key]: `${BLOCK.join('\n')}${rest}`, other: 'x' }
    must(await client.apply(CONFIGMAPS, { metadata: inKubeSystem(name), data }, { manager: 'test' }))
  }
}

async function uninstall(): Promise<void> {
  await enableDns()
  const labels = { ...MANAGED_BY, 'app.kubernetes.io/part-of': 'portolan' }
  for (const [resource, ref, content, manager = 'test'] of LEFTOVERS)
    must(await client.apply(resource, { metadata: { ...ref, labels }, ...content } as never, { manager }))
  for (const [resource, object] of OWN) {
    must(await client.apply(resource, object, { manager: 'user' }))
    const { name, namespace } = object.metadata
    const metadata = namespace === undefined ? { name } : { namespace, name }
    const manager = resource.kind === 'Cluster' ? FIELD_MANAGER.federation : FIELD_MANAGER.compiler
    must(await client.apply(resource, { metadata, status: SAID } as never, { manager, subresource: 'status' }))
  }
}

const isThere = async (resource: Resource, ref: Ref) => mustOrMissing(await client.get(resource, ref)) !== undefined
const remaining = async () => {
  const found = await Promise.all(
    LEFTOVERS.map(async ([resource, ref]) =>
      (await isThere(resource, ref)) ? [`${resource.kind} ${keyOf(ref)}`] : [],
    ),
  )
  return found.flat()
}
const saidOf = async (resource: Resource<KubeObject>, { metadata }: KubeObject) => {
  const { name, namespace } = metadata
  const found = mustOrMissing(await client.get(resource, namespace === undefined ? { name } : { namespace, name }))
  return (found as { status?: { conditions?: readonly unknown[] } } | undefined)?.status?.conditions ?? []
}

describe('what a release has left', () => {
  const cleanup = (...flags: readonly string[]) => portolan(['cleanup', '--kubeconfig', api.kubeconfig, ...flags])

  test('is not touched while a release is there', async () => {
    await uninstall()
    const deployment = await render('-s', 'templates/compiler/deployment.yaml')
    await kubectl(api, ['apply', '-f', '-'], deployment)
    expect(await cleanup()).toEqual({
      code: 2,
      out: '',
      err: 'error: test: Portolan is installed in namespace portolan-system and would write everything again; remove it first: helm uninstall portolan -n portolan-system\n',
    })
    expect(await remaining()).toHaveLength(LEFTOVERS.length)
    must(await client.delete(DEPLOYMENTS, { namespace: SYSTEM, name: 'portolan-compiler' }))
  })

  test('stays as far as running pods need it, and is named', async () => {
    await kubectl(api, ['apply', '-f', '-'], JSON.stringify(pod('shop', 'caller', true)))
    const { code, out } = await cleanup()
    expect(code).toBe(0)
    expect(out).toMatchInlineSnapshot(`
      "removed  ServiceImport shop/far
      removed  ClusterProperty cluster.clusterset.k8s.io
      removed  ClusterProperty clusterset.k8s.io
      removed  Service shop/derived
      removed  ConfigMap portolan-system/portolan-egress
      removed  ConfigMap portolan-system/portolan-gateway
      removed  Secret portolan-system/portolan-webhook-tls
      removed  Lease portolan-system/portolan-compiler
      removed  Lease portolan-system/portolan-federation
      removed  Lease portolan-system/portolan-identity
      removed  Pod portolan-system/portolan-smoke
      removed  MeshConfig portolan-system/portolan-mesh-config
      changed  ConfigMap kube-system/coredns: it hands on names of clusterset.local no more
      changed  ConfigMap kube-system/coredns-custom: it hands on names of clusterset.local no more
      changed  ConfigMap kube-system/node-local-dns: it hands on names of clusterset.local no more
      kept     ConfigMap shop/portolan-routes: 1 pod has a sidecar: shop/caller
      kept     Secret shop/portolan-identity: 1 pod has a sidecar: shop/caller
      kept     ClusterRoleBinding portolan-hub: 1 pod has a sidecar: shop/caller
      kept     RoleBinding portolan-system/portolan-hub: 1 pod has a sidecar: shop/caller
      kept     ServiceAccount portolan-system/portolan-hub: 1 pod has a sidecar: shop/caller
      kept     ConfigMap portolan-system/portolan-cluster: 1 pod has a sidecar: shop/caller
      kept     ConfigMap portolan-system/portolan-trust: 1 pod has a sidecar: shop/caller
      kept     Secret portolan-system/portolan-ca: 1 pod has a sidecar: shop/caller
      kept     ConfigMap portolan-system/portolan-identity: 1 pod has a sidecar: shop/caller
      kept     Service portolan-system/portolan-dns: 1 pod has a sidecar: shop/caller
      kept     ConfigMap portolan-system/portolan-dns: 1 pod has a sidecar: shop/caller
      kept     ServiceImport shop/far: 1 pod has a sidecar: shop/caller
      kept     EndpointSlice shop/copied: 1 pod has a sidecar: shop/caller
      Pods with sidecars still run by what was kept. Restart them outside the mesh, then run portolan cleanup.
      "
    `)
    await kubectl(api, ['delete', 'pod', '-n', 'shop', 'caller', '--force'])
  })

  test('goes, and what users have written stays', async () => {
    const { code, out } = await cleanup('-o', 'json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ kept: [], failures: [] })
    expect(await remaining()).toEqual([])
    for (const [resource, object] of OWN) {
      expect(await isThere(resource, object.metadata)).toBe(true)
      expect(await saidOf(resource, object)).toEqual([])
    }
  })

  test('in the configuration of DNS is taken out, to the byte, and nothing that is not ours', async () => {
    for (const [name, [key, rest]] of Object.entries(DNS)) {
      const { data = {} } = must(await client.get(CONFIGMAPS, inKubeSystem(name)))
      expect(data).toEqual({ other: 'x', ...(rest === '' ? {} : { [key]: rest }) })
    }
  })

  test('in a configuration that is not understood stays, and that is said', async () => {
    const half = `${BLOCK[0]}\n${COREFILE}`
    const metadata = inKubeSystem('coredns')
    must(await client.apply(CONFIGMAPS, { metadata, data: { Corefile: half } }, { manager: 'test' }))
    const { code, out } = await cleanup()
    expect([code, out]).toEqual([1, expect.stringContaining('FAILED   ConfigMap kube-system/coredns: the Corefile')])
    expect(await dnsOf('coredns')).toBe(half)
    must(await client.apply(CONFIGMAPS, { metadata, data: { Corefile: COREFILE } }, { manager: 'test' }))
  })

  test('is nothing the second time', async () => {
    expect(await cleanup()).toMatchObject({
      code: 0,
      out: "no objects removed; what is left are the CRDs and objects that were not Portolan's\n",
    })
  })

  test('where the API server does not answer, that is said', async () => {
    const { code, err } = await portolan(['cleanup', '--kubeconfig', api.kubeconfig, '--context', 'nope'])
    expect({ code, err }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "err": "error: the kubeconfig has no context nope; name one of its contexts: test
      ",
      }
    `)
  })
})

interface World {
  readonly kubeconfig: string
}

const GONE: Expectation<World> = {
  name: 'removes all that Portolan wrote',
  arrange: uninstall,
  holds: async () => (await remaining()).length === 0,
}

function expectationOf({ verb, group, resource, name }: Right): Expectation<World> {
  const [plural = '', subresource] = resource.split('/')
  if (subresource === 'status') {
    const [kind, own] = OWN.find(([each]) => each.plural === plural && each.group === group) ?? []
    if (kind === undefined || own === undefined) throw new Error(`nothing is said of ${plural}`)
    return {
      name: `takes back what was said of ${plural}.${group}`,
      arrange: uninstall,
      holds: async () => (await saidOf(kind, own)).length === 0,
    }
  }
  if (name !== undefined && DNS[name] !== undefined)
    return {
      name: `takes our block out of kube-system/${name}`,
      arrange: uninstall,
      holds: async () => !(await dnsOf(name))?.includes('portolan'),
    }
  if (verb === 'delete') {
    const found = LEFTOVERS.find(
      ([each, ref]) => each.plural === resource && each.group === group && (name === undefined || ref.name === name),
    )
    if (found === undefined) throw new Error(`no ${resource} ${name} is left`)
    const [each, ref] = found
    return {
      name: `removes ${each.kind} ${keyOf(ref)}`,
      arrange: uninstall,
      holds: async () => !(await isThere(each, ref)),
    }
  }
  return GONE
}

let made = 0

async function trial(expectation: Expectation<World>, rights: readonly Right[]): Promise<Trial<World>> {
  const name = `cleanup-${++made}`
  const holder = await createHolder(client, api.connection, SYSTEM, name, rights)
  const { ca } = (await api.connection.credentials()).tls
  const kubeconfig = join(dir, name)
  const access = { cluster: 'test', server: api.server, ca: String(ca), token: holder.token, namespace: SYSTEM }
  await writeFile(kubeconfig, hubKubeconfig(access))
  const start = async () => {
    await portolan(['cleanup', '--kubeconfig', kubeconfig])
    return async () => undefined
  }
  return { expectation, audit, holder, world: { kubeconfig }, start }
}

describe('with all its rights the Job', () => {
  const all = new Map(RIGHTS.map(expectationOf).map((each) => [each.name, each]))
  test.each([...all])('%s', async (_, expectation) => holdsWithAll(await trial(expectation, RIGHTS)))
})

describe('is needed:', () => {
  test.each(RIGHTS.map((right) => [textOf(right), `the Job ${expectationOf(right).name}`, right] as const))(
    '%s: %s',
    async (_, __, right) => {
      const others = RIGHTS.filter((each) => each !== right)
      await failsWithout(right, await trial(expectationOf(right), others))
    },
  )
})
