/**
 * Calls go on while clusters join and leave, exports change, and the hub or an API server is away. Three clusters: west
 * calls what east and north export; the hub is north's.
 */
import { readFile } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { holdDown } from '../lab/exec.ts'
import { findCluster } from '../lab/lab-provider.ts'
import { chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'
import { labDirectory } from '../lab/state.ts'
import { curl, loadAlone } from './load.ts'
import { app, client, documents, meshNamespace, plainNamespace, policy, serviceExport } from './manifests.ts'
import { isFree } from './member.ts'
import { CONTROL_PLANE, describeSites, installMesh, SITES_VARIABLE, siteNamed, sites } from './mesh.ts'
import { apply, get, kubectl, type Loose, rolledOut, type Site } from './site.ts'

const NS = 'federation'
const NAME = 'httpbin'
const URL = `http://${NAME}.${NS}:8080/`
/** How long an API server is away: long enough for every time-out and most of the back-off. */
const OUTAGE_SECONDS = process.env['PORTOLAN_LONG'] === undefined ? 30 : 300

const { east, west, gatewayPort } = sites()
const clusters = await chooseProvider()
let north: Site
/** What is to be put right after a test, whatever became of it. */
const repairs: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  await installMesh(clusters, ['north'])
  process.env[SITES_VARIABLE] = await describeSites(clusters, ['east', 'west', 'north'])
  north = siteNamed('north')
  await Promise.all([
    ...[east, north].map(async (site) => {
      const parts = app({ namespace: NS, name: NAME, says: site.name })
      await apply(site, documents(plainNamespace(NS), ...parts))
      await rolledOut(site, NS, NAME)
      await exportFrom(site)
    }),
    apply(west, documents(meshNamespace(NS), policy(NS, NAME, 'ActiveActive'), client(NS, 'client'))),
  ])
  await join(west)
  await join(east)
  await rolledOut(west, NS, 'client')
  await answering(['east'])
}, 600_000)

afterEach(async () => {
  for (const repair of repairs.splice(0)) await repair()
})

afterAll(async () => {
  if (north === undefined) return
  await kubectl(north, 'delete', 'clusters.flomesh.io', '--all')
  await until('the hub has taken its imports back', async () => (await imports(west)).length === 0)
  await Promise.all([east, west].map(isFree))
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
  if (process.env['KEEP_CLUSTERS'] === undefined) await clusters.down(['north'])
  else await kubectl(north, 'delete', 'namespace', NS, '--wait=false')
})

const exportFrom = (site: Site, path = `/${site.name}`, extra: object = {}) =>
  apply(site, documents(serviceExport(NS, NAME, { rules: [{ portNumber: 8080, path }], ...extra })))
const withdrawFrom = (site: Site) => kubectl(site, '-n', NS, 'delete', 'serviceexport', NAME)

async function join(site: Site): Promise<void> {
  const spec = {
    gatewayHost: site.address,
    gatewayPort,
    kubeconfig: await readFile(await clusters.kubeconfig(site.name), 'utf8'),
  }
  await apply(
    north,
    documents({ apiVersion: 'flomesh.io/v1alpha1', kind: 'Cluster', metadata: { name: site.name }, spec }),
  )
}
const leave = (site: Site) => kubectl(north, 'delete', 'clusters.flomesh.io', site.name)
const managed = async (site: Site) => {
  const { status } = await get(north, 'clusters.flomesh.io', site.name)
  return status?.conditions?.find((each: Loose) => each.type === 'Managed') as Loose
}

const imports = async (site: Site): Promise<readonly Loose[]> =>
  (await get(site, '-n', NS, 'serviceimports.flomesh.io')).items
/** Names of the clusters that west's import leads to, with the paths there. */
const leadsTo = async (): Promise<readonly string[]> =>
  (await imports(west)).flatMap(({ spec }) =>
    spec.ports[0].endpoints.map((each: Loose) => `${each.clusterKey.split('/')[3]}${each.target.path}`),
  )
const conflict = async (site: Site) =>
  (await get(site, '-n', NS, 'serviceexports.flomesh.io', NAME)).status.conditions.find(
    (each: Loose) => each.type === 'Conflict',
  )?.status

/** Waits until twelve calls in a row are answered by these clusters, all of them, and by no other. */
const answering = (names: readonly string[], timeout = 60_000) =>
  until(
    `answers of ${names.join(' and ')}`,
    async () => {
      const { stdout } = await curl(west, NS, 'deploy/client', ...Array.from({ length: 12 }, () => URL))
      const said = new Set(stdout.match(/(?<=Hi, I am from )\w+/g))
      return names.length === said.size && names.every((name) => said.has(name))
    },
    { every: 500, timeout },
  )

