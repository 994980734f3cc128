/** The hub's decisions, without a cluster. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Cluster } from '../../api/cluster.ts'
import type { EndpointSlice, Namespace } from '../../api/core.ts'
import { applyDefaults } from '../../api/defaults.ts'
import { type Code, formatProblem } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { McsExport } from '../../api/mcs.ts'
import { API_VERSION, FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import type { ConfigMap } from '../../api/resources.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import { perObject } from '../../compiler/memo.ts'
import type { ObjectStatus } from '../../compiler/tables.ts'
import type { Action } from '../../federation/controller/action.ts'
import { clusterStatus } from '../../federation/controller/cluster-status.ts'
import { type Declared, declaredOf } from '../../federation/controller/declared.ts'
import type { Desired } from '../../federation/controller/desired.ts'
import { exportedStatus, type Held } from '../../federation/controller/exported.ts'
import { withKept } from '../../federation/controller/kept.ts'
import { decodeMemory, encodeMemory, type Memory, memoryName } from '../../federation/controller/memory.ts'
import { giversOf, type Observed, observeImport } from '../../federation/controller/observed.ts'
import { type ObservedSlice, observeCopy } from '../../federation/controller/observed-slices.ts'
import { createPlanner, plan } from '../../federation/controller/plan.ts'
import { isElsewhere } from '../../federation/controller/plan-member.ts'
import { type Reach, readyStatus } from '../../federation/controller/ready.ts'
import { troubleOf } from '../../federation/controller/reason.ts'
import { newsOf } from '../../federation/controller/tell.ts'
import { twinsOf } from '../../federation/controller/twins.ts'
import { type View, viewOf } from '../../federation/controller/view.ts'
import { globalServicesDecision } from '../../federation/global-services.ts'
import type { ExportVerdict } from '../../federation/merge-service.ts'
import { type SliceContent, type WantedSlice, wantedSlices } from '../../federation/slices.ts'
import { fromAnswer, fromException } from '../../kube/failure.ts'
import * as build from '../compiler/build.ts'

const NOW = '2026-01-01T00:00:00Z'
const LATER = '2026-01-01T00:01:00Z'
const SYSTEM = 'portolan-system'
const key = build.clusterKey

/** What a member really holds. */
interface World {
  readonly imports: ReadonlyMap<string, ServiceImport>
  readonly exports: ReadonlyMap<string, ServiceExport>
  readonly namespaces: ReadonlySet<string>
  readonly slices?: ReadonlyMap<string, EndpointSlice>
  readonly identity?: { readonly clusterKey: string; readonly ours: boolean; readonly hub?: string }
  readonly trust?: { readonly data: Readonly<Record<string, string>>; readonly ours: boolean }
}

const EMPTY: World = { imports: new Map(), exports: new Map(), namespaces: new Set([SYSTEM]) }

const managed = (ours: boolean) =>
  ours
    ? { labels: MANAGED_BY, managedFields: [{ manager: FIELD_MANAGER.federation, operation: 'Apply', time: NOW }] }
    : { managedFields: [{ manager: 'kubectl', operation: 'Update', time: NOW }] }

const importObject = (service: string, givers: readonly string[], ours = true, port = 80): ServiceImport => {
  const [namespace = '', name = ''] = service.split('/')
  const endpoints = givers
    .toSorted()
    .map((each) => ({ clusterKey: key(each), target: { host: `${each}.example`, port: 80 } }))
  return applyDefaults({
    apiVersion: API_VERSION,
    kind: 'ServiceImport',
    metadata: { namespace, name, uid: `uid of ${service}`, ...managed(ours) },
    spec: { type: 'ClusterSetIP', ports: [{ port, protocol: 'TCP', endpoints }] },
  })
}

const importSeen = perObject(observeImport)

const observe = ({ imports, exports, namespaces, identity, trust, slices = new Map() }: World): Observed => ({
  exports,
  mcsExports: new Map(),
  awaitsSlices: false,
  copies: new Map([...slices].map(([at, object]) => [at, observeCopy(object)])),
  services: new Map(),
  imports: new Map([...imports].map(([at, object]) => [at, importSeen(object)])),
  namespaces: new Map([...namespaces].map((name) => [name, { metadata: { name } } as Namespace])),
  identity:
    identity &&
    ({
      metadata: { namespace: SYSTEM, name: 'portolan-cluster', uid: 'i', ...managed(identity.ours) },
      data: { clusterKey: identity.clusterKey, hub: identity.hub, globalServices: 'false' },
    } as unknown as ConfigMap),
  vouching: { state: 'none' },
  trust: {
    readable: true,
    object:
      trust &&
      ({
        metadata: { namespace: SYSTEM, name: 'portolan-trust', uid: 't', ...managed(trust.ours) },
        data: trust.data,
      } as unknown as ConfigMap),
  },
})

