/**
 * What is taken away is gone everywhere: tables, names, imports and statuses are what they would be had it never been
 * there, to the byte. And what comes back is there again.
 */
import { isDeepStrictEqual } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { MANAGED_BY } from '../../api/names.ts'
import { must } from '../../kube/failure.ts'
import { until } from '../lab/run.ts'
import { type Clusters, startClusters } from './clusters.ts'
import { type EndState, endState, reaches, settled } from './end-state.ts'
import { HUB, MEMBERS, type Placed, walkthrough } from './walkthrough.ts'
import { place, RESOURCES, remove, removeNamespace } from './write.ts'

vi.setConfig({ testTimeout: 400_000 })

const GONE = 'cluster-3'

let clusters: Clusters
let objects: readonly Placed[]
let everything: EndState
/** All but one Cluster, and that has never been there. */
let neverJoined: EndState

/** The one object of the walkthrough of this kind and name in a cluster. */
const the = (cluster: string, kind: string, name: string): Placed => {
  const found = objects.find(
    (each) => each.cluster === cluster && each.object.kind === kind && each.object.metadata.name === name,
  )
  if (found === undefined) throw new Error(`the walkthrough has no ${kind} ${name} in ${cluster}`)
  return found
}
const theCluster = () => the(HUB, 'Cluster', GONE)
const theExport = () => the(GONE, 'ServiceExport', 'httpbin')
const theService = () => the(GONE, 'Service', 'httpbin')
const all = (cluster: string, namespace: string) =>
  objects.filter(
    ({ cluster: at, object: { metadata } }) =>
      at === cluster && (metadata.namespace === namespace || (metadata.name === namespace && !metadata.namespace)),
  )

const takeAway = async (...parts: readonly Placed[]) => {
  for (const each of parts) await remove(clusters, each)
}
const bring = async (...parts: readonly Placed[]) => {
  for (const each of parts) await place(clusters, each)
}

/** What other clusters hold that leads to `path` at a gateway, by the name of the entry. */
const leadingTo = (state: EndState, cluster: string, path: string): readonly string[] =>
  Object.keys(state).filter((key) => !key.startsWith(`${cluster} `) && state[key]?.includes(path))
const PATH = `/${GONE}/httpbin-mesh\\"`

beforeAll(async () => {
  clusters = await startClusters(HUB, MEMBERS)
  objects = walkthrough((name) => clusters.named(name).api.kubeconfig)
  await bring(...objects.filter((each) => each !== theCluster()))
  neverJoined = await settled(clusters)
  await bring(theCluster())
  await until('it has joined', async () => leadingTo(await endState(clusters), GONE, PATH).length > 0)
  everything = await settled(clusters)
})
afterAll(() => clusters?.stop())

test('before anything is taken away it is there', () => {
  const keys = Object.keys(everything)
  expect(keys.filter((key) => key.includes(' ServiceImport '))).toEqual([
    'cluster-1 ServiceImport httpbin/httpbin',
    'cluster-1 ServiceImport httpbin/httpbin-cluster-3',
    'cluster-2 ServiceImport httpbin/httpbin',
    'cluster-2 ServiceImport httpbin/httpbin-cluster-1',
    'cluster-2 ServiceImport httpbin/httpbin-cluster-3',
    'cluster-3 ServiceImport httpbin/httpbin',
    'cluster-3 ServiceImport httpbin/httpbin-cluster-1',
  ])
  expect(leadingTo(everything, GONE, `/${GONE}/httpbin-mesh`)).not.toEqual([])
  expect(leadingTo(neverJoined, GONE, `/${GONE}/httpbin-mesh`)).toEqual([])
})

/** The state when nothing leads there any more, and all has come to rest. */
const withdrawn = async (): Promise<EndState> => {
  await until('nothing leads there', async () => leadingTo(await endState(clusters), GONE, PATH).length === 0)
  return settled(clusters)
}

