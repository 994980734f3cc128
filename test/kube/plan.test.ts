/** The controller's decisions, without a cluster. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { GlobalTrafficPolicy } from '../../api/global-traffic-policy.ts'
import type { KubeObject } from '../../api/meta.ts'
import { FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import { describeAction } from '../../compiler/controller/carry-out.ts'
import { createRenderer, desire } from '../../compiler/controller/desired.ts'
import { mountsIn, staleNudges } from '../../compiler/controller/nudge.ts'
import { takenNames } from '../../compiler/controller/objects.ts'
import { hashesOf, type Observed, type ObservedTable, observeTable } from '../../compiler/controller/observed.ts'
import { type Action, type Desired, plan } from '../../compiler/controller/plan.ts'
import type { MeshPod } from '../../compiler/controller/pods.ts'
import { fullBucket, takeToken } from '../../compiler/controller/tokens.ts'
import { gatewayFiles, newcomers, sidecarFiles } from '../../compiler/files.ts'
import { OBJECT_KINDS, type WantedObject } from '../../compiler/objects.ts'
import type { GatewayTable, ObjectStatus } from '../../compiler/tables.ts'
import { keyOf } from '../../kube/object.ts'
import { withWrites } from '../../kube/written.ts'

const NOW = '2026-01-01T00:00:00Z'
const LATER = '2026-01-01T00:01:00Z'

const NOTHING: Observed = {
  tables: new Map(),
  imports: new Map(),
  exports: new Map(),
  mcsExports: new Map(),
  policies: new Map(),
  objects: {},
  terminating: new Set(),
}

/** The cluster after the actions, as the API server would keep it. */
function carriedOut(observed: Observed, desired: Desired, now: string): Observed {
  const tables = new Map(observed.tables)
  const policies = new Map(observed.policies)
  for (const action of plan(desired, observed, now)) {
    if (action.do === 'removeTable') tables.delete(`${action.namespace}/${action.name}`)
    if (action.do === 'applyTable') {
      const { namespace, name, data } = action.table
      const fieldsV1 = { 'f:data': Object.fromEntries(Object.keys(data).map((key) => [`f:${key}`, {}])) }
      const managedFields = [{ manager: FIELD_MANAGER.compiler, operation: 'Apply', time: now, fieldsV1 }]
      const metadata = { namespace, name, uid: 'u', labels: MANAGED_BY, managedFields }
      tables.set(`${namespace}/${name}`, observeTable({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }))
    }
    if (action.do === 'applyStatus') {
      const key = `${action.namespace}/${action.name}`
      const object = policies.get(key)
      if (object !== undefined)
        policies.set(key, { ...object, status: action.status as GlobalTrafficPolicy['status'] & object })
    }
  }
  return { ...observed, tables, policies }
}

const policy = (name: string): GlobalTrafficPolicy => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'GlobalTrafficPolicy',
  metadata: { namespace: 'shop', name, uid: 'u' },
  spec: {},
})

const status = (name: string, value: 'True' | 'False', reason: string): ObjectStatus => ({
  object: { kind: 'GlobalTrafficPolicy', namespace: 'shop', name },
  generation: 1,
  conditions: [{ type: 'Accepted', status: value, reason, message: '', observedGeneration: 1 }],
  extra: { targets: [] },
})

