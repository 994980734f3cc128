/** Exports of the standard and Services shared by annotation, as a hub and its members have them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../api/meta.ts'
import {
  CLUSTERS,
  CONFIGMAPS,
  ENDPOINT_SLICES,
  MCS_EXPORTS,
  NAMESPACES,
  SECRETS,
  SERVICE_EXPORTS,
  SERVICE_IMPORTS,
  SERVICES,
} from '../../api/resources.ts'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
import { settles, until } from '../lab/run.ts'
import {
  clusterOf,
  conditionOf,
  enlist,
  event,
  exportObject,
  imports,
  importsNot,
  keyOf,
  managed,
  namespaceObject,
  type Replica,
  type Site,
  type Stage,
  startStage,
  warningsOf,
} from './hub.ts'
import {
  backendsIn,
  copies,
  copiesOf,
  counts,
  endpoints,
  installStandard,
  offerStandard,
  plainService,
  says,
  standardExport,
  standardOf,
} from './hub-standard.ts'

interface Rule {
  readonly apiGroups: readonly string[]
}

const GLOBAL = { 'service.cilium.io/global': 'true' }

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
  for (const site of stage.members) await enlist(stage, site)
  for (const { name } of stage.members) await managed(stage, name, 'Connected')
})
afterAll(() => stage?.stop())

const ref = (service: string) => {
  const [namespace = '', name = ''] = service.split('/')
  return { namespace, name }
}

test('kinds that are not installed are no trouble, and count as soon as they are', async () => {
  expect(warningsOf(replica)).toEqual([])
  await Promise.all(stage.members.map(installStandard))
  await west.apply(namespaceObject('shop'))
  await east.apply(...offerStandard('shop/cart', { ready: ['10.1.0.1', '10.1.0.2'], unready: ['10.1.0.3'] }))
  const imported = await counts(west, 'shop/cart', { east: 2 })
  expect(imported.spec).toMatchObject({ type: 'ClusterSetIP', doors: ['MCS'], standard: { clusters: ['east'] } })
})

test('an export of the standard: the exporter has it too, and both have the slices', async () => {
  const own = await until('east has its own', () => east.importOf('shop/cart'))
  expect(own.spec).toMatchObject({ standard: { clusters: ['east'] }, ports: [{ port: 80, endpoints: [] }] })
  const all = { east: ['10.1.0.1', '10.1.0.2', '10.1.0.3'] }
  await copies(east, 'shop/cart', all)
  const [slice] = await copies(west, 'shop/cart', all)
  expect(slice).toMatchObject({
    addressType: 'IPv4',
    metadata: {
      labels: {
        'app.kubernetes.io/managed-by': 'portolan',
        'endpointslice.kubernetes.io/managed-by': 'federation.flomesh.io',
        'multicluster.kubernetes.io/service-name': 'cart',
        'multicluster.kubernetes.io/source-cluster': 'east',
      },
    },
    ports: [{ name: 'http', port: 8080 }],
  })
  expect(slice?.endpoints.map(({ conditions }) => conditions?.ready)).toEqual([true, true, false])
  // What a slice says of nodes is about another cluster's.
  expect(JSON.stringify(slice)).not.toContain('node-1')

  const said = await says(east, 'shop/cart', 'Ready', 'Exported')
  expect(conditionOf(said, 'Ready')).toMatchObject({ status: 'True', message: expect.stringContaining(keyOf('west')) })
  expect(conditionOf(said, 'Conflict')).toMatchObject({ status: 'False', reason: 'NoConflicts' })
  // The compiler's, and there is none here.
  expect(conditionOf(said, 'Valid')).toBeUndefined()
})

test('it is imported where its namespace is, also when that comes later, and makes none', async () => {
  expect(await north.get(NAMESPACES, { name: 'shop' })).toBeUndefined()
  expect(await north.importOf('shop/cart')).toBeUndefined()
  await north.apply(namespaceObject('shop'))
  await counts(north, 'shop/cart', { east: 2 })
  await copies(north, 'shop/cart', { east: ['10.1.0.1', '10.1.0.2', '10.1.0.3'] })
  await until('east says so', async () =>
    conditionOf(await standardOf(east, 'shop/cart'), 'Ready')?.message.includes(keyOf('north')),
  )
})

test('pods that become ready, or are on their way out, are counted and told', async () => {
  await east.apply(endpoints('shop/cart', { ready: ['10.1.0.3'], terminating: ['10.1.0.1'] }))
  await counts(north, 'shop/cart', { east: 1 })
  await copies(north, 'shop/cart', { east: ['10.1.0.3', '10.1.0.1'] })
  await east.apply(endpoints('shop/cart', { unready: ['10.1.0.3'] }))
  await counts(north, 'shop/cart', { east: 0 })
  await east.apply(endpoints('shop/cart', { ready: ['10.1.0.3', '10.1.0.4'] }))
  await counts(north, 'shop/cart', { east: 2 })
})

test('a slice that somebody spoils or deletes is put right', async () => {
  const expected = { east: ['10.1.0.3', '10.1.0.4'] }
  const [slice] = await copies(west, 'shop/cart', expected)
  const at = ref(`shop/${slice?.metadata.name}`)
  await west.remove(ENDPOINT_SLICES, at)
  await copies(west, 'shop/cart', expected)
  await west.client.patch(ENDPOINT_SLICES, at, { type: 'merge', body: { endpoints: [{ addresses: ['10.9.9.9'] }] } })
  await copies(west, 'shop/cart', expected)
})

test('exporters that differ are all told of everything in which they do, until they agree', async () => {
  const spec = { exportedLabels: { tier: 'gold' } }
  await west.apply(...offerStandard('shop/cart', { ready: ['10.2.0.1'] }, { port: 8443, name: 'tls' }, spec))
  for (const site of [east, west]) {
    const said = await says(site, 'shop/cart', 'Conflict', 'PortConflict,LabelsConflict')
    expect(conditionOf(said, 'Conflict')).toMatchObject({
      status: 'True',
      message: expect.stringContaining(keyOf('east')),
    })
  }
  await event(west, 'cart', 'PortConflict')
  const found = await until('north has both ports', async () => {
    const imported = await north.importOf('shop/cart')
    return imported?.spec.ports.length === 2 ? imported : undefined
  })
  expect(found.spec).toMatchObject({
    standard: { clusters: ['east', 'west'] },
    ports: [
      { port: 80, endpoints: [{ clusterKey: keyOf('east') }] },
      { port: 8443, endpoints: [{ clusterKey: keyOf('west') }] },
    ],
  })
  await west.apply(plainService('shop/cart'), standardExport('shop/cart'))
  await west.client.patch(MCS_EXPORTS, ref('shop/cart'), { type: 'merge', body: { spec: null } })
  for (const site of [east, west]) await says(site, 'shop/cart', 'Conflict', 'NoConflicts')
  await counts(north, 'shop/cart', { east: 2, west: 1 })
  await counts(east, 'shop/cart', { west: 1 })
  await copies(east, 'shop/cart', { east: ['10.1.0.3', '10.1.0.4'], west: ['10.2.0.1'] })
})

test('a Service that goes before its export is withdrawn, and there again when it comes back', async () => {
  await east.remove(SERVICES, ref('shop/cart'))
  await counts(north, 'shop/cart', { west: 1 })
  await copies(north, 'shop/cart', { west: ['10.2.0.1'] })
  const said = await says(east, 'shop/cart', 'Ready', 'Failed')
  expect(conditionOf(said, 'Ready')?.status).toBe('False')
  expect(conditionOf(said, 'Conflict')).toBeUndefined()
  await east.apply(plainService('shop/cart'))
  await counts(north, 'shop/cart', { east: 2, west: 1 })
  await says(east, 'shop/cart', 'Ready', 'Exported')
})

test('once all is written, nothing is written any more', async () => {
  const versions = async () =>
    JSON.stringify(
      await Promise.all(
        stage.members.flatMap((site) =>
          [SERVICE_IMPORTS, MCS_EXPORTS, ENDPOINT_SLICES, CONFIGMAPS].map(async (resource) =>
            (await site.list(resource)).map(({ metadata }) => metadata.resourceVersion),
          ),
        ),
      ),
    )
  const settled = () => settles('what is written', versions, { quiet: 1_500 })
  const before = await settled()
  await replica.stop()
  replica = await stage.start()
  await until('it leads', replica.leads)
  expect(await settled()).toBe(before)
})

test('a cluster that is lost keeps its part, over a restart of the hub as well; one that has left does not', async () => {
  await west.api.kill()
  await managed(stage, 'west', 'Unreachable')
  await replica.stop()
  replica = await stage.start()
  await until('it leads', replica.leads)
  await east.apply(endpoints('shop/cart', { ready: ['10.1.0.9'] }))
  await counts(north, 'shop/cart', { east: 1, west: 1 })
  await copies(north, 'shop/cart', { east: ['10.1.0.9'], west: ['10.2.0.1'] })
  await stage.hub.remove(CLUSTERS, { name: 'west' })
  await counts(north, 'shop/cart', { east: 1 })
  await copies(north, 'shop/cart', { east: ['10.1.0.9'] })
  await west.api.start()
  await until('nothing of the hub is left in west', async () => (await west.importOf('shop/cart')) === undefined)
  await copies(west, 'shop/cart', {})
  await until('its export is said nothing of', async () => {
    const said = (await standardOf(west, 'shop/cart'))?.status?.conditions ?? []
    return said.length === 0
  })
  await enlist(stage, west)
  await counts(north, 'shop/cart', { east: 1, west: 1 })
})

test('a service through all doors is one service, and nobody notices when one of them closes', async () => {
  await east.apply(exportObject('shop/cart'), plainService('shop/cart', {}, GLOBAL))
  const found = await until('north sees the doors', async () => {
    const imported = await north.importOf('shop/cart')
    return imported?.spec.doors?.length === 3 ? imported : undefined
  })
  expect(found.spec.doors).toEqual(['ServiceExport', 'MCS', 'GlobalService'])
  expect(backendsIn(found)).toEqual({ east: 1, west: 1 })
  await until(
    'both exports say so',
    async () =>
      conditionOf(await east.exportOf('shop/cart'), 'Exported')?.status === 'True' &&
      conditionOf(await standardOf(east, 'shop/cart'), 'Ready')?.status === 'True',
  )
  const { uid } = (await north.importOf('shop/cart'))?.metadata ?? {}
  await east.remove(SERVICE_EXPORTS, ref('shop/cart'))
  await east.apply(plainService('shop/cart'))
  await until('the standard is left', async () => {
    const { doors } = (await north.importOf('shop/cart'))?.spec ?? {}
    return JSON.stringify(doors) === '["MCS"]'
  })
  expect((await north.importOf('shop/cart'))?.metadata.uid).toBe(uid)
})

test('the last export goes, and all that was made of it', async () => {
  for (const site of [east, west]) await site.remove(MCS_EXPORTS, ref('shop/cart'))
  for (const site of stage.members) {
    await importsNot(site, 'shop/cart')
    await copies(site, 'shop/cart', {})
  }
  const memory = async () => {
    const secret = await stage.hub.get(SECRETS, { namespace: SYSTEM, name: 'portolan-member-east' })
    return secret?.data?.['exports.json.gz']
  }
  expect(await memory()).toBeDefined()
})

describe('a hub that is stopped after each write', () => {
  /** While none runs, `change` is made; then one after another runs up to its first write. Returns how many wrote. */
  async function inSteps(change: () => Promise<unknown>): Promise<number> {
    await replica.stop()
    await change()
    for (let steps = 0; ; steps += 1) {
      const wrote = Promise.withResolvers<boolean>()
      const each = await stage.start({
        onLog: ({ msg, action }) => {
          // Counts and times of Clusters change by themselves.
          if (String(msg).startsWith('written') && !(msg === 'written at the hub' && action === 'applyStatus'))
            wrote.resolve(true)
        },
      })
      void until('it leads', each.leads).then(() => setTimeout(() => wrote.resolve(false), 6_000))
      const isDone = !(await wrote.promise)
      if (isDone) {
        replica = each
        return steps
      }
      await each.stop()
    }
  }

  test('comes to the same end', async () => {
    await Promise.all(stage.members.map((site) => site.apply(namespaceObject('steps'))))
    const steps = await inSteps(async () => {
      await east.apply(...offerStandard('steps/api', { ready: ['10.1.0.1'] }), plainService('steps/api', {}, GLOBAL))
      await west.apply(...offerStandard('steps/api', { ready: ['10.2.0.1'] }, {}, { exportedLabels: { tier: 'gold' } }))
    })
    expect(steps).toBeGreaterThan(2)
    await counts(north, 'steps/api', { east: 1, west: 1 })
    await counts(east, 'steps/api', { west: 1 })
    for (const site of stage.members) await copies(site, 'steps/api', { east: ['10.1.0.1'], west: ['10.2.0.1'] })
    for (const site of [east, west]) {
      await says(site, 'steps/api', 'Conflict', 'LabelsConflict')
      await says(site, 'steps/api', 'Ready', 'Exported')
    }
  })

  test('leaves nothing', async () => {
    const steps = await inSteps(async () => {
      for (const site of [east, west]) await site.remove(MCS_EXPORTS, ref('steps/api'))
      await east.apply(plainService('steps/api'))
    })
    expect(steps).toBeGreaterThan(0)
    for (const site of stage.members) {
      await importsNot(site, 'steps/api')
      await copies(site, 'steps/api', {})
    }
  })
})

