/** Who the cluster is: what the hub says counts more than what it was installed with, from one moment to the next. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { CLUSTER_KEY, kubectl, type Replica, SYSTEM, startInstalled, startReplica } from './compiler.ts'
import { type Look, lookAt } from './look.ts'
import { imported, namespace, policy, service } from './objects.ts'

const NORTH = 'eu/eu-1/shop/north'
const EAST = 'default/default/default/east'

let api: ApiServer
let look: Look
let compiler: Replica

beforeAll(async () => {
  api = await startInstalled()
  look = lookAt(api)
  await look.apply(namespace('shop'), service('shop', 'pay'), imported('shop', 'pay'), {
    ...policy('shop', 'pay'),
    spec: {
      lbType: 'ActiveActive',
      targets: [CLUSTER_KEY, NORTH, EAST].map((clusterKey, n) => ({ clusterKey, weight: n + 1 })),
    },
  })
  compiler = await startReplica(api)
})
afterAll(async () => {
  await compiler?.stop()
  await api?.stop()
})

const tell = (clusterKey: string) =>
  look.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: SYSTEM, name: 'portolan-cluster' },
    data: { clusterKey },
  })

interface Backend {
  readonly clusterKey: string
  readonly local: boolean
}

const backends = async (): Promise<readonly Backend[]> =>
  ((await look.table('shop'))?.routes[0] as unknown as { backends: readonly Backend[] } | undefined)?.backends ?? []

/** The local Service as the table names it. */
const own = async () => (await backends()).find(({ local }) => local)?.clusterKey

const zone = async (): Promise<unknown> =>
  JSON.parse((await look.routes('shop'))?.['bootstrap.json'] ?? '{}').node?.locality.zone

const complaints = () => compiler.log.filter(({ code }) => code === 'ClusterIdentityMalformed')

test('where no hub says anything, the cluster is who it was installed as', async () => {
  await until('the table is there', async () => (await own()) === CLUSTER_KEY)
  expect(await zone()).toBe('west')
})

test('the hub says it: tables, files and statuses are about the same cluster, without a restart', async () => {
  await tell(NORTH)
  await until('the table says so', async () => (await own()) === NORTH)
  await look.settled()
  expect(await zone()).toBe(NORTH)
  const rows = async () =>
    JSON.parse(await kubectl(api, ['get', 'gtp', '-n', 'shop', 'pay', '-o', 'jsonpath={.status.targets}'])) as {
      clusterKey: string
      reason: string
    }[]
  // What it was installed as is a cluster like any other now.
  expect((await rows()).map(({ clusterKey, reason }) => `${clusterKey} ${reason}`)).toEqual([
    `${EAST} Active`,
    `${CLUSTER_KEY} ExportsNothing`,
    `${NORTH} NoReadyEndpoint`,
  ])
})

test('its own endpoint in an import is itself, by its present name', async () => {
  await tell(EAST)
  await until('it never calls itself through a gateway', async () => (await backends()).every(({ local }) => local))
  expect(await own()).toBe(EAST)
})

test('a malformed word of the hub is reported once, and does not count', async () => {
  await tell('not a key')
  await until('it is who it was installed as', async () => (await own()) === CLUSTER_KEY)
  await until('an Event says so', async () =>
    (await kubectl(api, ['get', 'events', '-n', SYSTEM, '-o', 'yaml'])).includes('reason: ClusterIdentityMalformed'),
  )
  await look.apply(policy('shop', 'pay'))
  await until('another pass', async () => (await look.table('shop'))?.routes[0]?.policy === 'FailOver')
  await look.settled()
  expect(complaints().length).toBe(1)
  expect(await compiler.metric('portolan_issues{code="ClusterIdentityMalformed"}')).toBe(1)
})

test('the cluster leaves its hub: it is who it was installed as, and nothing is wrong', async () => {
  await tell(NORTH)
  await until('the hub counts', async () => (await own()) === NORTH)
  expect(await compiler.metric('portolan_issues{code="ClusterIdentityMalformed"}')).toBeUndefined()
  await kubectl(api, ['delete', 'configmap', '-n', SYSTEM, 'portolan-cluster'])
  await until('it is itself', async () => (await own()) === CLUSTER_KEY)
  expect(complaints().length).toBe(1)
})
