import { X509Certificate } from 'node:crypto'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIGMAPS, NAMESPACES, PODS, SECRETS, type Secret } from '../../api/resources.ts'
import { issueRoot } from '../../certs/issue.ts'
import { type Keeper, type KeeperEvent, startKeeper } from '../../certs/keeper.ts'
import { DEFAULT_LIVES, type Lives } from '../../certs/plan.ts'
import { MUTATING, VALIDATING, type WebhookConfiguration } from '../../certs/publish.ts'
import { authorityOf, readAuthorities, writeAuthorities } from '../../certs/secret.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must } from '../../kube/failure.ts'
import { createMetrics } from '../../webhook/metrics.ts'
import { listen, type WebhookServer } from '../../webhook/server.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { until } from '../lab/run.ts'
import { MESH } from '../webhook/cases.ts'
import { type Answered, postAnew } from './handshake.ts'

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
    timeoutSeconds: 30,
    rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': NAMESPACE } },
  })),
})

interface Replica {
  readonly server: WebhookServer
  readonly keeper: Keeper
  readonly events: readonly KeeperEvent[]
  /** Whether it was ready before it had done anything. */
  readonly readyAtOnce: boolean
  readonly stop: () => Promise<void>
}

const startReplica = async (name: string, lives: Lives, now = Date.now): Promise<Replica> => {
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
    now,
    pollMs: 500,
    onLeaf: server.present,
    observe: (event) => events.push(event),
  })
  return {
    server,
    keeper,
    events,
    readyAtOnce: keeper.isReady(),
    stop: async () => {
      await keeper.stop()
      await server.drain(0, 0)
    },
  }
}

/** What came of it. What failed is tried again, as on a slow machine it may have to be. */
const did = ({ events }: Replica): readonly string[] =>
  events.flatMap((event) => (event.type === 'did' ? [event.action.type] : []))

const trustedBy = async (name: string): Promise<readonly string[]> => {
  const { webhooks = [] } = must(await client.get(MUTATING, { name }))
  return webhooks.map(({ clientConfig }) => Buffer.from(clientConfig?.caBundle ?? '', 'base64').toString())
}

/** As from an API server that trusts `ca` and no more; the webhook turns a body without a type away. */
const call = (port: number, ca: string): Promise<Answered> =>
  postAnew({ host: '127.0.0.1', port, path: '/inject', servername: 'localhost', ca })