/** The member after an action, as its API server would keep it. */
function after(world: World, action: Action): World {
  switch (action.do) {
    case 'applyIdentity':
      return {
        ...world,
        identity: { clusterKey: action.data['clusterKey'] ?? '', ours: true, hub: action.data['hub'] ?? '' },
      }
    case 'removeIdentity': {
      const { identity: _, ...rest } = world
      return rest
    }
    case 'applyTrust':
      return { ...world, trust: { data: action.data, ours: true } }
    case 'removeTrust': {
      const { trust: _, ...rest } = world
      return rest
    }
    case 'createNamespace':
      return { ...world, namespaces: new Set([...world.namespaces, action.name]) }
    case 'applyImport': {
      const { namespace, name, wanted, keep } = action.import
      const at = `${namespace}/${name}`
      if (!world.namespaces.has(namespace)) throw new Error(`no namespace for ${at}`)
      const there = world.imports.get(at) ?? importObject(at, [])
      const spec = keep.length === 0 && wanted !== undefined ? wanted.spec : withKept(wanted, there, keep)
      return { ...world, imports: new Map([...world.imports, [at, { ...there, spec }]]) }
    }
    case 'removeImport':
      return {
        ...world,
        imports: new Map([...world.imports].filter(([at]) => at !== `${action.namespace}/${action.name}`)),
      }
    case 'applySlice': {
      const { namespace, name, content } = action.slice
      const written = sliceObject(action.slice, content)
      return { ...world, slices: new Map([...(world.slices ?? []), [`${namespace}/${name}`, written]]) }
    }
    case 'removeSlice':
      return {
        ...world,
        slices: new Map([...(world.slices ?? [])].filter(([at]) => at !== `${action.namespace}/${action.name}`)),
      }
    case 'applyStatus': {
      const at = `${action.namespace}/${action.name}`
      const object = world.exports.get(at)
      if (object === undefined) return world
      const { conditions = [] } = action.status as { conditions?: readonly { readonly type: string }[] }
      const fieldsV1 = {
        'f:status': {
          ...Object.fromEntries(Object.keys(action.status).map((field) => [`f:${field}`, {}])),
          'f:conditions': Object.fromEntries(conditions.map(({ type }) => [`k:{"type":"${type}"}`, {}])),
        },
      }
      const managedFields =
        Object.keys(action.status).length === 0
          ? []
          : [{ manager: FIELD_MANAGER.federation, operation: 'Apply', subresource: 'status', fieldsV1 }]
      const changed = { ...object, metadata: { ...object.metadata, managedFields }, status: action.status }
      return { ...world, exports: new Map([...world.exports, [at, changed as ServiceExport]]) }
    }
  }
}

const planned = (desired: Desired, world: World, now = NOW) => plan(desired, observe(world), () => undefined, now)
const carriedOut = (desired: Desired, world: World): World => planned(desired, world).actions.reduce(after, world)

/** Whether its namespace is there. */
const isPossible = (action: Action, { namespaces }: World): boolean =>
  action.do !== 'applyImport' || namespaces.has(action.import.namespace)

const HUB = 'uid of the hub'
const NO_TRUST = { bundles: {}, clusters: {}, held: {}, awaited: {} }

const NOTHING: Desired = {
  namespace: SYSTEM,
  hub: HUB,
  globalServices: false,
  imports: [],
  slices: [],
  statuses: [],
  createNamespaces: true,
  unheard: new Set(),
}

const status = (service: string, value: 'True' | 'False'): ObjectStatus => {
  const [namespace = '', name = ''] = service.split('/')
  return {
    object: { kind: 'ServiceExport', namespace, name },
    generation: 1,
    conditions: [{ type: 'Exported', status: value, reason: 'Exported', message: '', observedGeneration: 1 }],
    extra: { clusters: [{ cluster: key('east') }] },
  }
}

const CONTENT: SliceContent = { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [] }

const copy = (at: string, cluster: string): WantedSlice => {
  const [namespace = '', name = ''] = at.split('/')
  const slices = { [`${namespace}/a`]: [{ name: 'a-x', content: CONTENT }] }
  const imported = { ...importObject(`${namespace}/a`, []), spec: { standard: { clusters: [cluster] }, ports: [] } }
  return { ...(wantedSlices([imported], () => slices)[0] as WantedSlice), name }
}

const sliceObject = ({ namespace, name, labels }: WantedSlice, content: SliceContent, ours = true): EndpointSlice => {
  const { labels: _, ...meta } = managed(ours) as { readonly labels?: unknown }
  const metadata = { namespace, name, uid: name, ...meta, labels }
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, ...content } as EndpointSlice
}

const exportObject = (service: string): ServiceExport => {
  const [namespace = '', name = ''] = service.split('/')
  const metadata = { namespace, name, uid: service, generation: 1 }
  return { apiVersion: API_VERSION, kind: 'ServiceExport', metadata, spec: {} }
}

