/**
 * What the hub's decisions cost when one export comes, by the size of the set: no API server, nothing but processor time.
 *
 *     node test/bench/passes.bench.ts
 *
 * The hub makes a pass for the Service, one for the export, and some more while imports and statuses come back to it; each
 * member plans whenever something about it changes. A decision that looks through the whole set shows as a ratio of ten.
 */
import type { Cluster } from '../../api/cluster.ts'
import type { Service } from '../../api/core.ts'
import { applyDefaults } from '../../api/defaults.ts'
import type { KubeObject } from '../../api/meta.ts'
import { API_VERSION, FIELD_MANAGER, MANAGED_BY } from '../../api/names.ts'
import type { ServiceExport } from '../../api/service-export.ts'
import type { ServiceImport } from '../../api/service-import.ts'
import type { Member as MemberObjects } from '../../federation/constituent.ts'
import type { Action } from '../../federation/controller/action.ts'
import { type Declared, declaredOf } from '../../federation/controller/declared.ts'
import type { Desired } from '../../federation/controller/desired.ts'
import { createHolders } from '../../federation/controller/holders.ts'
import { encodeMemory } from '../../federation/controller/memory.ts'
import {
  type Observed,
  type ObservedImport,
  observeExport,
  observeImport,
  observeNamespace,
  observeService,
} from '../../federation/controller/observed.ts'
import { createPlanner } from '../../federation/controller/plan.ts'
import { createStatuses } from '../../federation/controller/statuses.ts'
import { type View, viewOf } from '../../federation/controller/view.ts'
import { createMerging } from '../../federation/merging.ts'
import { sitesOf } from '../../federation/site.ts'

const CHANGES = 20
const NS = 'bench'
const NOW = '2026-01-01T00:00:00Z'
const PARTS = ['views', 'memories', 'merge', 'holders', 'statuses', 'plans'] as const
type Part = (typeof PARTS)[number]

const row = (...cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)
const nameOf = (index: number) => `cluster-${String(index).padStart(2, '0')}`
const keyOf = (index: number) => `default/default/default/${nameOf(index)}`

let versions = 0
const nextVersion = (): string => {
  versions += 1
  return `${versions}`
}
const metaOf = (name: string) => ({
  namespace: NS,
  name,
  uid: `uid-${nextVersion()}`,
  resourceVersion: nextVersion(),
  generation: 1,
  creationTimestamp: NOW,
})

const serviceOf = (name: string) =>
  observeService({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metaOf(name),
    spec: {
      type: 'ClusterIP',
      clusterIP: '10.0.0.1',
      ports: [{ name: 'http', port: 8080, protocol: 'TCP', targetPort: 8080 }],
    },
  } as Service)

const exportOf = (name: string, targetClusters: readonly string[]) =>
  observeExport(
    applyDefaults({
      apiVersion: API_VERSION,
      kind: 'ServiceExport',
      metadata: metaOf(name),
      spec: { targetClusters },
    } as ServiceExport),
  )

/** As an API server tells what the hub has applied. */
const appliedBy = (fieldsV1?: object) => [
  {
    manager: FIELD_MANAGER.federation,
    operation: 'Apply',
    time: NOW,
    ...(fieldsV1 ? { subresource: 'status', fieldsV1 } : {}),
  },
]

interface Place {
  readonly cluster: Cluster
  readonly plan: ReturnType<typeof createPlanner>
  exports: ReadonlyMap<string, ServiceExport>
  services: ReadonlyMap<string, Service>
  imports: ReadonlyMap<string, ObservedImport>
  made?: Pick<Observed, 'exports' | 'services' | 'mcsExports'>
  declared?: Declared
  view?: View
  objects?: MemberObjects
  desired?: Desired
}

const NAMESPACE = observeNamespace({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NS } })
const NONE = new Map<string, never>()
const NOTHING_ASKED = { backends: new Set<string>(), slices: new Set<string>() }

const observedIn = ({ exports, services, imports }: Place): Observed => ({
  exports,
  services,
  imports,
  namespaces: new Map([[NS, NAMESPACE]]),
  identity: undefined,
  vouching: { state: 'none' },
  trust: { readable: false },
  mcsExports: new Map(),
  awaitsSlices: false,
})

/** The member after a write, as its API server would tell it. */
function carryOut(place: Place, action: Action): void {
  if (action.do === 'applyImport') {
    const { name, wanted } = action.import
    const metadata = { ...metaOf(name), labels: MANAGED_BY, managedFields: appliedBy() }
    const object = observeImport({ ...(wanted as ServiceImport), metadata } as ServiceImport)
    place.imports = new Map(place.imports).set(`${NS}/${name}`, object)
  } else if (action.do === 'applyStatus') {
    const key = `${NS}/${action.name}`
    const conditions = (action.status['conditions'] ?? []) as readonly { readonly type: string }[]
    const types = Object.fromEntries(conditions.map(({ type }) => [`k:{"type":"${type}"}`, {}]))
    const fields = { 'f:status': { 'f:clusters': {}, 'f:importers': {}, 'f:conditions': types } }
    const before = place.exports.get(key) as ServiceExport
    const metadata = { ...before.metadata, resourceVersion: nextVersion(), managedFields: appliedBy(fields) }
    const object = observeExport({ ...before, metadata, status: action.status } as KubeObject as ServiceExport)
    place.exports = new Map(place.exports).set(key, object)
  } else if (action.do !== 'applyIdentity') throw new Error(`nobody asked for ${action.do}`)
}