describe('whole objects', () => {
  const wanted = (kind: WantedObject['kind'], name: string, over: Partial<WantedObject> = {}): WantedObject => ({
    kind,
    ...(kind === 'ClusterProperty' ? {} : { namespace: 'shop' }),
    name,
    fields: { spec: { a: 1 } },
    ...over,
  })
  /** As the API server keeps what `manager` has applied. */
  const kept = (object: WantedObject, manager: string = FIELD_MANAGER.compiler, metadata: object = {}) => {
    const { namespace, name, fields } = object
    const label = { 'f:app.kubernetes.io/managed-by': {} }
    const fieldsV1 = { 'f:metadata': { 'f:labels': label }, 'f:spec': { 'f:a': {} } }
    const managedFields = [{ manager, operation: 'Apply', fieldsV1 }]
    const place = namespace === undefined ? {} : { namespace }
    const all = { ...place, name, uid: `uid-${name}`, generation: 3, labels: MANAGED_BY, managedFields, ...metadata }
    return { apiVersion: 'v1', kind: object.kind, metadata: all, ...fields } as KubeObject
  }
  const there = (...objects: readonly KubeObject[]): Observed['objects'] =>
    Object.fromEntries(
      OBJECT_KINDS.map((kind) => [
        kind,
        new Map(objects.filter((each) => each.kind === kind).map((each) => [keyOf(each.metadata), each])),
      ]),
    )
  const planned = (objects: readonly WantedObject[], observed: Partial<Observed>) =>
    plan({ tables: [], kept: new Set(), addresses: [], statuses: [], objects }, { ...NOTHING, ...observed }, NOW)
  const said = (action: Action) => `${action.do} ${describeAction(action).kind} ${describeAction(action).object}`

  test('what names lead to comes before names, and goes after them', () => {
    const all = OBJECT_KINDS.map((kind) => wanted(kind, 'new'))
    const old = OBJECT_KINDS.map((kind) => kept(wanted(kind, 'old')))
    const dns = { namespace: 'system', name: 'portolan-dns', data: {}, hashes: {} }
    const routes = { namespace: 'shop', name: 'portolan-routes', data: {}, hashes: {} }
    const desired = { tables: [dns, routes], kept: new Set<string>(), addresses: [], statuses: [], objects: all }
    const actions = plan(desired, { ...NOTHING, objects: there(...old) }, NOW).map(said)
    expect(actions).toEqual([
      'applyTable ConfigMap shop/portolan-routes',
      'applyObject Service shop/new',
      'applyObject EndpointSlice shop/new',
      'applyTable ConfigMap system/portolan-dns',
      'applyObject ServiceImport shop/new',
      'applyObject ClusterProperty new',
      'removeObject ServiceImport shop/old',
      'removeObject ClusterProperty old',
      'removeObject Service shop/old',
      'removeObject EndpointSlice shop/old',
    ])
  })

  const service = wanted('Service', 'a')
  const status = { conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: '' }] } as const
  test.each<[string, readonly WantedObject[], Partial<Observed>, readonly string[]]>([
    ['is there as it should be', [service], { objects: there(kept(service)) }, []],
    [
      'has other fields',
      [{ ...service, fields: { spec: { a: 2 } } }],
      { objects: there(kept(service)) },
      ['applyObject Service shop/a'],
    ],
    [
      'has lost its label',
      [service],
      { objects: there(kept(service, undefined, { labels: {} })) },
      ['applyObject Service shop/a'],
    ],
    ['is somebody else’s', [service], { objects: there(kept(service, 'kubectl')) }, []],
    ['is somebody else’s, and not wanted', [], { objects: there(kept(service, 'kubectl')) }, []],
    [
      'is ours, without the label, and not wanted',
      [],
      { objects: there(kept(service, undefined, { labels: {} })) },
      [],
    ],
    [
      'is on its way out',
      [service],
      { objects: there(kept(service, undefined, { deletionTimestamp: NOW, labels: {} })) },
      [],
    ],
    [
      'is on its way out, and not wanted',
      [],
      { objects: there(kept(service, undefined, { deletionTimestamp: NOW })) },
      [],
    ],
    ['is of a kind that is missing', [service], { objects: {} }, []],
    ['is of a namespace that is being deleted', [service], { objects: there(), terminating: new Set(['shop']) }, []],
    ['is left over in one', [], { objects: there(kept(service)), terminating: new Set(['shop']) }, []],
    [
      'has yet to say how it is',
      [{ ...service, status }],
      { objects: there(kept(service)) },
      ['applyStatus Service shop/a'],
    ],
    [
      'has to be mended first',
      [{ ...service, status, fields: {} }],
      { objects: there(kept(service)) },
      ['applyObject Service shop/a'],
    ],
  ])('one that %s', (_, objects, observed, expected) => {
    expect(planned(objects, observed).map(said)).toEqual(expected)
  })

  test('a status is of the generation that is there', () => {
    const [action] = planned([{ ...service, status }], { objects: there(kept(service)) })
    expect(action).toMatchObject({ status: { conditions: [{ observedGeneration: 3, lastTransitionTime: NOW }] } })
  })

  test('what is known to be ours is mended by its uid; what is new is not', () => {
    const [made] = planned([service], { objects: there() })
    const [mended] = planned([{ ...service, fields: {} }], { objects: there(kept(service)) })
    expect([made, mended]).toMatchObject([{ do: 'applyObject' }, { do: 'applyObject', uid: 'uid-a' }])
    expect(made).not.toHaveProperty('uid')
  })

  test('names that somebody else has are told, and those of ours or of nobody are not', () => {
    const all = ['ours', 'theirs', 'new'].map((name) => wanted('ServiceImport', name))
    const objects = there(...all.slice(0, 2).map((each, index) => kept(each, index === 1 ? 'kubectl' : undefined)))
    expect(takenNames(all, { objects })).toEqual([
      {
        issue: {
          code: 'ObjectTaken',
          object: { kind: 'ServiceImport', group: 'multicluster.x-k8s.io', namespace: 'shop', name: 'theirs' },
          path: '',
        },
        uid: 'uid-theirs',
      },
    ])
  })
})