describe('plan', () => {
  const services = fc.constantFrom('shop/a', 'shop/b', 'pay/a', 'pay/b')
  const some = fc.subarray(['east', 'north', 'west'])
  const anyImport = fc
    .record({ service: services, givers: some, ours: fc.boolean(), port: fc.constantFrom(80, 81) })
    .map(({ service, givers, ours, port }) => importObject(service, givers, ours, port))
  const byKey = <T extends { readonly metadata: { readonly namespace?: string; readonly name: string } }>(
    all: readonly T[],
  ) => new Map(all.map((object) => [`${object.metadata.namespace}/${object.metadata.name}`, object]))
  const worlds: fc.Arbitrary<World> = fc
    .record({
      imports: fc.array(anyImport, { maxLength: 4 }),
      exports: fc.uniqueArray(services, { maxLength: 3 }),
      more: fc.subarray(['shop', 'pay']),
      identity: fc.option(fc.record({ clusterKey: fc.constantFrom(key('me'), key('you')), ours: fc.boolean() }), {
        nil: undefined,
      }),
    })
    .map(({ imports, exports, more, identity }) => ({
      imports: byKey(imports),
      exports: byKey(exports.map(exportObject)),
      namespaces: new Set([SYSTEM, ...more, ...imports.map(({ metadata }) => metadata.namespace ?? '')]),
      ...(identity === undefined ? {} : { identity }),
    }))
  const desires: fc.Arbitrary<Desired> = fc
    .record({
      imports: fc.uniqueArray(anyImport, { selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}` }),
      statuses: fc.uniqueArray(
        fc.record({ service: services, value: fc.constantFrom('True' as const, 'False' as const) }),
        {
          selector: ({ service }) => service,
        },
      ),
      createNamespaces: fc.boolean(),
      unheard: some,
    })
    .map(({ imports, statuses, createNamespaces, unheard }) => ({
      namespace: SYSTEM,
      hub: HUB,
      globalServices: false,
      slices: [],
      clusterKey: key('me'),
      trust: NO_TRUST,
      imports: imports.filter((each) => giversOf(each).length > 0),
      statuses: statuses.map((each) => status(each.service, each.value)),
      createNamespaces,
      unheard: new Set(unheard.map(key)),
    }))

  test('once carried out, there is nothing left to do, at any later time', () => {
    fc.assert(
      fc.property(worlds, fc.array(desires, { minLength: 1, maxLength: 3 }), (start, steps) => {
        let world = start
        for (const step of steps) {
          world = carriedOut(step, world)
          const rest = planned(step, world, LATER).actions
          // What is kept beside what is wanted is only told from a difference by what was accepted for it.
          expect(rest.filter((action) => action.do !== 'applyImport' || action.import.keep.length === 0)).toEqual([])
        }
      }),
    )
  })

  test('planned bit by bit it is the same as planned from nothing', () => {
    const step = fc.record({ desired: desires, other: fc.option(worlds, { nil: undefined }), done: fc.nat() })
    fc.assert(
      fc.property(worlds, fc.array(step, { minLength: 2, maxLength: 6 }), (start, steps) => {
        const planner = createPlanner()
        let world = start
        let before: Desired = NOTHING
        for (const { desired, other, done } of steps) {
          // Often little else is wanted than the last time, so that there is something to be left alone.
          const { unheard } = desired
          before = [desired, { ...before, unheard }, before, NOTHING][done % 4] as Desired
          world = { ...world, ...(other === undefined ? {} : { exports: other.exports, namespaces: other.namespaces }) }
          const bitByBit = planner(before, observe(world), () => undefined, NOW)
          expect(bitByBit).toEqual(plan(before, observe(world), () => undefined, NOW))
          // Of what was planned some comes about, and some does not.
          const some = bitByBit.actions.filter((_, index) => (done >> (index % 8)) & 4)
          world = some.filter((action) => isPossible(action, world)).reduce(after, world)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('what others made is never touched, and reported when it is in the way', () => {
    fc.assert(
      fc.property(worlds, desires, (world, desired) => {
        const end = carriedOut(desired, world)
        for (const [at, object] of world.imports)
          if (object.metadata.labels === undefined) expect(end.imports.get(at)).toBe(object)
        const inTheWay = desired.imports.filter(({ metadata }) => {
          const there = world.imports.get(`${metadata.namespace}/${metadata.name}`)
          return there !== undefined && there.metadata.labels === undefined
        })
        const { issues } = planned(desired, world)
        expect(issues.filter(({ code }) => code === 'ImportNotOurs').length).toBe(inTheWay.length)
      }),
    )
  })

  test('endpoints that lead to a cluster of which nothing is known stay', () => {
    fc.assert(
      fc.property(worlds, desires, (world, desired) => {
        const end = carriedOut(desired, world)
        for (const [at, object] of world.imports) {
          const kept = giversOf(object).filter((giver) => desired.unheard.has(giver))
          expect(end.imports.has(at) ? giversOf(end.imports.get(at) as ServiceImport) : []).toEqual(
            expect.arrayContaining([...kept]),
          )
        }
      }),
    )
  })

  test('a member that has left holds nothing of the hub any more, whatever it held', () => {
    fc.assert(
      fc.property(worlds, desires, (start, before) => {
        const end = carriedOut(NOTHING, carriedOut(before, start))
        expect([...end.imports.values()].filter(({ metadata }) => metadata.labels !== undefined)).toEqual([])
        expect(end.identity?.ours ?? false).toBe(false)
        expect(end.trust).toBeUndefined()
        expect([...end.exports.values()].filter((each) => each.status?.clusters !== undefined)).toEqual([])
        expect(end.namespaces).toEqual(carriedOut(before, start).namespaces)
      }),
    )
  })

  test('nothing is put into a namespace that is on its way out, or that is missing and not to be made', () => {
    const desired = {
      ...NOTHING,
      clusterKey: key('me'),
      imports: [importObject('shop/a', ['east'])],
      createNamespaces: false,
    }
    const { actions, issues } = planned(desired, {
      ...EMPTY,
      identity: { clusterKey: key('me'), ours: true, hub: HUB },
    })
    expect(actions).toEqual([])
    expect(issues).toMatchObject([{ code: 'NamespaceMissing', params: { namespace: 'shop', services: 'shop/a' } }])

    const observed = observe({ ...EMPTY, identity: { clusterKey: key('me'), ours: true, hub: HUB } })
    const dying = { metadata: { name: 'shop', deletionTimestamp: NOW } } as Namespace
    const namespaces = new Map([...observed.namespaces, ['shop', dying] as const])
    expect(plan({ ...desired, createNamespaces: true }, { ...observed, namespaces }, () => undefined, NOW)).toEqual({
      actions: [],
      issues: [],
    })
  })

  test('the standard’s services are where their namespace is; none is made for them', () => {
    const standard = { ...importObject('shop/a', ['east']), spec: { doors: ['MCS' as const], ports: [] } }
    const known = { identity: { clusterKey: key('me'), ours: true, hub: HUB } }
    const desired = { ...NOTHING, clusterKey: key('me'), imports: [standard], slices: [copy('shop/a-east', 'east')] }
    expect(planned(desired, { ...EMPTY, ...known })).toEqual({ actions: [], issues: [] })
    const there = { ...EMPTY, ...known, namespaces: new Set([SYSTEM, 'shop']) }
    expect(planned(desired, there).actions.map((action) => action.do)).toEqual(['applyImport', 'applySlice'])
    const both = { ...standard, spec: { ...standard.spec, doors: ['ServiceExport' as const, 'MCS' as const] } }
    expect(planned({ ...desired, imports: [both] }, { ...EMPTY, ...known }).actions.map((action) => action.do)).toEqual(
      ['createNamespace', 'applyImport', 'applySlice'],
    )
  })

  test('slices come and go; those of a cluster of which nothing is known stay, and those of somebody else always', () => {
    const known = { identity: { clusterKey: key('me'), ours: true, hub: HUB }, namespaces: new Set([SYSTEM, 'shop']) }
    const [a, b] = [copy('shop/a-east', 'east'), copy('shop/a-west', 'west')]
    const desired = { ...NOTHING, clusterKey: key('me'), slices: [a, b] }
    const full = carriedOut(desired, { ...EMPTY, ...known })
    expect([...(full.slices ?? new Map()).keys()]).toEqual(['shop/a-east', 'shop/a-west'])
    expect(planned(desired, full).actions).toEqual([])
    const less = { ...desired, slices: [], unheard: new Set([key('west')]) }
    const silent = { ...importObject('shop/a', []), spec: { standard: { clusters: ['west'] }, ports: [] } }
    const imported = { ...full, imports: new Map([['shop/a', silent]]) }
    expect(carriedOut(less, imported).imports.has('shop/a')).toBe(true)
    expect(carriedOut({ ...less, unheard: new Set() }, imported).imports.has('shop/a')).toBe(false)
    expect([...(carriedOut(less, full).slices ?? new Map()).keys()]).toEqual(['shop/a-west'])
    expect(carriedOut(NOTHING, full).slices?.size).toBe(0)
    const { content } = b
    const taken = { ...full, slices: new Map([['shop/a-east', sliceObject(a, content, false)]]) }
    expect(planned({ ...desired, slices: [a] }, taken).actions).toEqual([])
    expect(planned(NOTHING, taken).actions.filter((action) => action.do === 'removeSlice')).toEqual([])
    const spoilt = { ...full, slices: new Map([['shop/a-east', sliceObject(a, { ...content, endpoints: [] })]]) }
    expect(planned({ ...desired, slices: [a] }, spoilt).actions).toMatchObject([{ do: 'applySlice' }])
  })

  test('where the hub may not see slices, it writes none', () => {
    const { copies: _, ...observed } = observe({ ...EMPTY, namespaces: new Set([SYSTEM, 'shop']) })
    const desired = { ...NOTHING, slices: [copy('shop/a-east', 'east')] }
    expect(plan(desired, observed, () => undefined, NOW).actions).toEqual([])
  })

  test('another spelling that the API server made of what was written is as good', () => {
    const wanted = importObject('shop/a', ['east'])
    const world = {
      ...EMPTY,
      namespaces: new Set([SYSTEM, 'shop']),
      identity: { clusterKey: key('me'), ours: true, hub: HUB },
      imports: new Map([['shop/a', importObject('shop/a', ['east'], true, 81)]]),
    }
    const desired = { ...NOTHING, clusterKey: key('me'), imports: [wanted] }
    const hash = observe(world).imports.get('shop/a')?.hash
    expect(planned(desired, world).actions.map((action) => action.do)).toEqual(['applyImport'])
    expect(plan(desired, observe(world), () => hash, NOW).actions).toEqual([])
  })

  test.each([
    ['nobody has said who it is', undefined, false],
    ['a hub of an older version did', { clusterKey: key('me'), ours: true }, false],
    ['this hub did', { clusterKey: key('you'), ours: true, hub: HUB }, false],
    ['another hub did', { clusterKey: key('me'), ours: true, hub: 'another' }, true],
  ])('whether a member is another hub’s: %s', (_, identity, is) => {
    expect(isElsewhere(observe({ ...EMPTY, ...(identity ? { identity } : {}) }), HUB)).toBe(is)
  })

  test('a status waits for the generation that it is about', () => {
    const desired = { ...NOTHING, clusterKey: key('me'), statuses: [status('shop/a', 'True')] }
    const newer = { ...exportObject('shop/a'), metadata: { ...exportObject('shop/a').metadata, generation: 2 } }
    const world = { ...EMPTY, identity: { clusterKey: key('me'), ours: true, hub: HUB } }
    expect(planned(desired, { ...world, exports: new Map([['shop/a', newer]]) }).actions).toEqual([])
    const exports = new Map([['shop/a', exportObject('shop/a')]])
    expect(planned(desired, { ...world, exports }).actions.map((action) => action.do)).toEqual(['applyStatus'])
  })
})

describe('what is said of an export', () => {
  const said = (importers: readonly string[], conflict?: string): ExportVerdict => ({
    cluster: 'east',
    clusterKey: key('east'),
    importers: importers.map(key),
    issues: [],
    status: {
      object: { kind: 'ServiceExport', namespace: 'shop', name: 'a' },
      generation: 1,
      conditions:
        conflict === undefined
          ? []
          : [
              {
                type: 'Conflict',
                status: conflict === 'NoConflicts' ? 'False' : 'True',
                reason: conflict,
                message: '',
              },
            ],
    },
  })
  const others = ['north', 'west'].map(key)

  test.each<[string, ExportVerdict, readonly Held[], readonly string[], string]>([
    [
      'all have it',
      said(['north', 'west'], 'NoConflicts'),
      [[key('east')], [key('east'), key('x')]],
      ['north', 'west'],
      'Exported',
    ],
    ['one has it not yet', said(['north', 'west'], 'NoConflicts'), [[key('east')], []], ['north'], 'Exporting'],
    ['one has its own', said(['north', 'west'], 'NoConflicts'), [[key('east')], 'foreign'], ['north'], 'Exporting'],
    ['one has it still', said(['north'], 'NoConflicts'), [[key('east')], [key('east')]], ['north', 'west'], 'Exported'],
    ['nobody is there', said([], 'NoConflicts'), [[], []], [], 'NoImporter'],
    ['others were first', said([], 'PortConflict'), [[], []], [], 'Outvoted'],
    ['nothing is served', said([]), [[], []], [], 'NotExported'],
    [
      'one cannot be seen and was not said to have it',
      said(['north', 'west'], 'NoConflicts'),
      [[key('east')], 'unknown'],
      ['north'],
      'Exporting',
    ],
  ])('%s', (_, verdict, held, clusters, reason) => {
    const { conditions, extra } = exportedStatus(verdict, others, (at) => held[others.indexOf(at)] ?? [], undefined)
    const exported = conditions.find(({ type }) => type === 'Exported')
    expect(exported).toMatchObject({ reason, status: reason === 'Exported' ? 'True' : 'False' })
    expect(extra).toMatchObject({ clusters: clusters.map((name) => ({ cluster: key(name) })) })
  })

  test('of one that cannot be seen now, what was said before stands', () => {
    const before = { clusters: [{ cluster: key('north') }, { cluster: key('west') }] }
    const seen = exportedStatus(said(['north', 'west'], 'NoConflicts'), others, () => [key('east')], before)
    const unseen = exportedStatus(said(['north', 'west'], 'NoConflicts'), others, () => 'unknown', before)
    expect(unseen).toEqual(seen)
  })

  type Said = Parameters<typeof newsOf>[0]
  const withMessage = (message: string) => ({
    conditions: [{ type: 'Exported', status: 'True' as const, reason: 'Exported', message, lastTransitionTime: NOW }],
  })
  const moved = (now: string): Issue<Code> => ({
    code: 'ClusterKeyChanged',
    object: { kind: 'ServiceExport', namespace: 'shop', name: 'a' },
    path: 'spec.targetClusters[0]',
    value: key('west'),
    params: { now },
  })

  test('news: conflicts that begin and end, importers that come and go; nothing else', () => {
    const made = (conflict: string, ...clusters: readonly string[]) => ({
      conditions: [
        {
          type: 'Conflict',
          status: conflict === 'NoConflicts' ? ('False' as const) : ('True' as const),
          reason: conflict,
          message: conflict,
          lastTransitionTime: NOW,
        },
      ],
      clusters: clusters.map((cluster) => ({ cluster })),
    })
    const news = (before: Said, now: NonNullable<Said>, ...remarks: readonly Issue<Code>[]) =>
      newsOf(before, now, remarks)
    const reasons = (...args: Parameters<typeof news>) => news(...args).map(({ reason }) => reason)
    expect(reasons(undefined, made('NoConflicts'))).toEqual([])
    expect(reasons(made('NoConflicts'), made('PortConflict'))).toEqual(['PortConflict'])
    expect(reasons(made('PortConflict'), made('PortConflict'))).toEqual([])
    expect(reasons(made('PortConflict'), made('NoConflicts'))).toEqual(['NoConflicts'])
    expect(news(made('NoConflicts', 'a'), made('NoConflicts', 'a', 'b'))).toMatchObject([{ note: 'now imported by b' }])
    expect(news(made('NoConflicts', 'a', 'b'), made('NoConflicts', 'a'))).toMatchObject([
      { type: 'Normal', reason: 'Exported', note: 'no longer imported by b' },
    ])
    expect(news(made('NoConflicts', 'a'), made('NoConflicts', 'b'))).toHaveLength(2)
    expect(reasons(withMessage(''), withMessage('anything'))).toEqual([])
  })

  test('news: what Exported says of the key of a cluster, or of room, once, as long as it says so', () => {
    const changed = moved('eu/a/b/west')
    const sentence = formatProblem(changed)
    expect(newsOf(withMessage('imported by x'), withMessage(`imported by x. ${sentence}`), [changed])).toEqual([
      { type: 'Warning', reason: 'ClusterKeyChanged', note: sentence },
    ])
    expect(newsOf(undefined, withMessage(sentence), [changed])).toHaveLength(1)
    expect(newsOf(withMessage(sentence), withMessage(`no importer. ${sentence}`), [changed])).toEqual([])
    expect(newsOf(withMessage(sentence), withMessage('imported by x'), [])).toEqual([])
    const again = moved('us/a/b/west')
    expect(newsOf(withMessage(sentence), withMessage(formatProblem(again)), [again])).toHaveLength(1)
    // It waits for another generation, or for the cluster to have the import.
    expect(newsOf(withMessage('imported by x'), withMessage('imported by x'), [changed])).toEqual([])
  })

  test('what is told beside who imports it: what its author can change, and nothing of conflicts', () => {
    const issues = [moved('eu/a/b/west'), { ...moved(''), code: 'PortConflict' as const }]
    const { remarks, conditions } = exportedStatus(
      { ...said(['north']), issues },
      others,
      () => [key('east')],
      undefined,
    )
    expect(remarks).toEqual(issues.slice(0, 1))
    expect(conditions.at(-1)?.message).toContain('Write eu/a/b/west in its place')
    expect(exportedStatus(said(['north']), others, () => [key('east')], undefined)).not.toHaveProperty('remarks')
  })
})

describe('what is said of a Cluster', () => {
  const cluster = (before: object = {}): Cluster => ({
    apiVersion: API_VERSION,
    kind: 'Cluster',
    metadata: { name: 'east', generation: 2 },
    spec: { gatewayHost: 'g', gatewayPort: 80 },
    status: before,
  })
  const connection = { server: 'https://east', credentials: async () => ({ headers: {}, tls: {} }) }
  const access = { ok: true as const, access: { text: '', connection, namespace: SYSTEM } }
  const asked = { asked: true, listed: true, version: 'v1.35.0' }
  const old = {
    type: 'Managed',
    status: 'True',
    reason: 'Connected',
    message: 'm',
    observedGeneration: 1,
    lastTransitionTime: NOW,
  }

  test('until the first answer, what was said before stands', () => {
    const known = { access, health: { asked: false, listed: false } }
    expect(clusterStatus(cluster(), known).conditions).toMatchObject([{ reason: 'Connecting', status: 'False' }])
    const { lastTransitionTime: _, ...kept } = old
    expect(clusterStatus(cluster({ conditions: [old], imports: 3, lastSeen: NOW }), known)).toEqual({
      conditions: [kept],
      extra: { imports: 3, lastSeen: NOW },
    })
  })

  test.each([
    [undefined, false, 'Shared'],
    ['Auto', false, 'Shared'],
    ['Auto', true, 'LeftToClusterMesh'],
    ['Enabled', true, 'Shared'],
    ['Disabled', false, 'NotShared'],
  ] as const)('what became of globalServices %s, with a cluster mesh of Cilium: %s', (setting, hasMesh, decided) => {
    expect(globalServicesDecision(setting, hasMesh)).toBe(decided)
    const said = (before: object, known: object) =>
      clusterStatus(cluster(before), { access, health: asked, ...known }).extra?.['globalServices']
    expect(said({}, { globalServices: decided })).toBe(decided)
    // While it cannot be seen nothing new is known.
    expect(said({ globalServices: decided }, {})).toBe(decided)
    expect(said({}, {})).toBeUndefined()
  })

  test('while all is well, lastSeen is kept to the minute; when it is not, exactly', () => {
    const lastSeen = (seen: string, health: object) =>
      clusterStatus(cluster({ lastSeen: NOW }), { access, health: { ...asked, ...health }, lastSeen: seen }).extra?.[
        'lastSeen'
      ]
    const trouble = { code: 'Unreachable', failure: { reason: 'Unreachable', message: 'no' } }
    expect(lastSeen('2026-01-01T00:00:50Z', {})).toBe(NOW)
    expect(lastSeen('2026-01-01T00:01:01Z', {})).toBe('2026-01-01T00:01:01Z')
    expect(lastSeen('2026-01-01T00:00:50Z', { trouble })).toBe('2026-01-01T00:00:50Z')
  })

  test('a twin counts more than being reached', () => {
    expect(clusterStatus(cluster(), { access, health: asked, twin: 'orient' }).conditions).toMatchObject([
      { reason: 'DuplicateCluster', message: expect.stringContaining('orient') },
    ])
    expect(clusterStatus(cluster(), { access, health: asked }).conditions).toMatchObject([
      { reason: 'Connected', status: 'True' },
    ])
  })

  test('nor is a member managed that another hub has', () => {
    const elsewhere = `${SYSTEM}/portolan-cluster`
    expect(clusterStatus(cluster(), { access, health: asked, elsewhere }).conditions).toMatchObject([
      { reason: 'ManagedElsewhere', status: 'False', message: expect.stringContaining(elsewhere) },
    ])
  })
})

test.each<[string, unknown, string | undefined]>([
  ['a certificate of another', Object.assign(new Error('x'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }), 'TLSError'],
  ['another name', Object.assign(new Error('x'), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }), 'TLSError'],
  ['wrapped', new Error('x', { cause: Object.assign(new Error('y'), { code: 'CERT_HAS_EXPIRED' }) }), 'TLSError'],
  ['refused', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 'Unreachable'],
  ['a timeout', new DOMException('x', 'TimeoutError'), 'Unreachable'],
])('trouble: %s', (_, cause, expected) => {
  expect(troubleOf(fromException('look', cause, false))).toBe(expected)
})

test.each<[number, string | undefined]>([
  [401, 'Unauthorized'],
  [403, 'Forbidden'],
  [404, 'NotInstalled'],
  [409, undefined],
  [422, undefined],
  [429, 'Unreachable'],
  [503, 'Unreachable'],
])('trouble: an answer of %d', (status, expected) => {
  expect(troubleOf(fromAnswer('look', status, ''))).toBe(expected)
})

test('of Clusters with the same API server the oldest counts, of the same second by name', () => {
  const cluster = (name: string, creationTimestamp: string): Cluster => ({
    apiVersion: API_VERSION,
    kind: 'Cluster',
    metadata: { name, creationTimestamp },
    spec: { gatewayHost: 'g', gatewayPort: 80 },
  })
  const all = [
    { cluster: cluster('b', NOW), apiServer: '1' },
    { cluster: cluster('c', NOW), apiServer: '1' },
    { cluster: cluster('a', LATER), apiServer: '1' },
    { cluster: cluster('d', NOW), apiServer: '2' },
    { cluster: cluster('e', LATER), apiServer: undefined },
    { cluster: cluster('f', LATER), apiServer: undefined },
  ]
  const twins = new Map([
    ['c', 'b'],
    ['a', 'b'],
  ])
  expect(twinsOf(all)).toEqual(twins)
  expect(twinsOf(all.toReversed())).toEqual(twins)
})

describe('memory', () => {
  const view = { exports: [build.serviceExport('shop/a', {})], services: [build.service('shop/a', {})] }
  const memory: Memory = {
    cluster: { name: 'east', uid: 'u', clusterKey: key('east'), namespace: SYSTEM, apiServer: 'k' },
    kubeconfig: 'apiVersion: v1',
    view,
  }

  test('comes back as it was, and the same makes the same bytes', () => {
    const data = encodeMemory(memory)
    expect(decodeMemory({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, data })).toEqual(memory)
    expect(encodeMemory(structuredClone(memory))).toEqual(data)
  })

  test('holds exports of the standard and endpoints as well, and one of an older release does without', () => {
    const standard: McsExport = {
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: { namespace: 'shop', name: 'a' },
    }
    const more: View = {
      ...view,
      mcsExports: [standard],
      clusterMesh: true,
      backends: { 'shop/a': { http: 2 } },
      slices: { 'shop/a': [{ name: 'a-x', content: CONTENT }] },
    }
    const decoded = (given: View) =>
      decodeMemory({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'x' },
        data: encodeMemory({ ...memory, view: given }),
      })?.view
    expect(decoded(more)).toEqual(more)
    expect(decoded({ ...view, mcsExports: 'none', backends: [], slices: 1 } as unknown as View)).toEqual(view)
  })

  test.each([['cluster.json'], ['exports.json.gz']])('spoilt in %s it is none', (at) => {
    const data = { ...encodeMemory(memory), [at]: 'bm90aGluZw==' }
    expect(decodeMemory({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' }, data })).toBeUndefined()
  })

  test('has a name that a Secret can have, and one for each cluster', () => {
    expect(memoryName('east')).toBe('portolan-member-east')
    const [a, b] = [memoryName(`${'a'.repeat(252)}b`), memoryName(`${'a'.repeat(252)}c`)]
    expect(a).not.toBe(b)
    expect(a.length).toBeLessThanOrEqual(253)
  })
})

test('what is declared is the same value for as long as nothing in it changes', () => {
  const exports = (...services: readonly string[]) => new Map(services.map((at) => [at, build.serviceExport(at, {})]))
  const services = new Map(['shop/a', 'shop/b', 'shop/c'].map((at) => [at, build.service(at, {})]))
  const first = declaredOf({ exports: exports('shop/a', 'shop/b'), services }, undefined)
  expect(first.services.map(({ metadata }) => metadata.name)).toEqual(['a', 'b'])
  expect(declaredOf({ exports: exports('shop/b', 'shop/a'), services }, first)).toBe(first)
  const second = declaredOf({ exports: exports('shop/a', 'shop/c'), services }, first)
  expect(second).not.toBe(first)
  expect(second.exports[0]).toBe(first.exports[0])
})

describe('a view', () => {
  const declared = (more: object = {}): Declared => ({
    exports: [build.serviceExport('shop/a', {})],
    services: [build.service('shop/a', {})],
    ...more,
  })
  const found = (name: string, ...addresses: readonly string[]): [string, ObservedSlice] => [
    `shop/${name}`,
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { namespace: 'shop', name },
      service: 'shop/a',
      content: {
        ...CONTENT,
        endpoints: addresses.map((address) => ({ addresses: [address] })),
        ports: [{ name: 'http' }],
      },
    },
  ]
  const asked = (...services: readonly string[]) => ({ backends: new Set(services), slices: new Set(services) })

  test('has endpoints of its own services that are asked for, and of no others', () => {
    const slices = new Map([found('a-x', '10.0.0.1', '10.0.0.2')])
    expect(viewOf(declared(), slices, asked(), undefined)).toEqual(declared())
    const view = viewOf(declared(), slices, asked('shop/a', 'shop/b'), undefined)
    expect(view.backends).toEqual({ 'shop/a': { http: 2 } })
    expect(view.slices?.['shop/a']?.map(({ name }) => name)).toEqual(['a-x'])
    expect(viewOf(declared(), new Map(), asked('shop/a'), undefined).backends).toEqual({ 'shop/a': {} })
  })

  test('is the same value for as long as nothing in it changes, and so is each part', () => {
    const now = declared()
    const before = viewOf(
      now,
      new Map([found('a-x', '10.0.0.1'), found('a-y', '10.0.0.2')]),
      asked('shop/a'),
      undefined,
    )
    const again = new Map([found('a-y', '10.0.0.2'), found('a-x', '10.0.0.1')])
    expect(viewOf(now, again, asked('shop/a'), before)).toBe(before)
    const moved = new Map([found('a-x', '10.0.0.9'), found('a-y', '10.0.0.2')])
    const after = viewOf(now, moved, asked('shop/a'), before)
    expect(after.backends).toBe(before.backends)
    expect(after.slices?.['shop/a']?.[0]).not.toBe(before.slices?.['shop/a']?.[0])
    expect(after.slices?.['shop/a']?.[1]).toBe(before.slices?.['shop/a']?.[1])
  })

  test('keeps what is known while it cannot be seen', () => {
    const now = declared()
    const before = viewOf(now, new Map([found('a-x', '10.0.0.1')]), asked('shop/a'), undefined)
    expect(viewOf(now, undefined, asked('shop/a'), before)).toBe(before)
    expect(viewOf(now, undefined, asked(), before)).toEqual(now)
    const standard = new Map([['shop/a', { ...build.serviceExport('shop/a', {}), kind: 'ServiceExport' } as McsExport]])
    const exports = new Map<string, ServiceExport>()
    const seen = declaredOf({ exports, services: new Map(), mcsExports: standard }, undefined)
    expect(seen.mcsExports).toHaveLength(1)
    expect(declaredOf({ exports, services: new Map() }, seen)).toBe(seen)
    expect(declaredOf({ exports, services: new Map(), mcsExports: new Map() }, seen).mcsExports).toBeUndefined()
  })
})

describe('Ready of an export of the standard', () => {
  const status = (...types: readonly string[]): ObjectStatus => ({
    object: { kind: 'ServiceExport', group: 'multicluster.x-k8s.io', namespace: 'shop', name: 'a' },
    generation: 1,
    conditions: types.map((type) => ({ type, status: 'False', reason: type, message: '', observedGeneration: 1 })),
  })
  const reach = (name: string, held: Held, hasNamespace = true): Reach => ({
    clusterKey: key(name),
    held,
    hasNamespace,
  })
  const mine = [key('east')]

  test.each<[string, readonly Reach[], string, string]>([
    ['one has it', [reach('west', mine), reach('north', [])], 'True', 'Exported'],
    ['nobody has it yet', [reach('west', [])], 'False', 'Pending'],
    ['nobody has the namespace', [reach('west', [], false)], 'True', 'Ready'],
    ['nobody is there', [], 'True', 'Ready'],
    ['another’s import is in the way', [reach('west', 'foreign')], 'False', 'Pending'],
  ])('%s', (_, all, value, reason) => {
    const { conditions } = readyStatus(status('Valid', 'Conflict'), key('east'), all, undefined)
    expect(conditions.map(({ type }) => type)).toEqual(['Conflict', 'Ready'])
    expect(conditions[1]).toMatchObject({ status: value, reason, observedGeneration: 1 })
  })

  test('nothing can be had of it', () => {
    const { conditions } = readyStatus(status('Valid'), key('east'), [reach('west', mine)], undefined)
    expect(conditions).toMatchObject([{ type: 'Ready', status: 'False', reason: 'Failed' }])
  })

  test('what was said stands while one of them cannot be seen', () => {
    const before = { type: 'Ready', status: 'True' as const, reason: 'Exported', message: 'm', observedGeneration: 1 }
    const conditions = [{ ...before, lastTransitionTime: NOW }]
    const all = [reach('west', 'unknown'), reach('north', [])]
    expect(readyStatus(status('Conflict'), key('east'), all, { conditions }).conditions[1]).toEqual(before)
    expect(readyStatus(status(), key('east'), all, { conditions }).conditions[0]?.reason).toBe('Failed')
    expect(readyStatus(status('Conflict'), key('east'), all, undefined).conditions[1]?.reason).toBe('Pending')
  })
})
