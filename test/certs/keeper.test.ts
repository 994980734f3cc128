import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NAMESPACES, PODS, SECRETS, type Secret } from '../../api/resources.ts'
import { type Keeper, type KeeperEvent, startKeeper } from '../../certs/keeper.ts'
import { DEFAULT_LIVES, type Lives } from '../../certs/plan.ts'
import { MUTATING, VALIDATING, type WebhookConfiguration } from '../../certs/publish.ts'
import { readAuthorities } from '../../certs/secret.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must } from '../../kube/failure.ts'
import { createMetrics } from '../../webhook/metrics.ts'
import { listen, type WebhookServer } from '../../webhook/server.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { until } from '../lab/run.ts'
import { MESH } from '../webhook/cases.ts'
import { postAnew } from './handshake.ts'

const NAMESPACE = 'certs-test'

let api: ApiServer
let client: KubeClient
beforeAll(async () => {
  api = await startApiServer()
  client = createClient(api.connection)
  must(await client.create(NAMESPACES, { metadata: { name: NAMESPACE } }))
})
afterAll(async () => {
  await client?.close()
  await api?.stop()
})

/** A configuration that asks a host process about every ConfigMap of the test's namespace. */
const configuration = (kind: string, name: string, port: number) => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind,
  metadata: { name },
  webhooks: ['one', 'two'].map((webhook) => ({
    name: `${webhook}.${name}.test`,
    clientConfig: { url: `https://localhost:${port}/inject` },
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    timeoutSeconds: 3,
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': NAMESPACE } },
  })),
})

interface Replica {
  readonly server: WebhookServer
  readonly keeper: Keeper
  readonly events: readonly KeeperEvent[]
  readonly stop: () => Promise<void>
}

const startReplica = async (name: string, lives: Lives): Promise<Replica> => {
  const server = await listen({
    port: 0,
    host: '127.0.0.1',
    log: pino({ level: 'silent' }),
    metrics: createMetrics(),
    sources: { mesh: () => MESH, namespace: async () => undefined, world: () => ({}) },
  })
  const events: KeeperEvent[] = []
  const keeper = startKeeper({
    client,
    secret: { namespace: NAMESPACE, name },
    dnsNames: ['localhost'],
    targets: [MUTATING, VALIDATING].map((resource) => ({ resource, name })),
    lives,
    now: Date.now,
    pollMs: 500,
    onLeaf: server.present,
    observe: (event) => events.push(event),
  })
  return {
    server,
    keeper,
    events,
    stop: async () => {
      await keeper.stop()
      await server.drain(0, 0)
    },
  }
}

const did = ({ events }: Replica): readonly string[] =>
  events.flatMap((event) => (event.type === 'did' ? [event.action.type] : [event.message]))

const trustedBy = async (name: string): Promise<readonly string[]> => {
  const { webhooks = [] } = must(await client.get(MUTATING, { name }))
  return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig?.caBundle ?? '', 'base64').toString())
}

/** As from an API server that trusts `ca` and no more; the webhook turns a body without a type away. */
const call = async (port: number, ca: string): Promise<{ readonly status: number; readonly serial: string }> => {
  const { status, leaf } = await postAnew({ host: '127.0.0.1', port, path: '/inject', servername: 'localhost', ca })
  return { status, serial: leaf.serialNumber }
}

