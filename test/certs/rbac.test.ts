/** The identity server's rights: enough, and each of them needed. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect } from 'vitest'
import { CA_SECRET, IDENTITY_CONFIGMAP, IDENTITY_SECRET, MANAGED_BY } from '../../api/names.ts'
import { CONFIGMAPS, NAMESPACES, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts'
import { runIdentity } from '../../certs/identity/main.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must, mustOrMissing } from '../../kube/failure.ts'
import { render } from '../chart/helm.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
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
} from '../kube/rights.ts'
import { freePorts } from '../lab/ports.ts'
import { LIVES } from './server.ts'

const RIGHTS = rightsOf(await render('--show-only', 'templates/identity/rbac.yaml'), 'portolan-identity')

let dir: string
let audit: Audit
let api: ApiServer
let client: KubeClient

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-rights-'))
  audit = await createAudit(dir, 'identity')
  api = await startApiServer({ args: audit.args })
  client = createClient(api.connection)
  await kubectl(api, ['create', 'namespace', SYSTEM])
})
afterAll(async () => {
  await client?.close()
  await api?.stop()
  await rm(dir, { recursive: true, force: true })
})

/** One server and a namespace that no other has seen. */
interface World {
  readonly namespace: string
  readonly holder: Holder
  readonly ports: { readonly health: number; readonly metrics: number }
  readonly since: string
}

const secretOf = async (namespace: string) =>
  mustOrMissing(await client.get(SECRETS, { namespace, name: IDENTITY_SECRET }))
const published = async () =>
  mustOrMissing(await client.get(CONFIGMAPS, { namespace: SYSTEM, name: IDENTITY_CONFIGMAP }))
const member = async (name: string) => {
  const labels = { 'flomesh.io/monitored-by': 'portolan' }
  must(await client.apply(NAMESPACES, { metadata: { name, labels } as never }, { manager: 'test' }))
  must(await client.apply(SERVICE_ACCOUNTS, { metadata: { namespace: name, name: 'pay' } }, { manager: 'test' }))
}
/** A Secret as the server leaves it, with something in it. */
const leftover = async (namespace: string, data: Readonly<Record<string, string>>) => {
  const metadata = { namespace, name: IDENTITY_SECRET, labels: MANAGED_BY }
  must(await client.apply(SECRETS, { metadata, data } as never, { manager: 'test' }))
}
const forget = async (...refs: readonly (readonly [typeof SECRETS | typeof CONFIGMAPS, string])[]) => {
  for (const [resource, name] of refs) mustOrMissing(await client.delete(resource, { namespace: SYSTEM, name }))
}
interface Said {
  readonly reason: string
  readonly series?: { readonly lastObservedTime: string }
}
const events = async (where: string) => {
  const list = await kubectl(api, ['get', 'events.events.k8s.io', '-n', where, '-o', 'json'])
  return (JSON.parse(list).items as readonly Said[]).filter(({ reason }) => reason === 'IdentitySecretForeign')
}
const foreign = async (where: string) => {
  await member(where)
  must(await client.apply(SECRETS, { metadata: { namespace: where, name: IDENTITY_SECRET } }, { manager: 'test' }))
}
const metrics = async ({ ports }: World) => (await fetch(`http://127.0.0.1:${ports.metrics}/metrics`)).text()

const READY: Expectation<World> = {
  name: 'becomes ready',
  holds: async ({ ports }) => (await fetch(`http://127.0.0.1:${ports.health}/readyz`)).ok,
}
const LEADS: Expectation<World> = {
  name: 'leads',
  holds: async (world) => (await metrics(world)).includes('\nportolan_leading 1'),
}
const ISSUES: Expectation<World> = {
  name: 'gives accounts identities',
  arrange: ({ namespace }) => member(namespace),
  holds: async ({ namespace }) => (await secretOf(namespace))?.data?.['pay.crt'] !== undefined,
}
const PUBLISHES: Expectation<World> = {
  name: 'publishes roots',
  arrange: () => forget([CONFIGMAPS, IDENTITY_CONFIGMAP]),
  holds: async () => (await published())?.data?.['bundle.json'] !== undefined,
}
const LEAVES: Expectation<World> = {
  name: 'removes the identities of a namespace that is none of the mesh',
  arrange: async ({ namespace }) => {
    must(await client.apply(NAMESPACES, { metadata: { name: namespace } }, { manager: 'test' }))
    await leftover(namespace, { 'gone.crt': 'Z29uZQ==', 'gone.key': 'Z29uZQ==' })
  },
  holds: async ({ namespace }) => (await secretOf(namespace)) === undefined,
}

