/** Kubernetes' own kinds for services of several clusters: what the compiler makes of them, mends, removes and leaves alone. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { McsImport } from '../../api/mcs.ts'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { kubectl, type Replica, SYSTEM, startInstalled, startReplica } from './compiler.ts'
import { CRDS } from './crds.ts'
import { type Anything, type Look, lookAt } from './look.ts'
import { imported, namespace, service } from './objects.ts'

const IMPORTS = 'serviceimports.multicluster.x-k8s.io'
const EXPORTS = 'serviceexports.multicluster.x-k8s.io'
const PROPERTIES = 'clusterproperties.about.k8s.io'

let api: ApiServer
let look: Look
let compiler: Replica

/** That an export has no ready pods is not told in the middle of a test. */
const PATIENT = { patienceSeconds: 3_600 }

beforeAll(async () => {
  api = await startInstalled()
  look = lookAt(api)
  await look.apply(namespace('shop'))
  compiler = await startReplica(api, PATIENT)
})
afterAll(async () => {
  await compiler?.stop()
  await api?.stop()
})

/** An import that some cluster exports by the standard. */
const standard = (name: string, of: object = {}, ns = 'shop') => {
  const object = imported(ns, name)
  const ports = [...object.spec.ports, { name: 'dns', port: 53, protocol: 'UDP', endpoints: [] }]
  return { ...object, spec: { ports, doors: ['MCS'], standard: { clusters: ['east'], ...of } } }
}
const exported = (name: string) => ({
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceExport',
  metadata: { namespace: 'shop', name },
})
const importOf = (name: string, ns = 'shop') => look.get<McsImport>(IMPORTS, ns, name)
const ready = async (name: string) => (await importOf(name))?.status?.conditions?.find(({ type }) => type === 'Ready')
const property = async (name: string) => (await look.get<{ spec: { value: string } }>(PROPERTIES, '', name))?.spec.value
const tell = (data: Readonly<Record<string, string>>) =>
  look.apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: SYSTEM, name: 'portolan-cluster' }, data })
const taken = () => compiler.log.filter(({ code }) => code === 'ObjectTaken')
/** That the API server asks to wait is none. */
const troubles = () =>
  compiler.log.filter(
    ({ level, code, reason }) => level >= 40 && code !== 'ObjectTaken' && reason !== 'TooManyRequests',
  )