describe('plan', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd')
  const data = fc.dictionary(fc.constantFrom('cds.json', 'table.json', 'bootstrap.json'), fc.string(), { minKeys: 1 })
  const desired = fc
    .record({
      tables: fc.uniqueArray(fc.record({ namespace: names, data }), { selector: ({ namespace }) => namespace }),
      kept: fc.array(names),
      statuses: fc.uniqueArray(fc.record({ name: names, value: fc.constantFrom('True', 'False'), reason: names }), {
        selector: ({ name }) => name,
      }),
    })
    .map(
      ({ tables, kept, statuses }): Desired => ({
        tables: tables.map((table) => ({ ...table, name: 'portolan-routes', hashes: hashesOf(table.data) })),
        kept: new Set(kept.map((namespace) => `${namespace}/portolan-routes`)),
        addresses: [],
        objects: [],
        statuses: statuses.map(({ name, value, reason }) => status(name, value as 'True', reason)),
      }),
    )
  const start = { ...NOTHING, policies: new Map(['a', 'b', 'c'].map((name) => [`shop/${name}`, policy(name)])) }

  test('once carried out, there is nothing left to do, at any later time', () => {
    fc.assert(
      fc.property(fc.array(desired, { minLength: 1, maxLength: 4 }), (steps) => {
        let observed: Observed = start
        for (const [i, step] of steps.entries()) {
          observed = carriedOut(observed, step, `2026-01-01T00:00:0${i}Z`)
          expect(plan(step, observed, LATER)).toEqual([])
        }
      }),
    )
  })

  test('what is kept is neither written nor removed; what left the mesh goes; another’s ConfigMap stays', () => {
    const table = (namespace: string, labels = {}): [string, ObservedTable] => [
      `${namespace}/portolan-routes`,
      observeTable({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace, name: 'portolan-routes', uid: namespace, labels },
        data: {},
      }),
    ]
    const observed = {
      ...NOTHING,
      tables: new Map([
        table('kept', MANAGED_BY),
        table('left', MANAGED_BY),
        table('theirs'),
        table('dying', MANAGED_BY),
      ]),
      terminating: new Set(['dying', 'born-dying']),
    }
    const wanted = { namespace: 'born-dying', name: 'portolan-routes', data: { a: '' }, hashes: hashesOf({ a: '' }) }
    const actions = plan(
      { tables: [wanted], kept: new Set(['kept/portolan-routes']), addresses: [], objects: [], statuses: [] },
      observed,
      NOW,
    )
    expect(actions).toEqual([{ do: 'removeTable', namespace: 'left', name: 'portolan-routes', uid: 'left' }])
  })

  test('a condition keeps its time with its status, not with its reason; one no longer wanted is given up', () => {
    const wants = (value: 'True' | 'False', reason: string): Desired => ({
      ...EMPTY,
      statuses: [status('a', value, reason)],
    })
    const EMPTY = { tables: [], kept: new Set<string>(), addresses: [], objects: [] }
    let observed: Observed = carriedOut(start, wants('True', 'Accepted'), NOW)
    const time = () => observed.policies.get('shop/a')?.status?.conditions?.[0]?.lastTransitionTime
    observed = carriedOut(observed, wants('True', 'Other'), LATER)
    expect(time()).toBe(NOW)
    observed = carriedOut(observed, wants('False', 'Other'), LATER)
    expect(time()).toBe(LATER)

    const owned = { 'f:status': { 'f:conditions': { 'k:{"type":"Programmed"}': {}, 'k:{"type":"Accepted"}': {} } } }
    const managedFields = [
      { manager: FIELD_MANAGER.compiler, operation: 'Apply', subresource: 'status', fieldsV1: owned },
    ]
    const object = observed.policies.get('shop/a') ?? policy('a')
    const old = { ...object, metadata: { ...object.metadata, managedFields } }
    const actions = plan(wants('False', 'Other'), { ...observed, policies: new Map([['shop/a', old]]) }, LATER)
    expect(actions.map((action) => action.do)).toEqual(['applyStatus'])
  })
})