test('a member of an older release goes on as before, and takes part in the standard once it is upgraded', async () => {
  await replica.stop()
  const role = {
    kind: 'ClusterRole',
    group: 'rbac.authorization.k8s.io',
    version: 'v1',
    plural: 'clusterroles',
  } as const
  const ROLES = { ...role, namespaced: false }
  const now = await east.get<KubeObject & { readonly rules: readonly Rule[] }>(ROLES, { name: 'portolan-member' })
  const rules = now?.rules.filter(({ apiGroups: [group = ''] }) => !/multicluster|discovery/.test(group))
  const setRules = (value: unknown) =>
    east.client.patch(ROLES, { name: 'portolan-member' }, { type: 'merge', body: { rules: value } })
  await setRules(rules)
  replica = await stage.start()
  await west.apply(...offerStandard('shop/new', { ready: ['10.2.0.1'] }))
  await east.apply(
    ...offerStandard('shop/old', { ready: ['10.1.0.1'] }),
    exportObject('shop/plain'),
    plainService('shop/plain'),
  )
  await imports(west, 'shop/plain', ['east'])
  await counts(east, 'shop/new', { west: 1 })
  expect(await west.importOf('shop/old')).toBeUndefined()
  expect(await copiesOf(east, 'shop/new')).toEqual([])
  await managed(stage, 'east', 'Connected')
  await setRules(now?.rules)
  await counts(west, 'shop/old', { east: 1 })
  await copies(east, 'shop/new', { west: ['10.2.0.1'] })
  for (const service of ['shop/new', 'shop/old'])
    for (const site of [east, west])
      if ((await standardOf(site, service)) !== undefined) await site.remove(MCS_EXPORTS, ref(service))
})