test('an import is there for what other clusters export by the standard, and for nothing else', async () => {
  await look.apply(standard('pay', { labels: { tier: 'gold' }, annotations: { note: 'x' } }), imported('shop', 'ours'))
  await until('it is ready', async () => (await ready('pay'))?.status === 'True')
  const { metadata, spec, status } = (await importOf('pay')) as McsImport
  expect(metadata.labels).toEqual({ tier: 'gold', 'app.kubernetes.io/managed-by': 'portolan' })
  expect(metadata.annotations).toEqual({ note: 'x' })
  const ours = await look.get<{ spec: { ips: readonly string[] } }>('simp', 'shop', 'pay')
  expect(spec).toEqual({
    type: 'ClusterSetIP',
    ips: ours?.spec.ips,
    ports: [
      { port: 8080, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ],
  })
  expect(status?.clusters).toEqual([{ cluster: 'east' }])
  expect(await ready('pay')).toMatchObject({ reason: 'Ready', observedGeneration: metadata.generation })
  expect(await importOf('ours')).toBeUndefined()
})

test('it follows what changes, and its condition keeps its time', async () => {
  const before = await ready('pay')
  await look.apply(standard('pay', { clusters: ['east', 'north'], labels: {}, sessionAffinity: 'ClientIP' }))
  await until('it follows', async () => (await importOf('pay'))?.status?.clusters?.length === 2)
  const { metadata, spec } = (await importOf('pay')) as McsImport
  expect(metadata.labels).toEqual({ 'app.kubernetes.io/managed-by': 'portolan' })
  expect(metadata.annotations ?? {}).not.toHaveProperty('note')
  expect(spec.sessionAffinity).toBe('ClientIP')
  await until(
    'its status is of what it is now',
    async () => (await ready('pay'))?.observedGeneration === metadata.generation,
  )
  expect((await ready('pay'))?.lastTransitionTime).toBe(before?.lastTransitionTime)
})

test('edited or deleted by hand it is put right; what others add stays', async () => {
  const { spec, metadata } = (await importOf('pay')) as McsImport
  await kubectl(api, ['label', IMPORTS, '-n', 'shop', 'pay', 'theirs=1'])
  const patch = JSON.stringify({ spec: { ips: ['1.2.3.4'], sessionAffinity: 'None' } })
  await kubectl(api, ['patch', IMPORTS, '-n', 'shop', 'pay', '--type=merge', '-p', patch])
  await until('it is mended', async () => (await importOf('pay'))?.spec.ips?.[0] === spec.ips?.[0])
  await look.settled()
  expect((await importOf('pay'))?.spec).toEqual(spec)
  expect((await importOf('pay'))?.metadata.labels).toHaveProperty('theirs')
  await kubectl(api, ['delete', IMPORTS, '-n', 'shop', 'pay'])
  await until('it is back', async () => ((await importOf('pay'))?.metadata.uid ?? metadata.uid) !== metadata.uid)
  await until('it is ready again', async () => (await ready('pay'))?.status === 'True')
})

test('an import that somebody else made is left alone, which is said once; when it goes, ours comes', async () => {
  const theirs = {
    apiVersion: 'multicluster.x-k8s.io/v1alpha1',
    kind: 'ServiceImport',
    metadata: { namespace: 'shop', name: 'theirs', labels: { 'app.kubernetes.io/managed-by': 'portolan' } },
    spec: { type: 'Headless', ports: [] },
  }
  await look.apply(theirs, { ...theirs, metadata: { namespace: 'shop', name: 'unrelated' } })
  await look.apply(standard('theirs'))
  await until('it is said', () => taken().length > 0)
  await look.settled()
  expect((await importOf('theirs'))?.spec.type).toBe('Headless')
  expect((await importOf('theirs'))?.status).toBeUndefined()
  expect(taken().map(({ msg }) => msg)).toEqual([expect.stringContaining('ServiceImport shop/theirs')])
  await kubectl(api, ['delete', IMPORTS, '-n', 'shop', 'theirs'])
  await until('ours is there', async () => (await importOf('theirs'))?.spec.type === 'ClusterSetIP')
  // Without the export there is nothing to say, to do or to remove of what is theirs.
  await kubectl(api, ['delete', 'simp', '-n', 'shop', 'theirs'])
  await until('ours is gone', async () => (await importOf('theirs')) === undefined)
  expect(await importOf('unrelated')).toBeDefined()
})

test('the cluster has a name and a set for as long as it is a member', async () => {
  expect(await property('cluster.clusterset.k8s.io')).toBeUndefined()
  await tell({ clusterKey: 'eu/eu-1/shop/north', hub: 'f00' })
  await until('it has a name', async () => (await property('cluster.clusterset.k8s.io')) === 'north')
  await until('it has a set', async () => (await property('clusterset.k8s.io')) === 'f00')
  await kubectl(api, ['delete', 'configmap', '-n', SYSTEM, 'portolan-cluster'])
  await until('both are gone', async () => (await kubectl(api, ['get', PROPERTIES, '-o', 'name'])) === '')
})

test('a property that somebody else made is left alone', async () => {
  const before = taken().length
  const metadata = { name: 'cluster.clusterset.k8s.io' }
  await look.apply({
    apiVersion: 'about.k8s.io/v1alpha1',
    kind: 'ClusterProperty',
    metadata,
    spec: { value: 'theirs' },
  })
  await tell({ clusterKey: 'eu/eu-1/shop/north', hub: 'f00' })
  await until('the other is made', async () => (await property('clusterset.k8s.io')) === 'f00')
  await until('it is said', () => taken().length > before)
  expect(await property('cluster.clusterset.k8s.io')).toBe('theirs')
  await kubectl(api, ['delete', PROPERTIES, 'cluster.clusterset.k8s.io'])
  await until('ours is there', async () => (await property('cluster.clusterset.k8s.io')) === 'north')
})

test('an export by the standard is told whether it is valid, in the standard’s words', async () => {
  const valid = async (name: string) => {
    const condition = await look.condition(EXPORTS, 'shop', name, 'Valid')
    return condition && `${condition.status} ${condition.reason}`
  }
  await look.apply(exported('web'))
  await until('there is no Service', async () => (await valid('web')) === 'False NoService')
  await look.apply(service('shop', 'web'))
  await until('it is valid', async () => (await valid('web')) === 'True Valid')
})

test('nothing new, nothing written; and a restart writes nothing', async () => {
  const before = await look.settled()
  expect(Object.keys(before).filter((key) => key.includes(' of multicluster.'))).not.toEqual([])
  await compiler.stop()
  compiler = await startReplica(api, PATIENT)
  await until('it leads again', compiler.leads)
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  expect(await look.versions()).toEqual(before)
  expect(troubles()).toEqual([])
})

test('nothing is made in a namespace that is being deleted, and nothing fails there', async () => {
  await look.apply(namespace('leaving'), standard('pay', {}, 'leaving'))
  await until('it is there', async () => (await importOf('pay', 'leaving')) !== undefined)
  // Nobody finishes the deletion here, as no controller of Kubernetes runs.
  await kubectl(api, ['delete', 'namespace', 'leaving', '--wait=false'])
  await until(
    'it is being deleted',
    async () => (await kubectl(api, ['get', 'ns', 'leaving', '-o', 'jsonpath={.metadata.deletionTimestamp}'])) !== '',
  )
  await look.settled()
  await kubectl(api, ['delete', IMPORTS, '-n', 'leaving', 'pay'])
  await look.settled()
  expect(await importOf('pay', 'leaving')).toBeUndefined()
  expect(troubles()).toEqual([])
})

test('what no cluster exports any more goes', async () => {
  await kubectl(api, ['delete', 'simp', '-n', 'shop', 'pay'])
  await until('it is gone', async () => (await importOf('pay')) === undefined)
})

test('kinds that go take nothing else with them, and are served again when they come back', async () => {
  await look.apply(standard('lasting'))
  await until('it is there', async () => (await importOf('lasting')) !== undefined)
  const mcs = ['crd', IMPORTS, EXPORTS, PROPERTIES]
  await kubectl(api, ['delete', ...mcs])
  await look.apply(standard('meanwhile'), imported('shop', 'too'))
  await until('ours goes on', async () => (await look.condition('simp', 'shop', 'too', 'Routed')) !== undefined)
  expect(await compiler.ready()).toBe(true)
  await compiler.stop()
  compiler = await startReplica(api, PATIENT)
  await until('it leads without them', compiler.leads)
  expect(await compiler.ready()).toBe(true)
  await kubectl(api, ['apply', ...CRDS])
  await until('imports are there', async () => (await importOf('lasting')) && (await importOf('meanwhile')), {
    timeout: 60_000,
  })
  await until('and properties', async () => (await property('clusterset.k8s.io')) === 'f00', { timeout: 60_000 })
  expect(troubles()).toEqual([])
})

test('an export of a definition that serves v1alpha1 alone is served, and told nothing before there is v1beta1', async () => {
  const serve = (value: boolean) =>
    kubectl(api, [
      ...['patch', 'crd', EXPORTS, '--type=json', '-p'],
      JSON.stringify([{ op: 'replace', path: '/spec/versions/1/served', value }]),
    ])
  const served = async () =>
    (await look.get<Anything>('configmap', SYSTEM, 'portolan-gateway'))?.data?.['table.json']?.includes('"shop/old"')
  const conditions = async () =>
    (await look.get<Anything>(EXPORTS.replace('.', '.v1alpha1.'), 'shop', 'old'))?.status?.conditions
  await serve(false)
  await look.apply(service('shop', 'old'), { ...exported('old'), apiVersion: 'multicluster.x-k8s.io/v1alpha1' })
  await until('it is served', served, { timeout: 60_000 })
  await look.settled()
  expect(await conditions()).toBeUndefined()
  expect(troubles()).toEqual([])
  await serve(true)
  await compiler.stop()
  compiler = await startReplica(api, PATIENT)
  await until('it is told', async () => (await conditions())?.some(({ type }) => type === 'Valid'))
})