describe('the gateway’s files', () => {
  const place = { namespace: 'system', clusterKey: 'a/b/c/d' }
  const table = (...services: readonly string[]): GatewayTable => ({
    version: services.join('-') || 'none',
    tcp: [],
    routes: services.map((service) => ({
      service: `shop/${service}`,
      port: 80,
      path: `/${service}`,
      pathType: 'Prefix',
      endpoints: [{ host: '10.0.0.1', port: 80 }],
      http2: false,
      balancing: 'RoundRobin',
    })),
  })
  const seen = (data: Readonly<Record<string, string>>): Observed => ({
    ...NOTHING,
    tables: new Map([
      [
        'system/portolan-gateway',
        observeTable({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { namespace: 'system', name: 'portolan-gateway', labels: MANAGED_BY },
          data,
        }),
      ],
    ]),
  })
  const wanted = (gateway: GatewayTable, observed: Observed, recentGateways: readonly GatewayTable[] = []) =>
    desire({
      tables: {
        cluster: { key: place.clusterKey, domain: 'cluster.local' },
        sidecars: [],
        gateway,
        dns: [],
        objects: [],
        clusterset: [],
        vips: [],
        statuses: [],
        issues: [],
      },
      observed,
      place,
      renderer: createRenderer(place),
      recentGateways,
      readersOf: newcomers,
      judge: () => undefined,
    }).desired.tables.find(({ name }) => name === 'portolan-gateway')
  const clusters = (data: Readonly<Record<string, string>> | undefined) =>
    (JSON.parse(data?.['cds.json'] ?? '') as { resources: { name: string }[] }).resources.map(
      ({ name }) => /\/(\w)\b/.exec(name)?.[1],
    )

  test('a removed cluster outlives its route until the next change, through restarts, and through changes in a row', () => {
    const first = gatewayFiles(table('a', 'b'), undefined, place).files
    const second = wanted(table('b'), seen(first))
    expect(clusters(second?.data)).toEqual(['a', 'b'])
    // Restarted, with nothing in memory: no write, though a fresh rendering would have one cluster less.
    expect(wanted(table('b'), seen(second?.data ?? {}))).toBeUndefined()
    // A gateway that has not read the second yet still routes to a.
    const third = wanted(table('c'), seen(second?.data ?? {}), [table('a', 'b'), table('b')])
    expect(clusters(third?.data)).toEqual(['a', 'b', 'c'])
    expect(clusters(wanted(table('c', 'd'), seen(third?.data ?? {}))?.data)).toEqual(['c', 'd'])
  })

  test('what was removed is let go when it does not fit beside what stays', () => {
    const path = `/a${'a'.repeat(400_000)}`
    const many = Array.from({ length: 3 }, (_, i) => ({
      version: `${i}`,
      tcp: [],
      routes: table('a').routes.map((route) => ({ ...route, path: `${path}${i}` })),
    }))
    expect(clusters(wanted(table('b'), NOTHING, many)?.data)).toEqual(['b'])
  })

  test('files edited by hand are put right', () => {
    const good = gatewayFiles(table('a'), undefined, place).files
    expect(wanted(table('a'), seen(good))).toBeUndefined()
    for (const key of Object.keys(good))
      expect(wanted(table('a'), seen({ ...good, [key]: 'rubbish' }))?.data).toEqual(good)
  })
})

test('what the renderer remembers is what rendering anew gives', () => {
  const routes = [{ service: 'shop/a', vip: '240.240.0.1', port: 80, policy: 'Locality' as const, backends: [] }]
  const tables = ['one', 'two', 'one'].map((namespace) => ({
    namespace,
    version: 'v1',
    tcpRange: '240.240.128.0/17',
    routes,
  }))
  const renderer = createRenderer({ namespace: 'system', clusterKey: 'a/b/c/d' })
  for (const table of tables) {
    const { hashes, ...set } = renderer.sidecar(table)
    expect(set).toEqual(sidecarFiles(table, 'a/b/c/d'))
    expect(hashes).toEqual(hashesOf(set.files))
  }
})