const BY_RIGHT: Readonly<Record<string, Expectation<World>>> = {
  'list pods': LEAVES,
  'create secrets portolan-identity': ISSUES,
  'patch secrets portolan-identity': {
    ...ISSUES,
    name: 'adds the identity of an account to those of others',
    arrange: async ({ namespace }) => {
      await member(namespace)
      await leftover(namespace, {})
    },
  },
  'delete secrets portolan-identity': LEAVES,
  'create configmaps portolan-identity': PUBLISHES,
  'patch configmaps portolan-identity': PUBLISHES,
  'create secrets': {
    name: 'makes the first root',
    arrange: () => forget([SECRETS, CA_SECRET], [CONFIGMAPS, IDENTITY_CONFIGMAP]),
    holds: async () => mustOrMissing(await client.get(SECRETS, { namespace: SYSTEM, name: CA_SECRET })) !== undefined,
  },
  'update secrets portolan-ca': {
    name: 'makes a root where there is a Secret for it',
    arrange: async () => {
      await forget([SECRETS, CA_SECRET], [CONFIGMAPS, IDENTITY_CONFIGMAP])
      must(await client.create(SECRETS, { metadata: { namespace: SYSTEM, name: CA_SECRET } }))
    },
    holds: async () =>
      must(await client.get(SECRETS, { namespace: SYSTEM, name: CA_SECRET })).data?.['ca.crt'] !== undefined,
  },
  'create events.events.k8s.io': {
    name: "reports another's Secret",
    arrange: ({ namespace }) => foreign(namespace),
    holds: async ({ namespace }) => (await events(namespace)).length > 0,
  },
  'patch events.events.k8s.io': {
    name: 'counts what it has reported before',
    arrange: async (world) => {
      await foreign('foreign')
      if ((await events('foreign')).length > 0) return
      const stop = await start(world, await holderOf(`${world.namespace}-before`, RIGHTS))
      await expect.poll(() => events('foreign')).toHaveLength(1)
      await stop()
    },
    holds: async (world) =>
      (await events('foreign')).some(({ series }) => (series?.lastObservedTime ?? '') >= world.since),
  },
  'get leases.coordination.k8s.io portolan-identity': LEADS,
  'update leases.coordination.k8s.io portolan-identity': {
    ...LEADS,
    name: 'leads after another has',
    arrange: async (world) => {
      const stop = await start(world, await holderOf(`${world.namespace}-before`, RIGHTS))
      await expect.poll(() => LEADS.holds(world)).toBe(true)
      await stop()
    },
  },
  'create leases.coordination.k8s.io': {
    ...LEADS,
    name: 'leads as the first',
    arrange: () => kubectl(api, ['delete', 'lease', '-n', SYSTEM, 'portolan-identity', '--ignore-not-found']),
  },
}

function expectationOf(right: Right): Expectation<World> {
  const named = BY_RIGHT[textOf(right)]
  if (named !== undefined) return named
  if (right.verb === 'list') return READY
  if (right.verb === 'watch')
    return {
      name: `is told of changes of ${[right.resource, right.name].filter(Boolean).join(' ')}`,
      ...(right.resource === 'pods'
        ? {
            arrange: async (world: World) => {
              await LEAVES.arrange?.(world)
              // As long as it has one, the namespace is followed.
              await kubectl(api, ['apply', '-f', '-'], JSON.stringify(runner(world.namespace)))
            },
          }
        : {}),
      holds: ({ holder }) => audit.watches(holder.user, right),
    }
  throw new Error(`nothing is expected of ${textOf(right)}`)
}

/** A pod with a sidecar, by an account that is no more. */
const runner = (namespace: string) => ({
  apiVersion: 'v1',
  kind: 'List',
  items: [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace, name: 'gone' } },
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace, name: 'runner' },
      spec: {
        serviceAccountName: 'gone',
        automountServiceAccountToken: false,
        initContainers: [{ name: 'portolan-proxy', image: 'proxy:1', restartPolicy: 'Always' }],
        containers: [{ name: 'app', image: 'app:1' }],
      },
    },
  ],
})

let made = 0
const holderOf = (name: string, rights: readonly Right[]) => createHolder(client, api.connection, SYSTEM, name, rights)

async function start({ ports }: Pick<World, 'ports'>, holder: Holder): Promise<() => Promise<void>> {
  const { stop, finished } = runAs(holder, api.connection, (own, signal) =>
    runIdentity(
      {
        namespace: SYSTEM,
        identity: holder.user,
        meshName: 'portolan',
        clusterKey: 'default/default/default/east',
        trustDomain: 'portolan.local',
        lease: 'portolan-identity',
        leaseSeconds: 3,
        lives: LIVES,
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
  const name = `identity-${++made}`
  const [health = 0, metrics = 0] = await freePorts(2)
  const holder = await holderOf(name, rights)
  const world: World = { namespace: name, holder, ports: { health, metrics }, since: new Date().toISOString() }
  return { expectation, audit, holder, world, start: () => start(world, holder) }
}

describeRights('the identity server', RIGHTS, expectationOf, trial)