interface Shape {
  readonly title: string
  readonly targets: (member: number, members: number) => readonly string[]
  readonly name: (member: number, index: number) => string
}

const SHAPES: readonly Shape[] = [
  { title: 'every service exported by all', targets: () => [], name: (_, index) => `shared-${index}` },
  {
    title: 'each service of one member, for two others',
    targets: (member, members) => [keyOf((member + 1) % members), keyOf((member + 2) % members)],
    name: (member, index) => `own-${member}-${index}`,
  },
]

function createHub(places: readonly Place[], spent: Map<Part, number>) {
  const merging = createMerging()
  const holders = createHolders()
  const statuses = createStatuses(holders, () => undefined, 0)
  const clusters = places.map(({ cluster }) => cluster)

  function time<T>(part: Part, body: () => T): T {
    const before = process.cpuUsage()
    const value = body()
    const { user, system } = process.cpuUsage(before)
    spent.set(part, (spent.get(part) ?? 0) + (user + system) / 1_000)
    return value
  }

  function look(place: Place) {
    const { name } = place.cluster.metadata
    const { exports, services } = place
    if (place.made?.exports !== exports || place.made.services !== services) {
      const shown = { exports, services, mcsExports: NONE }
      place.declared = declaredOf(shown, place.declared, place.made)
      place.made = shown
    }
    const view = viewOf(place.declared as Declared, undefined, NOTHING_ASKED, place.view)
    if (view !== place.view) place.objects = { cluster: name, ...view, globalServices: false }
    place.view = view
  }

  /** One of the hub's passes. */
  function pass() {
    time('views', () => places.forEach(look))
    time('memories', () => {
      for (const { cluster, view } of places) {
        const { name } = cluster.metadata
        const known = { name, uid: name, clusterKey: name, namespace: NS, apiServer: name }
        encodeMemory({ cluster: known, kubeconfig: cluster.spec.kubeconfig ?? '', view: view as View })
      }
    })
    const merged = time('merge', () =>
      merging(
        places.flatMap(({ objects }) => objects ?? []),
        clusters,
      ),
    )
    const seen = new Map(places.map((place) => [place.cluster.metadata.name, observedIn(place)]))
    time('holders', () => {
      for (const [name, { imports }] of seen) holders.update(name, imports)
    })
    const peers = sitesOf(clusters).map(({ name, clusterKey }) => ({ name, clusterKey, known: true }))
    const said = time('statuses', () => statuses(merged.services, peers, seen))
    const imports = new Map(merged.members.map((each) => [each.cluster, each.imports]))
    for (const place of places) {
      const { name } = place.cluster.metadata
      place.desired = {
        namespace: NS,
        hub: 'hub',
        clusterKey: name,
        globalServices: false,
        imports: imports.get(name) ?? [],
        slices: [],
        statuses: said.get(name) ?? [],
        createNamespaces: true,
        unheard: new Set(),
      }
    }
  }

  /** One of each member's passes. Returns how much was written. */
  function carryOutAll(): number {
    let writes = 0
    for (const place of places) {
      const { actions } = time('plans', () =>
        place.plan(place.desired as Desired, observedIn(place), () => undefined, NOW),
      )
      for (const action of actions) carryOut(place, action)
      writes += actions.filter((action) => action.do !== 'applyIdentity').length
    }
    return writes
  }

  return { pass, carryOutAll }
}

function measure(shape: Shape, members: number, exports: number) {
  const spent = new Map<Part, number>()
  const places = Array.from({ length: members }, (_, member): Place => {
    const names = Array.from({ length: exports }, (_, index) => shape.name(member, index))
    return {
      cluster: {
        apiVersion: API_VERSION,
        kind: 'Cluster',
        metadata: { name: nameOf(member) },
        spec: { gatewayHost: `10.9.${member}.1`, gatewayPort: 80, kubeconfig: 'x'.repeat(5_000) },
      },
      plan: createPlanner(),
      exports: new Map(names.map((name) => [`${NS}/${name}`, exportOf(name, shape.targets(member, members))])),
      services: new Map(names.map((name) => [`${NS}/${name}`, serviceOf(name)])),
      imports: new Map(),
    }
  })
  const hub = createHub(places, spent)
  const [first] = places as [Place]

  function settle() {
    for (let writes = 1; writes > 0; ) {
      hub.pass()
      writes = hub.carryOutAll()
    }
  }
  settle()
  const change = (name: string) => {
    first.services = new Map(first.services).set(`${NS}/${name}`, serviceOf(name))
    hub.pass()
    first.exports = new Map(first.exports).set(`${NS}/${name}`, exportOf(name, shape.targets(0, members)))
    settle()
    hub.pass()
  }
  for (let n = 0; n < CHANGES; n++) change(`warm-${n}`)
  spent.clear()
  for (let n = 0; n < CHANGES; n++) change(`change-${n}`)
  return PARTS.map((part) => (spent.get(part) ?? 0) / CHANGES)
}

row('shape', 'members × exports', ...PARTS, 'all, ms per change', 'to the first')
row(...Array.from({ length: PARTS.length + 4 }, () => '---'))
for (const shape of SHAPES) {
  let least: number | undefined
  for (const exports of [20, 100, 200]) {
    const parts = measure(shape, 50, exports)
    const all = parts.reduce((sum, each) => sum + each, 0)
    least ??= all
    row(
      shape.title,
      `50 × ${exports}`,
      ...parts.map((ms) => ms.toFixed(1)),
      all.toFixed(1),
      `${(all / least).toFixed(2)}×`,
    )
  }
}
