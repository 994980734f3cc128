/** The compiler's rights: enough, and each of them needed. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect } from 'vitest'
import { CLUSTER_ID_PROPERTY, CLUSTERSET_PROPERTY, FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import {
  CLUSTER_PROPERTIES,
  ENDPOINT_SLICES,
  GLOBAL_TRAFFIC_POLICIES,
  MCS_EXPORTS,
  MCS_IMPORTS,
  PODS,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import { derivedName } from '../../compiler/derived.ts'
import { runCompiler } from '../../compiler/main.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must, mustOrMissing } from '../../kube/failure.ts'
import type { KubeObject, Ref, Resource } from '../../kube/object.ts'
import { render } from '../chart/helm.ts'
import { freePorts } from '../lab/ports.ts'
import { type ApiServer, startApiServer } from './apiserver.ts'
import { CLUSTER_KEY, kubectl, SYSTEM } from './compiler.ts'
import { ALL_CRDS } from './crds.ts'
import { type Look, lookAt } from './look.ts'
import { exported, imported, namespace, pod, policy, service } from './objects.ts'
import {
  type Audit,
  createAudit,
  createHolder,
  describeRights,
  type Expectation,
  type Holder,
  type Right,
  rightsOf,
  runAs,
  textOf,
} from './rights.ts'

const RIGHTS = rightsOf(await render('--show-only', 'templates/compiler/rbac.yaml'), 'portolan-compiler')

let dir: string
let audit: Audit
let api: ApiServer
let client: KubeClient
let look: Look

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-rights-'))
  audit = await createAudit(dir, 'compiler')
  api = await startApiServer({ args: audit.args })
  client = createClient(api.connection)
  look = lookAt(api)
  await kubectl(api, ['apply', ...ALL_CRDS])
  await kubectl(api, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
  await kubectl(api, ['create', 'namespace', SYSTEM])
})
afterAll(async () => {
  await client?.close()
  await api?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** One compiler and a namespace that no other has seen. */
interface World {
  readonly namespace: string
  readonly holder: Holder
  readonly ports: { readonly health: number; readonly metrics: number }
  readonly since: string
}

const there = async <T extends KubeObject>(resource: Resource<T>, namespace: string, name: string) =>
  mustOrMissing(await client.get(resource, { namespace, name }))
const conditions = async (resource: Resource<KubeObject>, world: World) => {
  const object = (await there(resource, world.namespace, 'pay')) as { status?: { conditions?: unknown[] } } | undefined
  return (object?.status?.conditions?.length ?? 0) > 0
}
const ready = async ({ ports }: World) => (await fetch(`http://127.0.0.1:${ports.health}/readyz`)).ok
const leads = async ({ ports }: World) =>
  (await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text()).includes('\nportolan_leading 1')
const routed = (world: World) =>
  look.apply(
    namespace(world.namespace),
    service(world.namespace, 'pay'),
    imported(world.namespace, 'pay'),
    policy(world.namespace, 'pay'),
    { ...exported(world.namespace, 'pay'), spec: { rules: [{ portNumber: 8080, path: `/${world.namespace}` }] } },
  )
const gone = (name: string) => kubectl(api, ['delete', 'configmap', '-n', SYSTEM, name, '--ignore-not-found'])
const wrote = (name: string, key: string) => async (world: World) =>
  (await look.get<{ data?: Record<string, string> }>('configmap', SYSTEM, name))?.data?.[key]?.includes(
    world.namespace,
  ) ?? false
/** With sidecars of an older table. */
const sidecar = (world: World) => {
  const { metadata, ...rest } = pod(world.namespace, 'caller', true)
  return { ...rest, metadata: { ...metadata, annotations: { 'flomesh.io/routes-version': 'older' } } }
}
/** A pod that was created while no webhook was there. */
const naked = (where: string) => look.apply(namespace(where), pod(where, 'naked', false))
const events = async (where: string) => {
  const list = await kubectl(api, ['get', 'events.events.k8s.io', '-n', where, '-o', 'json'])
  return (JSON.parse(list).items as readonly Said[]).filter(({ reason }) => reason === 'SidecarMissing')
}
interface Said {
  readonly reason: string
  readonly series?: { readonly lastObservedTime: string }
}