describe('an export', () => {
  let withoutExport: EndState
  let withoutService: EndState
  let withoutBoth: EndState

  test('is deleted: nothing leads there any more', async () => {
    await takeAway(theExport())
    withoutExport = await withdrawn()
    expect(leadingTo(withoutExport, GONE, PATH)).toEqual([])
    await bring(theExport())
    await reaches(clusters, everything)
  })

  test('has its Service deleted: nothing leads there any more, and it says why', async () => {
    await takeAway(theService())
    withoutService = await withdrawn()
    expect(leadingTo(withoutService, GONE, PATH)).toEqual([])
    expect(withoutService[`${GONE} ServiceExport httpbin/httpbin`]).toContain('ExportWithoutService')
    await bring(theService())
    await reaches(clusters, everything)
  })

  test('is deleted after its Service, with it, and before it: the same', async () => {
    await takeAway(theService())
    await reaches(clusters, withoutService)
    await takeAway(theExport())
    withoutBoth = await settled(clusters)
    expect(leadingTo(withoutBoth, GONE, PATH)).toEqual([])
    await bring(theExport())
    await reaches(clusters, withoutService)
    await bring(theService())
    await reaches(clusters, everything)
    await Promise.all([takeAway(theService()), takeAway(theExport())])
    await reaches(clusters, withoutBoth)
    await bring(theService())
    await reaches(clusters, withoutExport)
    await bring(theExport())
    await reaches(clusters, everything)
    await takeAway(theExport())
    await takeAway(theService())
    await reaches(clusters, withoutBoth)
    await bring(theService(), theExport())
    await reaches(clusters, everything)
  })

  test('has its Service made an ExternalName: as if that were deleted, and back', async () => {
    const { object } = theService()
    await takeAway(theService())
    await bring({
      cluster: GONE,
      object: { ...object, spec: { type: 'ExternalName', externalName: 'x.example' } } as typeof object,
    })
    // To its own cluster it is a Service like any other.
    await reaches(clusters, withoutService, [GONE])
    const said = (await endState(clusters))[`${GONE} ServiceExport httpbin/httpbin`]
    expect(said).toContain('ExportOfExternalName')
    await takeAway(theService())
    await bring(theService())
    await reaches(clusters, everything)
  })

  test("is on its way out, held by somebody's finalizer: nothing leads there any more", async () => {
    const { client } = clusters.named(GONE)
    const ref = theExport().object.metadata
    const hold = (finalizers: readonly string[]) =>
      client.patch(RESOURCES.ServiceExport, ref, { type: 'merge', body: { metadata: { finalizers } } })
    must(await hold(['test.example/held']))
    await takeAway(theExport())
    await withdrawn()
    must(await hold([]))
    await reaches(clusters, withoutExport)
    await bring(theExport())
    await reaches(clusters, everything)
  })
})

describe('a Cluster is deleted', () => {
  const hub = () => clusters.process('federation')
  const isGone = async () => {
    const there = await clusters.hub.client.get(RESOURCES.Cluster, { name: GONE })
    return !there.ok && there.failure.reason === 'NotFound'
  }

  test('it leaves nothing, anywhere; and joins again', async () => {
    await takeAway(theCluster())
    expect(await isGone()).toBe(true)
    await reaches(clusters, neverJoined)
    await bring(theCluster())
    await reaches(clusters, everything)
  })

  test('while no hub runs: the next one withdraws it', async () => {
    await hub().kill()
    await takeAway(theCluster())
    hub().start()
    await reaches(clusters, neverJoined)
    await bring(theCluster())
    await reaches(clusters, everything)
  })

  test.each([
    { how: 'dead', go: () => clusters.named(GONE).api.kill(), back: () => clusters.named(GONE).api.start() },
    {
      how: 'frozen',
      go: async () => clusters.named(GONE).api.freeze(true),
      back: async () => clusters.named(GONE).api.freeze(false),
    },
  ])(
    'while the member is $how: the others forget it at once, and it is cleaned when it comes back',
    async ({ go, back }) => {
      await go()
      await takeAway(theCluster())
      expect(await isGone()).toBe(true)
      // What is still to be taken back there is remembered.
      const remembered = `${HUB} Secret`
      await reaches(clusters, neverJoined, [GONE, remembered])
      await back()
      await reaches(clusters, neverJoined)
      await bring(theCluster())
      await reaches(clusters, everything)
    },
  )

  test('while the member is dead and no hub runs; the member comes back last', async () => {
    const { api } = clusters.named(GONE)
    await hub().kill()
    await api.kill()
    await takeAway(theCluster())
    hub().start()
    await reaches(clusters, neverJoined, [GONE, `${HUB} Secret`])
    await api.start()
    await reaches(clusters, neverJoined)
    await bring(theCluster())
    await reaches(clusters, everything)
  })

  test('and made again while the member is dead: it is as if it had never left', async () => {
    const { api } = clusters.named(GONE)
    await api.kill()
    await takeAway(theCluster())
    await reaches(clusters, neverJoined, [GONE, `${HUB} Secret`])
    await bring(theCluster())
    await api.start()
    await reaches(clusters, everything)
  })
})

