/** What a hub does with members that are well. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/meta.ts'
import {
  CLUSTERS,
  CONFIGMAPS,
  NAMESPACES,
  SECRETS,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import type { Resource } from '../../kube/object.ts'
import { SYSTEM } from '../kube/compiler.ts'
import { until } from '../lab/run.ts'
import {
  clusterObject,
  clusterOf,
  conditionOf,
  enlist,
  event,
  exportObject,
  givers,
  imports,
  importsNot,
  keyOf,
  managed,
  namespaceObject,
  offer,
  type Replica,
  type Site,
  type Stage,
  secretOf,
  serviceObject,
  startStage,
  warningsOf,
} from './hub.ts'

let stage: Stage
let replica: Replica
let east: Site
let west: Site
let north: Site
beforeAll(async () => {
  stage = await startStage(['east', 'west', 'north'])
  east = stage.site('east')
  west = stage.site('west')
  north = stage.site('north')
  replica = await stage.start()
})
afterAll(() => stage?.stop())

const exported = (site: Site, service: string, reason: string) =>
  until(`${site.name}'s ${service} is ${reason}`, async () => {
    const object = await site.exportOf(service)
    return conditionOf(object, 'Exported')?.reason === reason ? object : undefined
  })

const conflict = (site: Site, service: string, reason: string) =>
  until(`${site.name}'s ${service} has ${reason}`, async () => {
    const found = conditionOf(await site.exportOf(service), 'Conflict')
    return found?.reason === reason ? found : undefined
  })

const ref = (service: string) => {
  const [namespace = '', name = ''] = service.split('/')
  return { namespace, name }
}

/** Nothing can be waited for where nothing is to happen: long enough for whatever would. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 700))

test('members join: they are connected, told who they are, and remembered', async () => {
  for (const site of stage.members) await enlist(stage, site)
  for (const { name, client } of stage.members) {
    const cluster = await managed(stage, name, 'Connected')
    expect(cluster.status).toMatchObject({ exports: 0, imports: 0, version: expect.stringMatching(/^v1\./) })
    expect(conditionOf(cluster, 'Managed')).toMatchObject({ status: 'True', observedGeneration: 1 })
    await until('it knows its name', async () => {
      const found = await client.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
      return found.ok && found.value.data?.['clusterKey'] === keyOf(name)
    })
    const memory = await stage.hub.get(SECRETS, { namespace: SYSTEM, name: `portolan-member-${name}` })
    expect(Object.keys(memory?.data ?? {}).toSorted()).toEqual([
      'cluster.json',
      'exports.json.gz',
      'kubeconfig',
      'roots.json',
    ])
    await event(stage.hub, name, 'Connected')
  }
  await until('all are counted', async () => (await replica.metric('portolan_members{reason="Connected"}')) === 3)
})

test('an export becomes an import everywhere else, and its status says where', async () => {
  await east.apply(...offer('shop/pay'))
  const found = await imports(west, 'shop/pay', ['east'])
  await imports(north, 'shop/pay', ['east'])
  expect(found.spec.ports[0]?.endpoints?.[0]?.target).toMatchObject({ host: 'gateway.east.example', port: 80 })
  expect(await east.importOf('shop/pay')).toBeUndefined()
  const object = await exported(east, 'shop/pay', 'Exported')
  expect(object.status?.clusters).toEqual([{ cluster: keyOf('north') }, { cluster: keyOf('west') }])
  expect(conditionOf(object, 'Conflict')).toMatchObject({ status: 'False', reason: 'NoConflicts' })
  expect((await event(east, 'pay', 'Exported')).note).toContain(keyOf('west'))
  await until('counts follow', async () => {
    const [from, to] = await Promise.all(['east', 'west'].map((name) => clusterOf(stage, name)))
    return from?.status?.exports === 1 && to?.status?.imports === 1
  })
  expect(warningsOf(replica)).toEqual([])
})

test('once all is written, nothing is written any more', async () => {
  const versions = async () =>
    JSON.stringify(
      await Promise.all(
        stage.members.flatMap((site) =>
          [SERVICE_EXPORTS, SERVICE_IMPORTS, CONFIGMAPS, NAMESPACES].map(async (resource) =>
            (await site.list(resource as Resource<KubeObject>)).map(({ metadata }) => metadata.resourceVersion),
          ),
        ),
      ),
    )
  let before = await versions()
  await until('it rests', async () => {
    await aWhile()
    const now = await versions()
    const same = now === before
    before = now
    return same
  })
  // Neither belongs to what is exported.
  await east.apply(serviceObject('shop/other'), {
    ...namespaceObject('shop'),
    metadata: { name: 'shop', labels: { a: 'b' } },
  })
  await aWhile()
  const all = await Promise.all(stage.members.map((site) => site.list(SERVICE_IMPORTS)))
  expect(all.map((each) => each.length)).toEqual([0, 1, 1])
})

test('three members export the same: each imports the other two', async () => {
  for (const site of [west, north]) await site.apply(...offer('shop/pay'))
  await imports(east, 'shop/pay', ['north', 'west'])
  await imports(west, 'shop/pay', ['east', 'north'])
  await imports(north, 'shop/pay', ['east', 'west'])
  await exported(north, 'shop/pay', 'Exported')
  for (const site of [west, north]) await site.remove(SERVICE_EXPORTS, ref('shop/pay'))
  await imports(north, 'shop/pay', ['east'])
  await importsNot(east, 'shop/pay')
})

test('targetClusters get the import, others do not, also when the list changes', async () => {
  await east.apply(...offer('shop/few', { spec: { targetClusters: [keyOf('west')] } }))
  await imports(west, 'shop/few', ['east'])
  expect(await north.importOf('shop/few')).toBeUndefined()
  await east.apply(exportObject('shop/few', { targetClusters: [keyOf('north')] }))
  await imports(north, 'shop/few', ['east'])
  await importsNot(west, 'shop/few')
  await until('the status follows', async () => {
    const { clusters } = (await east.exportOf('shop/few'))?.status ?? {}
    return JSON.stringify(clusters) === JSON.stringify([{ cluster: keyOf('north') }])
  })
  await east.apply(exportObject('shop/few', { targetClusters: [keyOf('nobody')] }))
  await importsNot(north, 'shop/few')
  expect(conditionOf(await exported(east, 'shop/few', 'NoImporter'), 'Exported')?.status).toBe('False')
  await event(east, 'few', 'TargetClusterUnknown')
})

test('exporters that differ are told so, until they agree', async () => {
  await east.apply(...offer('shop/odd'))
  await imports(west, 'shop/odd', ['east'])
  await west.apply(...offer('shop/odd', { port: 9090 }))
  const told = await conflict(east, 'shop/odd', 'PortConflict')
  expect(told).toMatchObject({ status: 'True', message: expect.stringContaining(keyOf('east')) })
  await conflict(west, 'shop/odd', 'PortConflict')
  await event(west, 'odd', 'PortConflict')
  await west.apply(serviceObject('shop/odd', 8080))
  await conflict(east, 'shop/odd', 'NoConflicts')
  const { lastTransitionTime } = await conflict(west, 'shop/odd', 'NoConflicts')
  expect(Date.parse(lastTransitionTime)).toBeGreaterThanOrEqual(Date.parse(told.lastTransitionTime))
  await event(east, 'odd', 'NoConflicts')
})

test('a Service that comes later, and one that goes first', async () => {
  await east.apply(namespaceObject('shop'), exportObject('shop/late'))
  await exported(east, 'shop/late', 'NotExported')
  expect(await west.importOf('shop/late')).toBeUndefined()
  await east.apply(serviceObject('shop/late'))
  await imports(west, 'shop/late', ['east'])
  await east.remove(SERVICES, ref('shop/late'))
  await importsNot(west, 'shop/late')
  await exported(east, 'shop/late', 'NotExported')
})

test('a namesake Service without an export contributes nothing', async () => {
  await east.apply(...offer('shop/alone'))
  await imports(west, 'shop/alone', ['east'])
  await north.apply(namespaceObject('shop'), serviceObject('shop/alone'))
  await aWhile()
  expect(givers(await west.importOf('shop/alone'))).toEqual([keyOf('east')])
})

test('a namespace that an import needs is made, labelled, and stays', async () => {
  await east.apply(...offer('fresh/api'))
  await imports(west, 'fresh/api', ['east'])
  const made = await west.get(NAMESPACES, { name: 'fresh' })
  expect(made?.metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'portolan' })
  await east.remove(SERVICE_EXPORTS, ref('fresh/api'))
  await importsNot(west, 'fresh/api')
  expect(await west.get(NAMESPACES, { name: 'fresh' })).toBeDefined()
})

describe('edits by hand', () => {
  test.each([
    ['another address', [{ op: 'replace', path: '/spec/ports/0/endpoints/0/target/host', value: 'evil.example' }]],
    ['one more port', [{ op: 'add', path: '/spec/ports/-', value: { port: 81, protocol: 'TCP' } }]],
    ['a protocol of its own', [{ op: 'add', path: '/spec/ports/0/appProtocol', value: 'tcp' }]],
    ['no ports', [{ op: 'replace', path: '/spec/ports', value: [] }]],
  ])('are put right: %s', async (_, body) => {
    await east.apply(...offer('shop/edit'))
    const { spec } = await imports(west, 'shop/edit', ['east'])
    await west.client.patch(SERVICE_IMPORTS, ref('shop/edit'), { type: 'json', body })
    await until('it is as it was', async () => {
      const now = await west.importOf('shop/edit')
      return JSON.stringify(now?.spec) === JSON.stringify(spec)
    })
  })

  test('are left alone where the hub has no say: addresses, labels, annotations', async () => {
    const body = { metadata: { labels: { mine: 'x' } }, spec: { ips: ['240.240.0.9'] } }
    await west.client.patch(SERVICE_IMPORTS, ref('shop/edit'), { type: 'merge', body })
    await aWhile()
    const now = await west.importOf('shop/edit')
    expect(now?.spec.ips).toEqual(['240.240.0.9'])
    expect(now?.metadata.labels).toMatchObject({ mine: 'x' })
  })

  test('deleting an import, or who the member is, is put right', async () => {
    await west.remove(SERVICE_IMPORTS, ref('shop/edit'))
    await west.remove(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
    await imports(west, 'shop/edit', ['east'])
    await until('it knows its name again', () => west.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' }))
    await stage.hub.remove(SECRETS, { namespace: SYSTEM, name: 'portolan-member-west' })
    await until('it is remembered again', () =>
      stage.hub.get(SECRETS, { namespace: SYSTEM, name: 'portolan-member-west' }),
    )
  })
})

test('an import that somebody else made is left alone, and reported, until it is gone', async () => {
  const theirs = {
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'ServiceImport',
    metadata: { namespace: 'shop', name: 'mine', labels: { 'app.kubernetes.io/managed-by': 'portolan' } },
    spec: { ports: [{ port: 1234, protocol: 'TCP' }] },
  }
  await west.apply(namespaceObject('shop'), theirs)
  await east.apply(...offer('shop/mine'))
  await imports(north, 'shop/mine', ['east'])
  await until('its status says so', async () => {
    const object = await east.exportOf('shop/mine')
    const isExplained = conditionOf(object, 'Exported')?.message.includes('an import of its own')
    return isExplained && JSON.stringify(object?.status?.clusters) === JSON.stringify([{ cluster: keyOf('north') }])
  })
  await event(west, 'mine', 'ImportNotOurs')
  expect((await west.importOf('shop/mine'))?.spec.ports[0]?.port).toBe(1234)
  await west.remove(SERVICE_IMPORTS, ref('shop/mine'))
  await imports(west, 'shop/mine', ['east'])
  await exported(east, 'shop/mine', 'Exported')
})

test('a region is renamed: the member has a new key, and so have all endpoints', async () => {
  await imports(west, 'shop/pay', ['east'])
  await stage.hub.apply(clusterObject('east', { region: 'eu' }))
  const key = keyOf('east', 'eu')
  await until('endpoints follow', async () => givers(await west.importOf('shop/pay'))[0] === key)
  await until('the member knows', async () => {
    const told = await east.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
    return told?.data?.['clusterKey'] === key
  })
  await west.apply(...offer('shop/moved', { spec: { targetClusters: [keyOf('east'), keyOf('north')] } }))
  await until('an export that names the former one is told', async () =>
    conditionOf(await west.exportOf('shop/moved'), 'Exported')?.message.includes(`Write ${key} in its place`),
  )
  await event(west, 'moved', 'ClusterKeyChanged')
  await stage.hub.apply(clusterObject('east', { region: 'default' }))
  await imports(west, 'shop/pay', ['east'])
  await imports(east, 'shop/moved', ['west'])
  await until('and no longer than it is wrong', async () => {
    const { message } = conditionOf(await west.exportOf('shop/moved'), 'Exported') ?? {}
    return message?.includes('in its place') === false
  })
  await west.remove(SERVICE_EXPORTS, ref('shop/moved'))
})

test('a path changes: callers are told when its gateway has had time to serve it', async () => {
  const at = (path: string) => ({ rules: [{ portNumber: 8080, path }] })
  const told = async () => (await west.importOf('shop/path'))?.spec.ports[0]?.endpoints?.[0]?.target.path
  await east.apply(...offer('shop/path', { spec: at('/shop/old') }))
  await until('callers use it', async () => (await told()) === '/shop/old')
  await east.apply(...offer('shop/later'), exportObject('shop/path', at('/shop/new')))
  const later = await imports(west, 'shop/later', ['east'])
  await until('they use the new one', async () => (await told()) === '/shop/new')
  // What was asked for at the same time was written before.
  const written = (object: KubeObject | undefined) => Number(object?.metadata.resourceVersion)
  expect(written(await west.importOf('shop/path'))).toBeGreaterThan(written(later))
  for (const service of ['shop/path', 'shop/later']) await east.remove(SERVICE_EXPORTS, ref(service))
  await importsNot(west, 'shop/later')
})

test('a gateway moves: endpoints follow', async () => {
  await stage.hub.apply(clusterObject('east', { gatewayHost: '10.1.2.3', gatewayPort: 8443 }))
  await until('they do', async () => {
    const { target } = (await west.importOf('shop/pay'))?.spec.ports[0]?.endpoints?.[0] ?? {}
    return target?.ip === '10.1.2.3' && target.port === 8443
  })
  await stage.hub.apply(clusterObject('east'))
})

test('a second Cluster for the same API server takes no part', async () => {
  await stage.hub.apply(secretOf('again', await east.kubeconfig()), clusterObject('again'))
  const cluster = await managed(stage, 'again', 'DuplicateCluster')
  expect(conditionOf(cluster, 'Managed')).toMatchObject({ status: 'False', message: expect.stringContaining('east') })
  expect(cluster.status).toMatchObject({ exports: 0, imports: 0 })
  expect(givers(await west.importOf('shop/pay'))).toEqual([keyOf('east')])
  await stage.hub.remove(CLUSTERS, { name: 'again' })
  await aWhile()
  expect(givers(await west.importOf('shop/pay'))).toEqual([keyOf('east')])
  expect(await stage.hub.get(SECRETS, { namespace: SYSTEM, name: 'portolan-member-again' })).toBeUndefined()
})

test('what another hub has is left alone, until that lets go of it', async () => {
  const ref = { namespace: SYSTEM, name: 'portolan-cluster' }
  const claim = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ref,
    data: { clusterKey: 'a/b/c/other', hub: 'other' },
  }
  await stage.hub.remove(CLUSTERS, { name: 'north' })
  await until('north is free', async () => (await north.get(CONFIGMAPS, ref)) === undefined)
  await until('north is forgotten', async () => {
    return (await stage.hub.get(SECRETS, { namespace: SYSTEM, name: 'portolan-member-north' })) === undefined
  })
  await north.apply(claim, ...offer('shop/theirs'))
  await enlist(stage, north)
  const cluster = await managed(stage, 'north', 'ManagedElsewhere')
  expect(conditionOf(cluster, 'Managed')).toMatchObject({ status: 'False', message: expect.stringContaining(ref.name) })
  expect(cluster.status).toMatchObject({ exports: 0, imports: 0 })
  await aWhile()
  expect((await north.get(CONFIGMAPS, ref))?.data).toEqual(claim.data)
  expect(await north.list(SERVICE_IMPORTS)).toEqual([])
  await importsNot(west, 'shop/theirs')

  await stage.hub.remove(CLUSTERS, { name: 'north' })
  await aWhile()
  expect((await north.get(CONFIGMAPS, ref))?.data).toEqual(claim.data)

  await enlist(stage, north)
  await north.remove(CONFIGMAPS, ref)
  await managed(stage, 'north', 'Connected')
  await imports(west, 'shop/theirs', ['north'])
  await north.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'theirs' })
  await importsNot(west, 'shop/theirs')
})

test('a cluster leaves: nothing of it is left anywhere, nor anything of the hub in it', async () => {
  await east.apply(...offer('shop/gone'))
  await west.apply(...offer('shop/stays'))
  await imports(west, 'shop/gone', ['east'])
  await imports(east, 'shop/stays', ['west'])
  await stage.hub.remove(CLUSTERS, { name: 'east' })
  await stage.hub.remove(SECRETS, { namespace: SYSTEM, name: 'portolan-kubeconfig-east' })
  for (const site of [west, north])
    await until(`${site.name} has no endpoint of it`, async () =>
      (await site.list(SERVICE_IMPORTS)).every((each) => !givers(each).includes(keyOf('east'))),
    )
  await until('it is empty', async () => (await east.list(SERVICE_IMPORTS)).length === 0)
  await until(
    'nobody says who it is',
    async () => (await east.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })) === undefined,
  )
  await until('the hub has taken back its words', async () =>
    (await east.list(SERVICE_EXPORTS)).every(({ status = {} }) => !status.clusters && !status.conditions?.length),
  )
  await until(
    'it is forgotten',
    async () => (await stage.hub.get(SECRETS, { namespace: SYSTEM, name: 'portolan-member-east' })) === undefined,
  )
  await event(stage.hub, 'east', 'ClusterLeft')
  await importsNot(west, 'shop/gone')
  expect((await exported(west, 'shop/stays', 'Exported')).status?.clusters).toEqual([{ cluster: keyOf('north') }])

  await enlist(stage, east)
  await imports(west, 'shop/gone', ['east'])
  await imports(east, 'shop/stays', ['west'])
})