const READY: Expectation<World> = { name: 'becomes ready', holds: ready }
const LEADS: Expectation<World> = { name: 'leads', holds: leads }
const NUDGES: Expectation<World> = {
  name: 'touches pods whose table has changed',
  arrange: async (world) => {
    await routed(world)
    await look.apply(sidecar(world))
  },
  holds: async (world) => {
    const found = await there(PODS, world.namespace, 'caller')
    return (found?.metadata.annotations?.['flomesh.io/routes-version'] ?? 'older') !== 'older'
  },
}
const HOSTS: Expectation<World> = {
  name: 'gives names to mesh DNS',
  arrange: routed,
  holds: wrote('portolan-dns', 'hosts'),
}
const GATEWAY: Expectation<World> = {
  name: 'gives the gateway its table',
  arrange: routed,
  holds: wrote('portolan-gateway', 'table.json'),
}
const anew = (expectation: Expectation<World>, configMap: string): Expectation<World> => ({
  ...expectation,
  name: `${expectation.name}, also when there is none`,
  arrange: async (world) => {
    await gone(configMap)
    await routed(world)
  },
})
const TABLE: Expectation<World> = {
  name: 'makes the table of a namespace',
  arrange: routed,
  holds: async (world) => (await look.routes(world.namespace)) !== undefined,
}

/** Asks for TrafficTargets, in all trials from then on: they know of nobody who may call, and that is all that changes. */
const restricted = async (world: World) => {
  const metadata = { namespace: SYSTEM, name: 'portolan-mesh-config' }
  const spec = { traffic: { enablePermissiveTrafficPolicyMode: false } }
  await look.apply({ apiVersion: 'config.flomesh.io/v1alpha1', kind: 'MeshConfig', metadata, spec })
  await routed(world)
}
const ASKS: Expectation<World> = {
  name: 'reads who may call whom',
  arrange: restricted,
  holds: async ({ ports }) => {
    const text = await (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text()
    return text.includes('code="NobodyIsServed"') && !text.includes('code="SmiKindsMissing"')
  },
}

/** An import that some cluster exports by the standard, and an export of that kind. */
const byStandard = async ({ namespace: ns }: World) => {
  const object = imported(ns, 'pay')
  const spec = { ...object.spec, doors: ['MCS'], standard: { clusters: ['east'] } }
  const mcs = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport' }
  await look.apply(
    namespace(ns),
    service(ns, 'pay'),
    { ...object, spec },
    { ...mcs, metadata: { namespace: ns, name: 'pay' } },
  )
}
/** What the compiler made when it was still wanted. */
const leftOver = async (resource: Resource<KubeObject>, ref: Ref, fields: object) => {
  const object = { metadata: { ...ref, labels: MANAGED_BY }, ...fields } as never
  must(await client.apply(resource, object, { manager: FIELD_MANAGER.compiler }))
}
const removes = (resource: Resource<KubeObject>, fields: object): Expectation<World> => ({
  name: `removes a ${resource.kind} that is not wanted any more`,
  arrange: async ({ namespace: ns }) => {
    await look.apply(namespace(ns))
    await leftOver(resource, { namespace: ns, name: 'left' }, fields)
  },
  holds: async (world) => (await there(resource, world.namespace, 'left')) === undefined,
})
const IMPORTS: Expectation<World> = {
  name: 'makes imports of the standard',
  arrange: byStandard,
  holds: async (world) => (await there(MCS_IMPORTS, world.namespace, 'pay')) !== undefined,
}
const TELLS_EXPORTS: Expectation<World> = {
  name: 'says how an export of the standard fares',
  arrange: byStandard,
  holds: (world) => conditions(MCS_EXPORTS, world),
}
const member = (isMember: boolean) =>
  isMember
    ? look.apply({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: SYSTEM, name: 'portolan-cluster' },
        data: { clusterKey: CLUSTER_KEY, hub: 'f00' },
      })
    : gone('portolan-cluster')