test('replicas that start together agree on one root, and every webhook is told to trust it', async () => {
  const name = 'race'
  const replicas = await Promise.all(Array.from({ length: 4 }, () => startReplica(name, DEFAULT_LIVES)))
  expect(replicas.map(({ keeper }) => keeper.isReady())).toEqual([false, false, false, false])
  await until('all are ready', async () => replicas.every(({ keeper }) => keeper.isReady()))

  const secret = must(await client.get<Secret>(SECRETS, { namespace: NAMESPACE, name }))
  expect(readAuthorities(secret.data)).toHaveLength(1)
  expect(JSON.stringify(secret)).not.toContain('localhost')
  const ca = readAuthorities(secret.data)[0]?.pair.cert ?? ''
  const serials = await Promise.all(replicas.map(({ server }) => call(server.port, ca)))
  expect(new Set(serials.map(({ serial }) => serial)).size).toBe(4)

  for (const [resource, kind] of [
    [MUTATING, 'MutatingWebhookConfiguration'],
    [VALIDATING, 'ValidatingWebhookConfiguration'],
  ] as const) {
    must(await client.create(resource, configuration(kind, name, 1) as unknown as WebhookConfiguration))
    replicas[0]?.keeper.wake()
    await until('the bundle is written', async () => {
      const { webhooks = [] } = must(await client.get(resource, { name }))
      return webhooks.length === 2 && webhooks.every(({ clientConfig }) => clientConfig?.caBundle !== undefined)
    })
    const written = must(await client.get<WebhookConfiguration>(resource, { name }))
    const { managedFields, ...metadata } = written.metadata as unknown as Record<string, unknown>
    expect(metadata['name']).toBe(name)
    const [owned] = (managedFields as Record<string, unknown>[]).filter(
      (entry) => entry['manager'] === 'portolan-certs',
    )
    const claim = { '.': {}, 'f:name': {}, 'f:clientConfig': { 'f:caBundle': {} } }
    expect(owned?.['operation']).toBe('Apply')
    expect(owned?.['fieldsV1']).toEqual({
      'f:webhooks': Object.fromEntries(
        ['one', 'two'].map((webhook) => [`k:{"name":"${webhook}.${name}.test"}`, claim]),
      ),
    })
    // All else stays as it was written.
    const expected = configuration(kind, name, 1)
    expect(written.webhooks?.map((webhook) => webhook.name)).toEqual(expected.webhooks.map((webhook) => webhook.name))
    expect(written.webhooks?.[0]).toMatchObject(expected.webhooks[0] ?? {})
  }
  const version = must(await client.get(MUTATING, { name })).metadata.resourceVersion
  await new Promise((resolve) => setTimeout(resolve, 1200))
  expect(must(await client.get(MUTATING, { name })).metadata.resourceVersion).toBe(version)
  await Promise.all(replicas.map((replica) => replica.stop()))
  // They name a port where nobody answers.
  for (const resource of [MUTATING, VALIDATING]) must(await client.delete(resource, { name }))
})

test('a Secret that is there but empty is filled; one that is deleted is made again', async () => {
  const name = 'lost'
  must(await client.create(SECRETS, { metadata: { namespace: NAMESPACE, name }, data: {} } as never))
  const replica = await startReplica(name, DEFAULT_LIVES)
  await until('ready', async () => replica.keeper.isReady())
  must(await client.delete(SECRETS, { namespace: NAMESPACE, name }))
  await until('a leaf of the new root', async () => did(replica).length === 4)
  expect(did(replica)).toEqual(['addRoot', 'issueLeaf', 'addRoot', 'issueLeaf'])
  await replica.stop()
})

describe('rotation', () => {
  const lives: Lives = { leafMs: 6_000, rootMs: 15_000, settleMs: 2_000 }

  test('leaves and roots change under callers, and not one call fails', { timeout: 60_000 }, async () => {
    const name = 'rotation'
    const replicas = [await startReplica(name, lives), await startReplica(name, lives)]
    const [first, second] = replicas as [Replica, Replica]
    const config = configuration('MutatingWebhookConfiguration', name, first.server.port)
    must(await client.create(MUTATING, config as unknown as WebhookConfiguration))
    await until('trusted', async () => {
      const bundles = await trustedBy(name)
      return replicas.every(({ keeper }) => keeper.isReady()) && bundles.every((bundle) => bundle !== '')
    })

    const statuses: number[] = []
    const serials = new Set<string>()
    const bundles = new Set<string>()
    const end = Date.now() + 20_000
    // As API servers do: trust what the configuration says, read anew all the time.
    const caller = async ({ server }: Replica): Promise<void> => {
      while (Date.now() < end) {
        const [bundle = ''] = await trustedBy(name)
        bundles.add(bundle)
        const { status, serial } = await call(server.port, bundle)
        statuses.push(status)
        serials.add(serial)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    // And the API server itself, which refuses the pod when a call fails.
    const pods: string[] = []
    const creator = async (): Promise<void> => {
      for (let i = 0; Date.now() < end; i++) {
        const pod = {
          metadata: { namespace: NAMESPACE, name: `pod-${i}` },
          spec: { containers: [{ name: 'app', image: 'app:1' }] },
        }
        const created = await client.create(PODS, pod)
        pods.push(created.ok ? 'created' : created.failure.message)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    }
    await Promise.all([caller(first), caller(second), creator()])

    expect(new Set(statuses)).toEqual(new Set([415]))
    expect(statuses.length).toBeGreaterThan(200)
    expect(new Set(pods)).toEqual(new Set(['created']))
    expect(serials.size).toBeGreaterThanOrEqual(6)
    expect(bundles.size).toBeGreaterThanOrEqual(3)
    expect([...did(first), ...did(second)]).toEqual(expect.arrayContaining(['addRoot', 'dropRoots']))
    for (const event of [...first.events, ...second.events]) expect(event.type).toBe('did')
    await Promise.all(replicas.map((replica) => replica.stop()))
  })
})