test('replicas that start together agree on one root, and every webhook is told to trust it', async () => {
  const name = 'race'
  const replicas = await Promise.all(Array.from({ length: 4 }, () => startReplica(name, DEFAULT_LIVES)))
  expect(replicas.map(({ readyAtOnce }) => readyAtOnce)).toEqual([false, false, false, false])
  await until('all are ready', async () => replicas.every(({ keeper }) => keeper.isReady()))

  const secret = must(await client.get<Secret>(SECRETS, { namespace: NAMESPACE, name }))
  expect(readAuthorities(secret.data)).toHaveLength(1)
  expect(JSON.stringify(secret)).not.toContain('localhost')
  const ca = readAuthorities(secret.data)[0]?.pair.cert ?? ''
  const answers = await Promise.all(replicas.map(({ server }) => call(server.port, ca)))
  expect(new Set(answers.map(({ leaf }) => leaf.serialNumber)).size).toBe(4)

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

const rootsIn = async (name: string) => {
  const found = await client.get<Secret>(SECRETS, { namespace: NAMESPACE, name })
  return readAuthorities(found.ok ? found.value.data : undefined).map(({ id }) => id)
}

test('a Secret that is there but empty is filled', async () => {
  const name = 'empty'
  must(await client.create(SECRETS, { metadata: { namespace: NAMESPACE, name }, data: {} } as never))
  const replica = await startReplica(name, DEFAULT_LIVES)
  await until('ready', () => replica.keeper.isReady())
  expect(await rootsIn(name)).toHaveLength(1)
  expect(did(replica)).toEqual(['addRoot', 'issueLeaf'])
  await replica.stop()
})

describe('a Secret that somebody', () => {
  test.each<[string, string, (of: { namespace: string; name: string }) => Promise<unknown>]>([
    ['deletes', 'deleted', async (of) => must(await client.delete(SECRETS, of))],
    [
      'spoils',
      'spoilt',
      async (of) => {
        const spoilt = { ...must(await client.get<Secret>(SECRETS, of)), data: { 'ca.crt': 'cnViYmlzaA==' } }
        must(await client.replace(SECRETS, spoilt))
      },
    ],
  ])('%s is made again: with the root in use, and its successor, which does not sign yet', async (_, name, harm) => {
    const asked = [0, 0]
    const clock = (replica: number) => () => {
      asked[replica] = (asked[replica] ?? 0) + 1
      return Date.now()
    }
    const replicas = await Promise.all(asked.map((_, index) => startReplica(name, DEFAULT_LIVES, clock(index))))
    await until('ready', () => replicas.every(({ keeper }) => keeper.isReady()))
    const [root = ''] = await rootsIn(name)
    await harm({ namespace: NAMESPACE, name })
    await until('there are two roots', async () => (await rootsIn(name)).length === 2)
    const after = await rootsIn(name)
    expect(after).toContain(root)
    const secret = must(await client.get<Secret>(SECRETS, { namespace: NAMESPACE, name }))
    const ca = readAuthorities(secret.data).find(({ id }) => id === root)?.pair.cert ?? ''
    const before = [...asked]
    await until('each has looked again, which it asks the time for', () =>
      asked.every((times, index) => times > (before[index] ?? 0) + 6),
    )
    // Whoever trusts the old one alone, as an API server that has not heard yet, is served by both.
    for (const { server } of replicas) expect((await call(server.port, ca)).status).toBe(415)
    for (const replica of replicas) expect(did(replica).filter((action) => action === 'issueLeaf')).toHaveLength(1)
    await Promise.all(replicas.map((replica) => replica.stop()))
  })

  test('deletes is made anew where nobody remembers it', async () => {
    const name = 'forgotten'
    const before = await startReplica(name, DEFAULT_LIVES)
    await until('ready', () => before.keeper.isReady())
    const [root = ''] = await rootsIn(name)
    await before.stop()
    must(await client.delete(SECRETS, { namespace: NAMESPACE, name }))
    const after = await startReplica(name, DEFAULT_LIVES)
    await until('ready', () => after.keeper.isReady())
    expect(await rootsIn(name)).toHaveLength(1)
    expect(await rootsIn(name)).not.toContain(root)
    await after.stop()
  })
})

describe('rotation', () => {
  const HOUR = 3_600_000
  const MINUTE = 60_000
  const lives: Lives = { leafMs: 12 * HOUR, rootMs: 12 * HOUR, settleMs: HOUR }
  const name = 'rotation'

  /** What is served now, and by whom it was signed. */
  const shown = async (replicas: readonly Replica[]) => {
    const [bundle = ''] = await trustedBy(name)
    return Promise.all(replicas.map(async ({ server }) => (await call(server.port, bundle)).leaf))
  }
  const rootsTrusted = async () =>
    (await trustedBy(name)).map((bundle) => bundle.match(/BEGIN CERTIFICATE/g)?.length ?? 0)

  /** Resolves when the API server calls webhooks by what has been written of them up to now. */
  const heard = async () => {
    const [probe, resource] = ['heard', 'configmaps']
    const asked = configuration('MutatingWebhookConfiguration', probe, 1)
    const webhooks = asked.webhooks.map((each) => ({
      ...each,
      rules: each.rules.map((rule) => ({ ...rule, resources: [resource] })),
    }))
    must(await client.create(MUTATING, { ...asked, webhooks } as unknown as WebhookConfiguration))
    const object = { metadata: { namespace: NAMESPACE, name: probe } }
    await until('the API server asks the latest webhook', async () => {
      const answer = await client.apply(CONFIGMAPS, object, { manager: 'test', dryRun: true })
      return !answer.ok && answer.failure.message.includes('failed calling webhook')
    })
    must(await client.delete(MUTATING, { name: probe }))
  }

  /*
   * The hours of two roots pass in leaps, each of them when all have come to rest after the one before. What certifies has
   * to be good by the clocks of the machine and of the API server as well: so it begins hours ago, and ends minutes ahead,
   * which is how far a certificate is dated back. The old root is good for as long as that takes.
   */
  test('leaves and roots change under callers, and not one call fails', { timeout: 200_000 }, async () => {
    const start = Date.now()
    let ahead = -10 * HOUR
    const now = () => Date.now() + ahead
    const old = authorityOf(
      await issueRoot({ commonName: name, now: start + 3.5 * MINUTE - lives.rootMs, lifeMs: lives.rootMs }),
    )
    const secret = { namespace: NAMESPACE, name }
    must(await client.create(SECRETS, { metadata: secret, data: writeAuthorities([old]) } as never))
    const replicas = [await startReplica(name, lives, now), await startReplica(name, lives, now)]
    const leapTo = (to: number) => {
      ahead = to
      for (const { keeper } of replicas) keeper.wake()
    }
    const [{ server } = expect.unreachable()] = replicas
    const config = configuration('MutatingWebhookConfiguration', name, server.port)
    must(await client.create(MUTATING, config as unknown as WebhookConfiguration))
    await until('trusted', async () => {
      const counts = await rootsTrusted()
      return replicas.every(({ keeper }) => keeper.isReady()) && counts.every((count) => count === 1)
    })
    await heard()

    let calling = true
    const good = { calls: replicas.map(() => 0), pods: 0 }
    const failures: string[] = []
    // As API servers do: trust what the configuration says, read anew all the time.
    const caller = async (replica: Replica, index: number): Promise<void> => {
      while (calling) {
        const [bundle = ''] = await trustedBy(name)
        const outcome = await call(replica.server.port, bundle).catch(String)
        if (typeof outcome === 'object' && outcome.status === 415) good.calls[index] = (good.calls[index] ?? 0) + 1
        else failures.push(JSON.stringify(outcome))
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    // And the API server itself, which refuses the pod when a call fails.
    const creator = async (): Promise<void> => {
      for (let i = 0; calling; i++) {
        const spec = { containers: [{ name: 'app', image: 'app:1' }] }
        const created = await client.create(PODS, { metadata: { namespace: NAMESPACE, name: `pod-${i}` }, spec })
        if (created.ok) good.pods++
        else failures.push(created.failure.message)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    const counts = () => [...good.calls, good.pods]
    const further = async () => {
      const before = counts()
      await until('all have called further', () => counts().every((count, index) => count >= (before[index] ?? 0) + 5))
    }
    const loops = Promise.all([...replicas.map(caller), creator()])
    try {
      await further()
      const first = await shown(replicas)

      leapTo(-3.9 * HOUR)
      await until('a second root is trusted', async () => (await rootsTrusted()).every((count) => count === 2))
      await further()
      expect((await shown(replicas)).map(({ serialNumber }) => serialNumber)).toEqual(
        first.map(({ serialNumber }) => serialNumber),
      )

      leapTo(-3.2 * HOUR)
      await until('leaves are new, and of the old root still', async () =>
        (await shown(replicas)).every(
          (leaf, index) =>
            leaf.serialNumber !== first[index]?.serialNumber &&
            leaf.verify(new X509Certificate(old.pair.cert).publicKey),
        ),
      )
      await heard()
      await further()

      leapTo(-2.8 * HOUR)
      const next = readAuthorities(must(await client.get<Secret>(SECRETS, secret)).data).at(-1)
      const successor = new X509Certificate(next?.pair.cert ?? '')
      await until('leaves are of the new root', async () =>
        (await shown(replicas)).every((leaf) => leaf.verify(successor.publicKey)),
      )
      await further()

      leapTo(4.5 * MINUTE)
      await until('the old root is gone', async () => {
        const bundles = await trustedBy(name)
        return bundles.every((bundle) => bundle.trim() === next?.pair.cert.trim())
      })
      await heard()
      await further()
      await expect(call(server.port, old.pair.cert), 'whoever trusts the old root alone').rejects.toThrow()
    } finally {
      calling = false
      await loops
      await Promise.all(replicas.map((replica) => replica.stop()))
      must(await client.delete(MUTATING, { name }))
    }
    expect(failures).toEqual([])
    const done = replicas.flatMap(did)
    expect(done).toEqual(expect.arrayContaining(['addRoot', 'dropRoots']))
    expect(done.filter((action) => action === 'issueLeaf')).toHaveLength(6)
  })
})