test('a member is away, over a restart of the hub too: nothing changes for the others', async () => {
  const { api } = clusters.named(GONE)
  const seenByTheHub = `${HUB} Cluster ${GONE}`
  await api.kill()
  await until('the hub has noticed', async () =>
    (await endState(clusters, [GONE]))[seenByTheHub]?.includes('Unreachable'),
  )
  await reaches(clusters, everything, [GONE, seenByTheHub])
  await clusters.process('federation').kill()
  clusters.process('federation').start()
  await clusters.process('federation').leads()
  await settled(clusters, [GONE])
  await reaches(clusters, everything, [GONE, seenByTheHub])
  await api.start()
  await reaches(clusters, everything)
})

test('a Cluster gets another key: nothing goes by the old one', async () => {
  const { cluster, object } = theCluster()
  const spec = { ...(object as typeof object & { readonly spec: object }).spec, region: 'eu' }
  await bring({ cluster, object: { ...object, spec } as typeof object })
  // The policy names the old one, and says that nothing is there.
  const told = ['cluster-2 GlobalTrafficPolicy httpbin/httpbin']
  await until('only the policy goes by it', async () => {
    const state = await endState(clusters)
    const keys = Object.keys(state).filter((key) => state[key]?.includes(`default/default/default/${GONE}`))
    return isDeepStrictEqual(keys, told)
  })
  await bring(theCluster())
  await reaches(clusters, everything)
})

test.each([
  { what: 'that imports', cluster: 'cluster-2' },
  { what: 'that exports', cluster: GONE },
])(
  'a namespace is deleted in a member $what: the imports come back by themselves, all else with its objects',
  async ({ cluster }) => {
    const parts = all(cluster, 'httpbin')
    await removeNamespace(clusters.named(cluster), 'httpbin')
    const emptied = await settled(clusters)
    expect(leadingTo(emptied, cluster, `/${cluster}/httpbin-mesh`)).toEqual([])
    const imports = (state: EndState) => Object.keys(state).filter((key) => key.startsWith(`${cluster} ServiceImport `))
    expect(imports(emptied)).toEqual(imports(everything))
    await bring(...parts)
    await reaches(clusters, everything)
  },
)

test('a namespace that the hub made is labelled, and stays when its imports go', async () => {
  const { client } = clusters.named('cluster-2')
  const httpbin = async () => must(await client.get(RESOURCES.Namespace, { name: 'httpbin' })).metadata
  await removeNamespace(clusters.named('cluster-2'), 'httpbin')
  await until('the hub has made it again', async () => (await httpbin()).deletionTimestamp === undefined)
  expect((await httpbin()).labels).toMatchObject(MANAGED_BY)
  const cluster = the(HUB, 'Cluster', 'cluster-2')
  await takeAway(cluster)
  await until('its imports are gone', async () => must(await client.list(RESOURCES.ServiceImport)).items.length === 0)
  expect((await httpbin()).deletionTimestamp).toBeUndefined()
  await bring(cluster, ...all('cluster-2', 'httpbin'))
  await reaches(clusters, everything)
})
