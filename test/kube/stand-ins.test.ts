/** Services that stand in for imports, for pods without a sidecar: kept as they should be, and nobody else's touched. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../../api/core.ts'
import type { McsImport } from '../../api/mcs.ts'
import { derivedName } from '../../compiler/derived.ts'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { kubectl, type Replica, SYSTEM, startInstalled, startReplica } from './compiler.ts'
import { type Look, lookAt } from './look.ts'
import { east, imported, namespace } from './objects.ts'

const NAME = derivedName('shop/pay')
const SLICE = `${NAME}-ipv4`
const IMPORTS = 'serviceimports.multicluster.x-k8s.io'

let api: ApiServer
let look: Look
let compiler: Replica

beforeAll(async () => {
  api = await startInstalled()
  look = lookAt(api)
  await egressAt('10.0.0.1', '10.0.0.2')
  await look.apply(namespace('shop'), standard())
  compiler = await startReplica(api, { egress: true })
})
afterAll(async () => {
  await compiler?.stop()
  await api?.stop()
})

const standard = (ports: readonly object[] = [{ port: 8080, endpoints: [east('/pay')] }]) => {
  const object = imported('shop', 'pay', ports)
  return { ...object, spec: { ...object.spec, doors: ['MCS'], standard: { clusters: ['east'] } } }
}
/** Pods of the egress, as a controller of Kubernetes would list them. */
const egressAt = (...addresses: readonly string[]) =>
  look.apply({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: SYSTEM,
      name: 'portolan-egress-1',
      labels: { 'kubernetes.io/service-name': 'portolan-egress' },
    },
    addressType: 'IPv4',
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
    ports: [],
  })
const stand = () => look.get<Service>('service', 'shop', NAME)
const slice = () => look.get<EndpointSlice>('endpointslice', 'shop', SLICE)
const leadsTo = async () => (await slice())?.endpoints.flatMap(({ addresses }) => addresses).join()
const ips = async () => (await look.get<McsImport>(IMPORTS, 'shop', 'pay'))?.spec.ips

test('the standard’s import has the address that Kubernetes gave the Service, which leads to the egress', async () => {
  const clusterIP = await until('there is a Service', async () => (await stand())?.spec.clusterIP)
  await until('the import has its address', async () => (await ips())?.join() === clusterIP)
  expect(clusterIP).not.toMatch(/^240\./)
  expect(await leadsTo()).toBe('10.0.0.1,10.0.0.2')
  const { ports: [port] = [] } = (await stand())?.spec ?? {}
  expect((await slice())?.ports?.[0]).toMatchObject({ port: Number(port?.targetPort), protocol: 'TCP' })
})

test('it follows the egress and the import, and its ports stay where they are', async () => {
  const before = (await stand())?.spec.ports?.[0]?.targetPort
  await egressAt('10.0.0.2', '10.0.0.3')
  await until('it leads there', async () => (await leadsTo()) === '10.0.0.2,10.0.0.3')
  const both = [8080, 9090].map((port) => ({ name: `p-${port}`, port, endpoints: [east('/pay')] }))
  await look.apply(standard(both))
  await until('both ports are there', async () => (await stand())?.spec.ports?.length === 2)
  expect((await stand())?.spec.ports?.find(({ port }) => port === 8080)?.targetPort).toBe(before)
  await until('both are led on', async () => (await slice())?.ports?.length === 2)
})

test('edited by hand it is put right, and what Kubernetes and others add to it stays', async () => {
  const { spec } = (await stand()) as Service
  await kubectl(api, ['annotate', 'service', '-n', 'shop', NAME, 'theirs=1'])
  const elsewhere = JSON.stringify({ endpoints: [{ addresses: ['6.6.6.6'] }] })
  await kubectl(api, ['patch', 'endpointslice', '-n', 'shop', SLICE, '--type=merge', '-p', elsewhere])
  const target = JSON.stringify([{ op: 'replace', path: '/spec/ports/0/targetPort', value: 1 }])
  await kubectl(api, ['patch', 'service', '-n', 'shop', NAME, '--type=json', '-p', target])
  await until('the slice is mended', async () => (await leadsTo()) === '10.0.0.2,10.0.0.3')
  await until('the Service is mended', async () => (await stand())?.spec.ports?.[0]?.targetPort !== 1)
  await look.settled()
  expect((await stand())?.spec).toEqual(spec)
  expect((await stand())?.metadata.annotations).toHaveProperty('theirs')
})

test('deleted by hand it comes back, and the import has its new address', async () => {
  const before = (await stand())?.metadata.uid
  await kubectl(api, ['delete', 'service', '-n', 'shop', NAME])
  await kubectl(api, ['delete', 'endpointslice', '-n', 'shop', SLICE])
  await until('both are back', async () => (await stand())?.metadata.uid !== before && (await leadsTo()))
  await until('the import follows', async () => (await ips())?.join() === (await stand())?.spec.clusterIP)
})

test('a restart writes nothing', async () => {
  const before = await look.settled()
  await compiler.stop()
  compiler = await startReplica(api, { egress: true })
  await until('it leads again', compiler.leads)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(await look.versions()).toEqual(before)
})

test('a Service that somebody else has by that name is left alone, and so is what others label', async () => {
  await look.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: derivedName('shop/taken') },
    spec: { ports: [{ port: 1 }] },
  })
  await look.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'labelled', labels: { 'app.kubernetes.io/managed-by': 'portolan' } },
    spec: { ports: [{ port: 1 }] },
  })
  await look.apply(imported('shop', 'taken'))
  await until('the import is told', async () => (await look.condition('simp', 'shop', 'taken', 'Routed')) !== undefined)
  await look.settled()
  expect((await look.get<Service>('service', 'shop', derivedName('shop/taken')))?.spec.ports?.[0]?.port).toBe(1)
  expect(await look.get('service', 'shop', 'labelled')).toBeDefined()
})

test('nothing of it is left when the import goes', async () => {
  await kubectl(api, ['delete', 'simp', '-n', 'shop', 'pay'])
  await until('all are gone', async () =>
    (await Promise.all([stand(), slice(), ips()])).every((each) => each === undefined),
  )
  const troubles = compiler.log.filter(({ level, reason }) => level >= 50 || (level >= 40 && reason === 'Invalid'))
  expect(troubles).toEqual([])
})