test('what a member exports by a definition that serves v1alpha1 alone is imported, and told nothing', async () => {
  const older = { ...MCS_EXPORTS, version: 'v1alpha1' }
  const serve = (value: boolean) =>
    kubectl(north.api, [
      ...['patch', 'crd', 'serviceexports.multicluster.x-k8s.io', '--type=json', '-p'],
      JSON.stringify([{ op: 'replace', path: '/spec/versions/1/served', value }]),
    ])
  await serve(false)
  await west.apply(namespaceObject('aged'))
  await north.apply(
    namespaceObject('aged'),
    plainService('aged/clock'),
    endpoints('aged/clock', { ready: ['10.3.0.1'] }),
  )
  const exported = { ...standardExport('aged/clock'), apiVersion: 'multicluster.x-k8s.io/v1alpha1' }
  await kubectl(north.api, ['apply', '-f', '-'], JSON.stringify(exported))
  await counts(west, 'aged/clock', { north: 1 })
  await counts(north, 'aged/clock', {})
  expect((await north.get(older, ref('aged/clock')))?.status).toBeUndefined()
  await north.remove(older, ref('aged/clock'))
  await importsNot(west, 'aged/clock')
  await serve(true)
})

describe('by annotation', () => {
  const share = (site: Site, more: Readonly<Record<string, string>> = {}, ...addresses: readonly string[]) =>
    site.apply(
      namespaceObject('galaxy'),
      plainService('galaxy/base', {}, { ...GLOBAL, ...more }),
      endpoints('galaxy/base', { ready: addresses }),
    )
  const identityOf = async (site: Site) => {
    const told = await site.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
    return told?.data?.['globalServices']
  }

  const decided = (site: Site, decision: string) =>
    until(`the Cluster of ${site.name} says ${decision}`, async () => {
      const { status } = (await clusterOf(stage, site.name)) ?? {}
      return status?.globalServices === decision
    })

  test('a Service is shared between those that have it, where both say so', async () => {
    await share(east, {}, '10.1.0.1', '10.1.0.2')
    await west.apply(namespaceObject('galaxy'), plainService('galaxy/base'))
    await west.apply(endpoints('galaxy/base', { ready: ['10.2.0.1'] }))
    expect(await settles('no import', () => west.importOf('galaxy/base'), { quiet: 700 })).toBeUndefined()
    await share(west, {}, '10.2.0.1')
    const imported = await counts(west, 'galaxy/base', { east: 2 })
    expect(imported.spec.doors).toEqual(['GlobalService'])
    await counts(east, 'galaxy/base', { west: 1 })
    expect(await north.importOf('galaxy/base')).toBeUndefined()
    // Of these there are no slices for others: that is the standard's.
    await copies(west, 'galaxy/base', {})
  })

  test('who does not share calls the others all the same', async () => {
    await share(west, { 'service.cilium.io/shared': 'false' }, '10.2.0.1')
    await counts(east, 'galaxy/base', {})
    await counts(west, 'galaxy/base', { east: 2 })
    await share(west, { 'service.cilium.io/shared': 'true' }, '10.2.0.1')
    await counts(east, 'galaxy/base', { west: 1 })
  })

  test('not in a cluster where that is off, because its owner says so or Cilium does it itself', async () => {
    expect(await identityOf(west)).toBe('true')
    await enlist(stage, west, { spec: { globalServices: 'Disabled' } })
    await counts(east, 'galaxy/base', {})
    await importsNot(west, 'galaxy/base')
    await until('west is told', async () => (await identityOf(west)) === 'false')
    await decided(west, 'NotShared')
    await enlist(stage, west, { spec: { globalServices: 'Auto' } })
    await counts(east, 'galaxy/base', { west: 1 })
    await west.apply(plainService('kube-system/clustermesh-apiserver'))
    await counts(east, 'galaxy/base', {})
    await until('west is told', async () => (await identityOf(west)) === 'false')
    await decided(west, 'LeftToClusterMesh')
    await enlist(stage, west, { spec: { globalServices: 'Enabled' } })
    await counts(east, 'galaxy/base', { west: 1 })
    await decided(west, 'Shared')
    await until('west is told', async () => (await identityOf(west)) === 'true')
  })

  test('a namesake by our own export is imported by all', async () => {
    await east.apply(exportObject('galaxy/base'))
    await imports(north, 'galaxy/base', ['east'])
    expect((await north.importOf('galaxy/base'))?.spec.doors).toEqual(['ServiceExport', 'GlobalService'])
  })
})
