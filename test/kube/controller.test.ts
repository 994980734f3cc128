/** What the compiler writes, when, and when not. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import {
  ACCOUNT,
  kubectl,
  type Replica,
  type ReplicaOptions,
  SYSTEM,
  startInstalled,
  startReplica,
} from './compiler.ts'
import { startLine } from './line.ts'
import { type Anything, type Look, lookAt } from './look.ts'
import { exported, imported, namespace, pod, policy, service } from './objects.ts'

let api: ApiServer
let look: Look
const replicas: Replica[] = []

beforeAll(async () => {
  api = await startInstalled()
  look = lookAt(api)
})
afterEach(async () => {
  for (const replica of replicas.splice(0)) await replica.stop()
})
afterAll(() => api?.stop())

const replica = async (options: ReplicaOptions = {}) => {
  // That an export has no ready pods, as here, is not told in the middle of a test.
  const started = await startReplica(api, { patienceSeconds: 3_600, ...options })
  replicas.push(started)
  return started
}

test('objects become tables, names, addresses and statuses; with no more rights than the chart gives', async () => {
  const compiler = await replica()
  await look.apply(namespace('shop'), namespace('caller'), namespace('outside', false))
  await look.apply(service('shop', 'pay'), imported('shop', 'pay'), policy('shop', 'pay'), exported('shop', 'pay'))
  await until('both mesh namespaces have the route', async () =>
    (await Promise.all(['shop', 'caller'].map(look.table))).every((each) => each?.routes[0]?.policy === 'FailOver'),
  )
  await look.settled()
  expect(Object.keys((await look.routes('caller')) ?? {}).toSorted()).toEqual([
    'bootstrap.json',
    'cds.json',
    'table.json',
  ])
  expect(await look.routes('outside')).toBeUndefined()

  const { spec } = (await look.get<Anything>('simp', 'shop', 'pay')) ?? {}
  expect(spec?.ips).toEqual([expect.stringMatching(/^240\.240\.\d+\.\d+$/)])
  const hosts = (await look.get<Anything>('configmap', SYSTEM, 'portolan-dns'))?.data?.['hosts']
  expect(hosts).toContain(`${spec?.ips?.[0]} pay.shop.svc.cluster.local\n`)
  const gateway = (await look.get<Anything>('configmap', SYSTEM, 'portolan-gateway'))?.data
  expect(JSON.parse(gateway?.['table.json'] ?? '').routes[0]).toMatchObject({ service: 'shop/pay', path: '/pay' })

  expect(await look.condition('gtp', 'shop', 'pay', 'Accepted')).toMatchObject({
    status: 'True',
    observedGeneration: 1,
  })
  expect(await look.condition('gtp', 'shop', 'pay', 'Programmed')).toMatchObject({
    status: 'True',
    reason: 'NoProxies',
  })
  expect(await look.condition('simp', 'shop', 'pay', 'Routed')).toMatchObject({ status: 'True', observedGeneration: 2 })
  expect(await look.condition('sexp', 'shop', 'pay', 'Valid')).toMatchObject({ status: 'True' })

  expect(compiler.log.filter(({ level }) => level >= 40).filter(({ reason }) => reason !== 'TooManyRequests')).toEqual(
    [],
  )
  expect(await compiler.metric('portolan_routes{namespace="caller"}')).toBe(1)
})

test('nothing new, nothing written; and a restart writes the same bytes, so nothing', async () => {
  const first = await replica()
  const before = await look.settled()
  // Objects that change nothing about routing.
  await kubectl(api, ['annotate', 'namespace', 'shop', 'note=x', '--overwrite'])
  await look.apply(service('outside', 'other'))
  await kubectl(api, ['annotate', 'service', '-n', 'shop', 'pay', 'note=y', '--overwrite'])
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await look.versions()).toEqual(before)
  expect(await first.metric('portolan_writes_total{action="applyTable",result="ok"}')).toBeUndefined()

  await first.stop()
  replicas.splice(0)
  const second = await replica()
  await until('the second leads', second.leads)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await look.versions()).toEqual(before)
})

const BURST = 30

test('a burst of changes is not a pass each, and a condition keeps its time while its status stays', async () => {
  const compiler = await replica()
  await until('it leads', compiler.leads)
  await look.settled()
  const accepted = await look.condition('gtp', 'shop', 'pay', 'Accepted')
  const passes = async () => (await compiler.metric('portolan_compile_seconds_count')) ?? 0
  await look.apply(policy('shop', 'pay', 'ActiveActive'))
  await until('the table follows', async () => (await look.table('shop'))?.routes[0]?.policy === 'ActiveActive')
  await look.settled()
  const after = await look.condition('gtp', 'shop', 'pay', 'Accepted')
  expect(after).toMatchObject({ observedGeneration: 2, lastTransitionTime: accepted?.lastTransitionTime })

  const start = await passes()
  await look.apply(...Array.from({ length: BURST }, (_, i) => service('outside', `burst-${i}`)))
  await until('it has looked', async () => (await passes()) > start)
  await look.settled()
  expect((await passes()) - start).toBeLessThan(BURST)
})

test('a namespace leaves the mesh: its table goes, others stay; it comes back: so does the table', async () => {
  await replica()
  await until('caller has a table', async () => (await look.table('caller')) !== null)
  await kubectl(api, ['label', 'namespace', 'caller', 'flomesh.io/monitored-by-'])
  await until('the table is gone', async () => (await look.routes('caller')) === undefined)
  expect(await look.table('shop')).not.toBeNull()
  await kubectl(api, ['label', 'namespace', 'caller', 'flomesh.io/monitored-by=portolan'])
  await until('the table is back', async () => (await look.table('caller'))?.routes.length === 1)
})

test('a namespace leaves the mesh before its sidecars do: its table follows changes, even over a restart, until the last is gone', async () => {
  const policyOf = async () => (await look.table('caller'))?.routes[0]?.policy
  const first = await replica()
  await until('caller has a table', async () => (await look.table('caller')) !== null)
  await look.apply(pod('caller', 'stays', true))
  await kubectl(api, ['label', 'namespace', 'caller', 'flomesh.io/monitored-by-'])
  await look.settled()
  await look.apply(policy('shop', 'pay', 'FailOver'))
  await until('the table follows', async () => (await policyOf()) === 'FailOver')

  await first.stop()
  replicas.splice(0)
  const second = await replica()
  await until('the second leads', second.leads)
  await look.apply(policy('shop', 'pay', 'ActiveActive'))
  await until('the table follows again', async () => (await policyOf()) === 'ActiveActive')
  await kubectl(api, ['delete', 'configmap', '-n', 'caller', 'portolan-routes'])
  await until('what is deleted by hand is back', async () => (await policyOf()) === 'ActiveActive')

  await kubectl(api, ['delete', 'pod', '-n', 'caller', 'stays', '--grace-period=0', '--force'])
  await until('the table is gone', async () => (await look.routes('caller')) === undefined)
  await look.apply(namespace('caller'))
  await until('the table is back', async () => (await look.table('caller'))?.routes.length === 1)
})

test('an import deleted as soon as it has its address leaves nothing behind', async () => {
  const compiler = await replica()
  await until('it leads', compiler.leads)
  const names = Array.from({ length: 8 }, (_, i) => `brief-${i}`)
  for (const name of names) {
    await look.apply(imported('shop', name))
    const address = '{.spec.ips[0]}'
    await kubectl(api, ['wait', '-n', 'shop', 'simp', name, `--for=jsonpath=${address}`, '--timeout=60s'])
    await kubectl(api, ['delete', '-n', 'shop', 'simp', name, '--wait=false'])
  }
  await look.settled()
  const hosts = (await look.get<Anything>('configmap', SYSTEM, 'portolan-dns'))?.data?.['hosts']
  expect(hosts).not.toContain('brief-')
})

test('a ConfigMap deleted or edited by hand is put right; keys of others are left alone', async () => {
  await replica()
  await until('shop has a table', async () => (await look.table('shop')) !== null)
  const good = await look.routes('shop')
  await kubectl(api, ['delete', 'configmap', '-n', 'shop', 'portolan-routes'])
  await until('it is back', async () => (await look.routes('shop')) !== undefined)
  await kubectl(api, [
    'patch',
    'configmap',
    '-n',
    'shop',
    'portolan-routes',
    '--type=merge',
    '-p',
    '{"data":{"cds.json":"{}","mine":"x"}}',
  ])
  await until('it is right', async () => (await look.routes('shop'))?.['cds.json'] === good?.['cds.json'])
  expect((await look.routes('shop'))?.['mine']).toBe('x')
  await look.settled()
})

test('the API server is killed and comes back: the compiler goes on by itself', async () => {
  const compiler = await replica()
  await until('it leads', compiler.leads)
  await api.kill()
  await until('it stops leading', async () => !(await compiler.leads()))
  await api.start()
  await look.apply(policy('shop', 'pay', 'FailOver'))
  await until('the table follows', async () => (await look.table('shop'))?.routes[0]?.policy === 'FailOver')
})

test('the leader is cut off: the other takes over and writes; nobody else does', async () => {
  const line = await startLine(api.port)
  const first = await replica({
    identity: 'first',
    connection: api.connectionOf(ACCOUNT, `https://127.0.0.1:${line.port}`),
  })
  await until('the first leads', first.leads)
  const counted = 'portolan_routes{namespace="caller"}'
  await until('the first counts', async () => (await first.metric(counted)) === 1)
  const second = await replica({ identity: 'second' })
  expect(await second.leads()).toBe(false)
  line.cut()
  await until('the second leads', second.leads)
  expect(await first.leads()).toBe(false)
  await until('only the second counts', async () => (await first.metric(counted)) === undefined)
  await until('it does', async () => (await second.metric(counted)) === 1)
  await look.apply(policy('shop', 'pay', 'ActiveActive'))
  await until('the table follows', async () => (await look.table('shop'))?.routes[0]?.policy === 'ActiveActive')
  line.mend()
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(await first.leads()).toBe(false)
  expect(first.log.filter(({ msg, action }) => msg === 'written' && action === 'applyTable')).toEqual([])
  for (const each of replicas.splice(0)) await each.stop()
  await line.close()
})

test('what a table has no room for is left out: status, Event and metric say why, and all else goes on', async () => {
  const compiler = await replica()
  await until('shop has a table', async () => (await look.table('shop')) !== null)
  const clusters = Array.from({ length: 40 }, (_, i) => ({
    clusterKey: `region-of-some-length/zone-of-some-length/group/cluster-${i}`,
    target: { host: `10.8.0.${i}`, port: 80, path: '/a/path/that/takes/its/space' },
  }))
  const ports = (from: number) =>
    Array.from({ length: 32 }, (_, i) => ({ name: `p${i}`, port: from + i, endpoints: clusters }))
  for (const name of ['vast', 'huge']) await look.apply({ ...policy('shop', name), spec: { lbType: 'ActiveActive' } })
  await look.apply(imported('shop', 'vast', ports(1_000)))
  await until(
    'one of them fits',
    async () => (await look.condition('simp', 'shop', 'vast', 'Routed'))?.status === 'True',
  )
  await look.apply(imported('shop', 'huge', ports(2_000)))
  for (const kind of ['gtp', 'simp']) {
    await until(
      `the ${kind} says so`,
      async () => (await look.condition(kind, 'shop', 'huge', 'Programmed'))?.reason === 'SidecarsFull',
    )
  }
  const said = await look.condition('gtp', 'shop', 'huge', 'Programmed')
  expect(said).toMatchObject({
    status: 'False',
    message: expect.stringMatching(/^the sidecars of .*shop.* have no room/),
  })
  expect((await look.condition('gtp', 'shop', 'vast', 'Programmed'))?.reason).not.toBe('SidecarsFull')
  expect((await look.table('shop'))?.routes.filter(({ service }) => service === 'shop/huge')).toEqual([])
  expect((await look.table('shop'))?.routes.length).toBe(33)
  // No freeze: what else changes is written.
  await look.apply(policy('shop', 'pay', 'Locality'))
  await until(
    'the table follows',
    async () => (await look.table('shop'))?.routes.find(({ service }) => service === 'shop/pay')?.policy === 'Locality',
  )
  await look.apply(policy('shop', 'pay'))
  await until('an Event says so', async () =>
    (await kubectl(api, ['get', 'events', '-n', 'shop', '-o', 'yaml'])).includes('reason: SidecarsFull'),
  )
  expect(await compiler.metric('portolan_issues{code="SidecarsFull"}')).toBeGreaterThan(0)

  await kubectl(api, ['delete', 'simp,gtp', '-n', 'shop', 'vast', 'huge'])
  await until('it is over', async () => (await compiler.metric('portolan_issues{code="SidecarsFull"}')) === undefined)
  await until(
    'the policy is in effect',
    async () => (await look.condition('gtp', 'shop', 'pay', 'Programmed'))?.status === 'True',
  )
})

test('pods that lack their sidecar are reported, and no others', async () => {
  const compiler = await replica()
  await look.apply(pod('shop', 'without', false), pod('shop', 'with', true), pod('outside', 'elsewhere', false), {
    ...pod('shop', 'unwanted', false),
    metadata: { namespace: 'shop', name: 'unwanted', annotations: { 'flomesh.io/sidecar-injection': 'disabled' } },
  })
  await until(
    'the metric counts it',
    async () => (await compiler.metric('portolan_sidecars_missing{namespace="shop"}')) === 1,
  )
  await until('an Event says so', async () =>
    (await kubectl(api, ['get', 'events', '-A', '-o', 'yaml'])).includes('reason: SidecarMissing'),
  )
  const events = JSON.parse(await kubectl(api, ['get', 'events', '-A', '-o', 'json'])) as {
    items: { reason: string; involvedObject: { name: string } }[]
  }
  const about = events.items
    .filter(({ reason }) => reason === 'SidecarMissing')
    .map(({ involvedObject }) => involvedObject.name)
  expect(about).toEqual(['without'])
  expect(compiler.log.filter(({ code }) => code === 'SidecarMissing').length).toBe(1)
  await kubectl(api, ['delete', 'pod', '-n', 'shop', 'without', '--grace-period=0', '--force'])
  await until(
    'it is over',
    async () => (await compiler.metric('portolan_sidecars_missing{namespace="shop"}')) === undefined,
  )
})

test.each([true, false])('a change nudges the pods that mount the table, when nudging is %s', async (nudge) => {
  const compiler = await replica({ nudge })
  await until('it leads', compiler.leads)
  await look.settled()
  const annotation = async (name: string) =>
    (await look.get<Anything>('pod', 'shop', name))?.metadata.annotations?.['flomesh.io/routes-version']
  const before = await annotation('with')
  const next = (await look.table('shop'))?.routes[0]?.policy === 'FailOver' ? 'ActiveActive' : 'FailOver'
  await look.apply(policy('shop', 'pay', next))
  await until('the table follows', async () => (await look.table('shop'))?.routes[0]?.policy === next)
  if (nudge) {
    await until('the pod is nudged', async () => (await annotation('with')) === (await look.table('shop'))?.version)
  } else {
    await look.settled()
    expect(await annotation('with')).toBe(before)
  }
  expect(await annotation('unwanted')).toBeUndefined()
})