/** Calls all the time while `work` is done: none of the calls may fail. */
async function calling(work: () => Promise<unknown>): Promise<void> {
  const loop = await loadAlone(west, NS, 'deploy/client', URL, 50)
  const problem = await work().then(
    () => undefined,
    (error: unknown) => error,
  )
  const { failed, failures, total } = await loop.stop()
  if (problem !== undefined)
    throw new Error(`${String(problem)}; of ${total} calls ${failed} failed: ${JSON.stringify(failures)}`, {
      cause: problem,
    })
  expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
  expect(total).toBeGreaterThan(0)
}

test('a cluster joins, leaves and joins again', async () => {
  await calling(async () => {
    await join(north)
    await answering(['east', 'north'])
    await leave(north)
    await answering(['east'])
    await join(north)
    await answering(['east', 'north'])
  })
})

test('a conflict appears and clears', async () => {
  await calling(async () => {
    await exportFrom(north, '/north', { serviceAccountName: 'somebody' })
    for (const site of [east, north])
      await until(`${site.name} is told of the conflict`, async () => (await conflict(site)) === 'True')
    await exportFrom(north)
    for (const site of [east, north])
      await until(`${site.name} is told that it is over`, async () => (await conflict(site)) === 'False')
  })
  await answering(['east', 'north'])
})

test('one of two takes its export back, and gives it again', async () => {
  await calling(async () => {
    await withdrawFrom(east)
    await answering(['north'])
    await exportFrom(east)
    await answering(['east', 'north'])
  })
})

test('an export is served at another path', async () => {
  await calling(async () => {
    await exportFrom(east, '/elsewhere')
    await until('the import knows', async () => (await leadsTo()).includes('east/elsewhere'))
    await answering(['east', 'north'])
    await exportFrom(east)
    await until('the import knows', async () => (await leadsTo()).includes('east/east'))
    await answering(['east', 'north'])
  })
})

test('the pods of the hub are killed', async () => {
  await calling(async () => {
    const hub = ['-n', CONTROL_PLANE, 'pod', '-l', 'app.kubernetes.io/component=federation']
    await kubectl(north, 'delete', ...hub, '--force', '--grace-period=0')
    await withdrawFrom(north)
    await answering(['east'])
    await exportFrom(north)
    await answering(['east', 'north'])
  })
})

test(
  'the API server of an exporter is away, over a restart of the hub too; the others go on, and it comes back',
  async () => {
    const { cluster } = findCluster(labDirectory(), 'east')
    const back = () => holdDown(cluster, 'kube-apiserver', false)
    await calling(async () => {
      repairs.push(back)
      await holdDown(cluster, 'kube-apiserver', true)
      const gone = performance.now()
      await until('the hub has noticed', async () => (await managed(east)).reason === 'Unreachable')
      await kubectl(north, '-n', CONTROL_PLANE, 'rollout', 'restart', 'deploy/portolan-federation')
      await rolledOut(north, CONTROL_PLANE, 'portolan-federation')
      // The new one knows of the member from memory alone.
      await exportFrom(north, '/moved')
      await until('west hears of a change', async () => (await leadsTo()).includes('north/moved'))
      expect(await leadsTo()).toContain('east/east')
      await answering(['east', 'north'])
      await new Promise((resolve) => setTimeout(resolve, gone + OUTAGE_SECONDS * 1_000 - performance.now()))
      await back()
      await until('the hub has noticed', async () => (await managed(east)).status === 'True', { timeout: 120_000 })
      await exportFrom(north)
      await exportFrom(east, '/after')
      await until('west hears of changes', async () => String(await leadsTo()) === 'east/after,north/north')
      // A kubelet that has been refused for so long asks for files only now and then.
      await answering(['east', 'north'], 150_000)
    })
  },
  (OUTAGE_SECONDS + 300) * 1_000,
)

test('the hub is cut off from all', async () => {
  // North's own pods are cut off with it.
  await withdrawFrom(north)
  await answering(['east'])
  await calling(async () => {
    repairs.push(() => clusters.partition('north', false))
    await clusters.partition('north', true)
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    await clusters.partition('north', false)
    await exportFrom(north)
    await answering(['east', 'north'])
  })
})