const property = async (name: string) => mustOrMissing(await client.get(CLUSTER_PROPERTIES, { name }))
const names = (name: string): Expectation<World> => ({
  name: `says ${name}`,
  arrange: async () => {
    await kubectl(api, ['delete', 'clusterproperty', name, '--ignore-not-found'])
    await member(true)
  },
  holds: async () => (await property(name)) !== undefined,
})
const PROPERTIES: Readonly<Record<string, Expectation<World>>> = Object.fromEntries(
  [CLUSTER_ID_PROPERTY, CLUSTERSET_PROPERTY].flatMap((name) => [
    ...['list', 'create', 'patch'].map((verb) => [`${verb} clusterproperties.about.k8s.io ${name}`, names(name)]),
    [
      `delete clusterproperties.about.k8s.io ${name}`,
      {
        name: `says ${name} no more`,
        arrange: async () => {
          await leftOver(CLUSTER_PROPERTIES, { name }, { spec: { value: 'x' } })
          await member(false)
        },
        holds: async () => (await property(name)) === undefined,
      },
    ],
  ]),
)
/** Pods of the egress, as a controller of Kubernetes would list them. */
const withEgress = async (world: World) => {
  const name = 'portolan-egress'
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', ...SLICE }
  await look.apply({
    ...slice,
    metadata: { namespace: SYSTEM, name, labels: { 'kubernetes.io/service-name': name } },
    endpoints: [{ addresses: ['10.0.0.1'] }],
  })
  await routed(world)
}
const STANDS_IN: Expectation<World> = {
  name: 'makes a Service for pods without a sidecar',
  arrange: withEgress,
  holds: async ({ namespace: ns }) => (await there(SERVICES, ns, derivedName(`${ns}/pay`))) !== undefined,
}
const LEADS_ON: Expectation<World> = {
  name: 'leads it to the egress',
  arrange: withEgress,
  holds: async ({ namespace: ns }) =>
    (await there(ENDPOINT_SLICES, ns, `${derivedName(`${ns}/pay`)}-ipv4`)) !== undefined,
}
const EGRESS: Expectation<World> = {
  name: 'gives the egress its table',
  arrange: withEgress,
  holds: wrote('portolan-egress', 'table.json'),
}
const SLICE = { addressType: 'IPv4', endpoints: [], ports: [] }

