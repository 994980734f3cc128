/** What goes on when parts change or are gone. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import { curl, keepLoading, load } from './load.ts'
import {
  app,
  client,
  clusterKey,
  documents,
  meshNamespace,
  plainNamespace,
  policy,
  serviceExport,
  serviceImport,
} from './manifests.ts'
import { CONTROL_PLANE, portolan, sites } from './mesh.ts'
import { apply, get, kubectl, rolledOut } from './site.ts'

const { east, west, gatewayPort } = sites()
const NS = 'resilience'
const URL = `http://httpbin.${NS}:8080/`

const remote = (name: string) => ({
  clusterKey: clusterKey(name),
  host: east.address,
  port: gatewayPort,
  path: `/${NS}/${name}`,
})
const answers = async () => (await curl(west, NS, 'deploy/client', URL)).stdout.trim()

beforeAll(async () => {
  const names = ['c1', 'c2']
  await apply(
    east,
    documents(
      plainNamespace(NS),
      ...names.flatMap((name) => app({ namespace: NS, name, says: name })),
      ...names.map((name) => serviceExport(NS, name, { rules: [{ portNumber: 8080, path: `/${NS}/${name}` }] })),
    ),
  )
  await apply(
    west,
    documents(
      meshNamespace(NS),
      serviceImport(NS, 'httpbin', names.map(remote)),
      policy(
        NS,
        'httpbin',
        'ActiveActive',
        names.map((name) => ({ clusterKey: clusterKey(name) })),
      ),
      client(NS, 'client'),
    ),
  )
  await Promise.all([rolledOut(east, NS, 'c1', 'c2'), rolledOut(west, NS, 'client')])
  await until('an answer', async () => /c[12]/.test(await answers()))
})

afterAll(async () => {
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
})

test('100 table changes under load lose no request', async () => {
  const version = async () =>
    JSON.parse((await get(west, '-n', NS, 'configmap', 'portolan-routes')).data['table.json']).version as string
  const running = keepLoading(west, NS, 'deploy/client', URL, 100)
  let last = await version()
  for (let n = 0; n < 100; n++) {
    const targets = [
      { clusterKey: clusterKey('c1'), weight: 100 + n },
      { clusterKey: clusterKey('c2'), weight: 50 + (n % 7) },
    ]
    await apply(west, documents(policy(NS, 'httpbin', n % 2 === 0 ? 'ActiveActive' : 'FailOver', targets)))
    const before = last
    last = await until(`table ${n + 1}`, async () => {
      const now = await version()
      return now !== before && now
    })
  }
  const { failed, failures, total } = await running.stop()
  console.log(`100 tables under load: ${total} requests, ${failed} failed`)
  expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
  expect(total).toBeGreaterThan(0)
})

test("a gateway's pods are replaced under load: no idempotent request fails", async () => {
  const running = load(west, NS, 'deploy/client', URL, { rps: 50, seconds: 25 })
  await kubectl(east, '-n', CONTROL_PLANE, 'rollout', 'restart', 'deploy/portolan-gateway')
  await rolledOut(east, CONTROL_PLANE, 'portolan-gateway')
  await kubectl(east, '-n', NS, 'rollout', 'restart', 'deploy/c1')
  await rolledOut(east, NS, 'c1')
  const { failed, failures } = await running
  expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
})

test('the control plane is gone: calls go on, and a new pod with a sidecar starts and routes', async () => {
  const names = ['webhook', 'compiler', 'identity', 'federation']
  await kubectl(west, '-n', CONTROL_PLANE, 'scale', ...names.map((name) => `deploy/portolan-${name}`), '--replicas=0')
  try {
    await until('the control plane has no pods', async () => {
      const { items } = await get(
        west,
        '-n',
        CONTROL_PLANE,
        'pod',
        '-l',
        `app.kubernetes.io/component in (${names.join(',')})`,
      )
      return items.length === 0
    })
    const { failed, total } = await load(west, NS, 'deploy/client', URL, { rps: 50, seconds: 3 })
    expect({ failed, some: total > 100 }).toEqual({ failed: 0, some: true })

    // Nobody is there to inject, so the pod brings its sidecar along, made offline by the same function.
    const dns = (await get(west, '-n', CONTROL_PLANE, 'service', 'portolan-dns')).spec.clusterIP
    const injected = await portolan(
      [
        'inject',
        '-f',
        '-',
        '--dns-address',
        dns,
        '--mesh-name',
        'portolan',
        '--proxy-image',
        'portolan.test/envoy:1',
        '--init-image',
        'portolan.test/portolan:dev',
      ],
      documents(meshNamespace(NS), client(NS, 'newcomer')),
    )
    await apply(west, injected)
    await rolledOut(west, NS, 'newcomer')
    expect((await curl(west, NS, 'deploy/newcomer', URL)).stdout).toMatch(/c[12]/)
  } finally {
    await kubectl(west, '-n', CONTROL_PLANE, 'scale', ...names.map((name) => `deploy/portolan-${name}`), '--replicas=2')
    for (const name of names) await rolledOut(west, CONTROL_PLANE, `portolan-${name}`)
  }
})

test('all pods behind one export are killed: the importer moves on, and nothing fails', async () => {
  await apply(
    west,
    documents(policy(NS, 'httpbin', 'FailOver', [{ clusterKey: clusterKey('c1') }, { clusterKey: clusterKey('c2') }])),
  )
  const running = load(west, NS, 'deploy/client', URL, { rps: 50, seconds: 10 })
  await kubectl(east, '-n', NS, 'delete', 'pod', '-l', 'app=c1', '--force', '--grace-period=0')
  await kubectl(east, '-n', NS, 'scale', 'deploy/c1', '--replicas=0')
  const { failed, failures } = await running
  expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
  expect((await load(west, NS, 'deploy/client', URL, { rps: 50, seconds: 1 })).answers).not.toHaveProperty(
    'Hi, I am from c1!',
  )
  await kubectl(east, '-n', NS, 'scale', 'deploy/c1', '--replicas=1')
})