describe('nudges', () => {
  const pod = (
    name: string,
    created: string,
    more: { told?: string; labels?: Record<string, string>; ns?: string; over?: boolean } = {},
  ): MeshPod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: more.ns ?? 'shop',
      name,
      uid: name,
      creationTimestamp: created,
      ...(more.labels === undefined ? {} : { labels: more.labels }),
      ...(more.told === undefined ? {} : { annotations: { 'flomesh.io/routes-version': more.told } }),
    },
    spec: { containers: [], ...(more.ns === undefined ? { initContainers: [{ name: 'portolan-proxy' }] } : {}) },
    phase: more.over ? 'Succeeded' : 'Running',
    ready: true,
  })
  const mounts = mountsIn(
    new Map([
      ['shop/portolan-routes', { version: 'v2', changedAt: '2026-01-01T00:00:10Z' }],
      ['system/portolan-dns', { version: 'd1', changedAt: '2026-01-01T00:00:10Z' }],
    ]),
    { namespace: 'system', gateway: 'gateway', egress: 'egress', dns: 'dns' },
  )

  test('the newest first; none for pods that were told, that started with it, that are over, that mount nothing', () => {
    const pods = [
      pod('old', '2026-01-01T00:00:01Z'),
      pod('older-but-told-before', '2026-01-01T00:00:00Z', { told: 'v1' }),
      pod('told', '2026-01-01T00:00:02Z', { told: 'v2' }),
      pod('new', '2026-01-01T00:00:09Z'),
      pod('just-after', '2026-01-01T00:00:12Z'),
      pod('started-with-it', '2026-01-01T00:00:13Z'),
      pod('over', '2026-01-01T00:00:01Z', { over: true }),
      pod('dns', '2026-01-01T00:00:03Z', { ns: 'system', labels: { 'app.kubernetes.io/component': 'dns' } }),
      pod('stranger', '2026-01-01T00:00:03Z', { ns: 'elsewhere', labels: { 'app.kubernetes.io/component': 'dns' } }),
      pod('no-table', '2026-01-01T00:00:03Z', { ns: 'system', labels: { 'app.kubernetes.io/component': 'gateway' } }),
    ]
    expect(staleNudges(pods, mounts, () => 0).map(({ name, version }) => `${name} ${version}`)).toEqual([
      'just-after v2',
      'new v2',
      'dns d1',
      'old v2',
      'older-but-told-before v2',
    ])
  })

  test.each([
    ['told, and asked a while', 'v2', 7, undefined],
    ['told, and still not there', 'v2', 8, 'v2.2'],
    ['told twice, and asked a while', 'v2.2', 9, undefined],
    ['told twice, and still not there', 'v2.2', 10, 'v2.3'],
    ['told often enough', 'v2.4', 99, undefined],
    ['a newer version', 'v1.4', 0, 'v2'],
    ['thought to have started with it', undefined, 8, 'v2'],
  ] as const)('%s: annotation %s after %d tries becomes %s', (_, told, tries, becomes) => {
    const one = pod('p', '2026-01-01T00:00:20Z', told === undefined ? {} : { told })
    expect(staleNudges([one], mounts, () => tries)[0]?.version).toBe(becomes)
  })

  test('the bucket lets its burst through at once and never more than its rate in the long run', () => {
    const gaps = fc.array(fc.nat(500), { minLength: 1, maxLength: 100 })
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 50 }), (waits, perSecond, burst) => {
        let now = 0
        let bucket = fullBucket(perSecond, burst, now)
        const taken = waits.map((gap) => {
          now += gap
          const step = takeToken(bucket, now)
          if (step.waitMs > 0) return false
          bucket = step.bucket
          return true
        })
        expect(taken.filter(Boolean).length).toBeLessThanOrEqual(burst + (now * perSecond) / 1_000)
      }),
    )
  })
})

test('own writes stand in front of an informer that is behind, and nowhere else', () => {
  const object = (resourceVersion: string, uid = 'u') => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', uid, resourceVersion },
  })
  const shown = (reached: string | undefined, seen: ReturnType<typeof object> | undefined) => {
    const store = new Map(seen === undefined ? [] : [['x', seen]])
    const written = withWrites({ store: () => store, reached: () => reached })
    written.remember(object('10'))
    return written.store().get('x')?.metadata.resourceVersion
  }
  expect(shown(undefined, undefined)).toBe('10')
  expect(shown('9', undefined)).toBe('10')
  expect(shown('9', object('9'))).toBe('10')
  expect(shown('10', object('10'))).toBe('10')
  expect(shown('11', object('11'))).toBe('11')
  expect(shown('12', object('12', 'recreated'))).toBe('12')
  // Deleted before anybody looked.
  expect(shown('11', undefined)).toBeUndefined()
})