const BY_RIGHT: Readonly<Record<string, Expectation<World>>> = {
  'patch serviceimports.flomesh.io': {
    name: 'gives imports an address',
    arrange: routed,
    holds: async (world) => ((await there(SERVICE_IMPORTS, world.namespace, 'pay'))?.spec.ips?.length ?? 0) > 0,
  },
  'patch serviceimports.flomesh.io/status': {
    name: 'says how an import fares',
    arrange: routed,
    holds: (world) => conditions(SERVICE_IMPORTS, world),
  },
  'patch serviceexports.flomesh.io/status': {
    name: 'says how an export fares',
    arrange: routed,
    holds: (world) => conditions(SERVICE_EXPORTS, world),
  },
  'patch globaltrafficpolicies.flomesh.io/status': {
    name: 'says how a policy fares',
    arrange: routed,
    holds: (world) => conditions(GLOBAL_TRAFFIC_POLICIES, world),
  },
  'list serviceimports.multicluster.x-k8s.io': IMPORTS,
  'create serviceimports.multicluster.x-k8s.io': IMPORTS,
  'patch serviceimports.multicluster.x-k8s.io': IMPORTS,
  'delete serviceimports.multicluster.x-k8s.io': removes(MCS_IMPORTS, { spec: { type: 'Headless', ports: [] } }),
  'patch serviceimports.multicluster.x-k8s.io/status': {
    name: 'says how an import of the standard fares',
    arrange: byStandard,
    holds: (world) => conditions(MCS_IMPORTS, world),
  },
  'list serviceexports.multicluster.x-k8s.io': TELLS_EXPORTS,
  'patch serviceexports.multicluster.x-k8s.io/status': TELLS_EXPORTS,
  ...PROPERTIES,
  'create services': STANDS_IN,
  'patch services': STANDS_IN,
  'create endpointslices.discovery.k8s.io': LEADS_ON,
  'patch endpointslices.discovery.k8s.io': LEADS_ON,
  'create configmaps portolan-egress': anew(EGRESS, 'portolan-egress'),
  'patch configmaps portolan-egress': EGRESS,
  'delete services': removes(SERVICES, { spec: { ports: [{ port: 80 }] } }),
  'delete endpointslices.discovery.k8s.io': removes(ENDPOINT_SLICES, SLICE),
  'list traffictargets.access.smi-spec.io': ASKS,
  'list httproutegroups.specs.smi-spec.io': ASKS,
  'list tcproutes.specs.smi-spec.io': ASKS,
  'list pods': NUDGES,
  'patch pods': NUDGES,
  'create configmaps portolan-routes': TABLE,
  'patch configmaps portolan-routes': TABLE,
  'delete configmaps portolan-routes': {
    name: 'removes the table of a namespace that is none of the mesh',
    arrange: async (world) => {
      const data = { 'table.json': '{}' }
      const labels = { 'app.kubernetes.io/managed-by': 'portolan' }
      const metadata = { namespace: world.namespace, name: 'portolan-routes', labels }
      await look.apply(namespace(world.namespace, false), { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
    },
    holds: async (world) => (await look.routes(world.namespace)) === undefined,
  },
  'create configmaps portolan-gateway': anew(GATEWAY, 'portolan-gateway'),
  'patch configmaps portolan-gateway': GATEWAY,
  'create configmaps portolan-dns': anew(HOSTS, 'portolan-dns'),
  'patch configmaps portolan-dns': HOSTS,
  'create events.events.k8s.io': {
    name: 'reports pods without the sidecar that they should have',
    arrange: (world) => naked(world.namespace),
    holds: async (world) => (await events(world.namespace)).length > 0,
  },
  'patch events.events.k8s.io': {
    name: 'counts what it has reported before',
    arrange: async (world) => {
      await naked('naked')
      if ((await events('naked')).length > 0) return
      const stop = await start(world, await holderOf(`${world.namespace}-before`, RIGHTS))
      await expect.poll(() => events('naked')).toHaveLength(1)
      await stop()
    },
    holds: async (world) =>
      (await events('naked')).some(({ series }) => (series?.lastObservedTime ?? '') >= world.since),
  },
  'get leases.coordination.k8s.io portolan-compiler': LEADS,
  'update leases.coordination.k8s.io portolan-compiler': {
    ...LEADS,
    name: 'leads after another has',
    arrange: async (world) => {
      const stop = await start(world, await holderOf(`${world.namespace}-before`, RIGHTS))
      await expect.poll(() => leads(world)).toBe(true)
      await stop()
    },
  },
  'create leases.coordination.k8s.io': {
    ...LEADS,
    name: 'leads as the first',
    arrange: () => kubectl(api, ['delete', 'lease', '-n', SYSTEM, 'portolan-compiler', '--ignore-not-found']),
  },
}

function expectationOf(right: Right): Expectation<World> {
  const named = BY_RIGHT[textOf(right)]
  if (named !== undefined) return named
  if (right.verb === 'list') return READY
  if (right.verb === 'watch')
    return {
      name: `is told of changes of ${[right.resource, right.name].filter(Boolean).join(' ')}`,
      ...(right.resource === 'pods' ? { arrange: routed } : {}),
      ...(right.group.endsWith('.smi-spec.io') ? { arrange: restricted } : {}),
      holds: ({ holder }) => audit.watches(holder.user, right),
    }
  throw new Error(`nothing is expected of ${textOf(right)}`)
}

let made = 0
const holderOf = (name: string, rights: readonly Right[]) => createHolder(client, api.connection, SYSTEM, name, rights)

async function start({ ports }: Pick<World, 'ports'>, holder: Holder): Promise<() => Promise<void>> {
  const { stop, finished } = runAs(holder, api.connection, (own, signal) =>
    runCompiler(
      {
        namespace: SYSTEM,
        identity: holder.user,
        meshName: 'portolan',
        clusterKey: CLUSTER_KEY,
        clusterDomain: 'cluster.local',
        mtls: true,
        vipRange: '240.240.0.0/16',
        egressNamespace: SYSTEM,
        meshConfig: { namespace: SYSTEM, name: 'portolan-mesh-config' },
        lease: 'portolan-compiler',
        leaseSeconds: 3,
        nudge: true,
        nudgesPerSecond: 50,
        gatewayLinger: 0,
        healthPort: ports.health,
        metricsPort: ports.metrics,
      },
      own,
      pino({ level: 'silent' }),
      signal,
    ),
  )
  return async () => {
    stop()
    await finished
  }
}

async function trial(expectation: Expectation<World>, rights: readonly Right[]) {
  const name = `compiler-${++made}`
  const [health = 0, metrics = 0] = await freePorts(2)
  const holder = await holderOf(name, rights)
  const world: World = { namespace: name, holder, ports: { health, metrics }, since: new Date().toISOString() }
  return { expectation, audit, holder, world, start: () => start(world, holder) }
}

describeRights('the compiler', RIGHTS, expectationOf, trial)
