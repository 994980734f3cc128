/** What a hub knows when it starts, and when another replica takes over. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { CLUSTERS, CONFIGMAPS, NAMESPACES, SECRETS, SERVICE_EXPORTS, SERVICE_IMPORTS } from '../../api/resources.ts'
import { SYSTEM } from '../kube/compiler.ts'
import { startLine } from '../kube/line.ts'
import { settles, until } from '../lab/run.ts'
import {
  clusterOf,
  conditionOf,
  enlist,
  event,
  givers,
  HUB_ACCOUNT,
  imports,
  importsNot,
  keyOf,
  managed,
  namespaceObject,
  offer,
  type Replica,
  type ReplicaOptions,
  type Site,
  type Stage,
  startStage,
  warningsOf,
} from './hub.ts'

let stage: Stage
let east: Site
let west: Site
let north: Site
const running: Replica[] = []
beforeAll(async () => {
  stage = await startStage(['east', 'west', 'north'])
  east = stage.site('east')
  west = stage.site('west')
  north = stage.site('north')
  await start()
  for (const site of stage.members) await enlist(stage, site)
  await east.apply(...offer('shop/pay'))
  await west.apply(...offer('shop/pay'), ...offer('shop/cart'))
  await settled()
})
afterAll(() => stage?.stop())
afterEach(async () => {
  await stopAll()
  await start()
  for (const { name } of stage.members) await managed(stage, name, 'Connected')
})

async function start(options?: ReplicaOptions): Promise<Replica> {
  const replica = await stage.start(options)
  running.push(replica)
  return replica
}

async function stopAll() {
  await Promise.all(running.splice(0).map((replica) => replica.stop()))
}

const settled = async () => {
  await imports(north, 'shop/pay', ['east', 'west'])
  await imports(east, 'shop/pay', ['west'])
  await imports(west, 'shop/pay', ['east'])
  await imports(north, 'shop/cart', ['west'])
  await until(
    'statuses say so',
    async () =>
      conditionOf(await west.exportOf('shop/pay'), 'Exported')?.status === 'True' &&
      conditionOf(await west.exportOf('shop/cart'), 'Exported')?.status === 'True' &&
      conditionOf(await east.exportOf('shop/pay'), 'Exported')?.status === 'True',
  )
}

/** Versions of all that the hub writes in members that are up. */
const versions = async (sites: readonly Site[]) =>
  JSON.stringify(
    await Promise.all(
      sites.flatMap((site) =>
        [SERVICE_EXPORTS, SERVICE_IMPORTS, CONFIGMAPS].map(async (resource) => {
          const items = await site.client.list(resource)
          return items.ok && items.value.items.map(({ metadata }) => metadata.resourceVersion)
        }),
      ),
    ),
  )

/** The same, once nothing is written any more: statuses are put off for up to two seconds. */
const resting = (sites: readonly Site[]) => settles('what members have', () => versions(sites), { quiet: 3_000 })

/** Nothing can be waited for where nothing is to happen. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 1_500))
const memoryOf = (name: string) => stage.hub.get(SECRETS, { namespace: SYSTEM, name: `portolan-member-${name}` })

test('a hub that restarts changes nothing', async () => {
  const before = await resting(stage.members)
  await stopAll()
  const replica = await start()
  await until('it leads', replica.leads)
  await aWhile()
  expect(await versions(stage.members)).toBe(before)
})

test('a hub that restarts while a member is down changes nothing anywhere, and says so of it', async () => {
  await east.api.kill()
  await managed(stage, 'east', 'Unreachable')
  const up = [west, north]
  const before = await resting(up)
  await stopAll()
  const status = (await clusterOf(stage, 'east'))?.status
  const replica = await start()
  await until(
    'it has connected to the others',
    async () => (await replica.metric('portolan_member_last_contact_seconds{cluster="north"}')) !== undefined,
  )
  await aWhile()
  expect(await versions(up)).toBe(before)
  expect((await clusterOf(stage, 'east'))?.status).toEqual(status)
  // What others do is not held up, and the dead member's part in it is as remembered.
  await west.apply(...offer('shop/later'))
  await imports(north, 'shop/later', ['west'])
  await north.remove(SERVICE_IMPORTS, { namespace: 'shop', name: 'pay' })
  await imports(north, 'shop/pay', ['east', 'west'])
  await east.api.start()
  await imports(east, 'shop/later', ['west'])
  await west.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'later' })
  await importsNot(east, 'shop/later')
})

test('an export withdrawn while no hub ran is withdrawn when one does', async () => {
  await stopAll()
  await west.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'cart' })
  await start()
  await importsNot(north, 'shop/cart')
  await importsNot(east, 'shop/cart')
  await west.apply(...offer('shop/cart'))
  await settled()
})

test('a Cluster deleted while no hub ran: nothing of it is left, and nothing in it', async () => {
  await stopAll()
  await stage.hub.remove(CLUSTERS, { name: 'east' })
  await stage.hub.remove(SECRETS, { namespace: SYSTEM, name: 'portolan-kubeconfig-east' })
  await start()
  await imports(north, 'shop/pay', ['west'])
  await importsNot(west, 'shop/pay')
  await importsNot(east, 'shop/pay')
  await until('it is forgotten', async () => (await memoryOf('east')) === undefined)
  await enlist(stage, east)
  await settled()
})

test('a Cluster re-created while its member is down: nothing is withdrawn until the member has spoken', async () => {
  await east.api.kill()
  await managed(stage, 'east', 'Unreachable')
  await stopAll()
  await stage.hub.remove(CLUSTERS, { name: 'east' })
  await enlist(stage, east)
  await start()
  await west.apply(...offer('shop/new'))
  await imports(north, 'shop/new', ['west'])
  // The youngest of what is known is put beside what is not.
  await west.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'pay' })
  await imports(north, 'shop/pay', ['east'])
  await imports(west, 'shop/pay', ['east'])
  await west.apply(...offer('shop/pay'))
  await imports(north, 'shop/pay', ['east', 'west'])
  await east.api.start()
  await managed(stage, 'east', 'Connected')
  await settled()
  await west.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'new' })
  await importsNot(north, 'shop/new')
})

test('what the hub remembered is lost: nothing is withdrawn before each member has spoken', async () => {
  await east.api.kill()
  await managed(stage, 'east', 'Unreachable')
  await stopAll()
  await stage.hub.remove(SECRETS, { namespace: SYSTEM, name: 'portolan-member-east' })
  await start()
  await aWhile()
  expect(givers(await north.importOf('shop/pay'))).toEqual([keyOf('east'), keyOf('west')])
  expect(givers(await west.importOf('shop/pay'))).toEqual([keyOf('east')])
  await east.api.start()
  await settled()
  await until('it is remembered again', () => memoryOf('east'))
})

test('a Cluster gets another name: the member is taken over, and its imports stay', async () => {
  await stopAll()
  const before = (await east.importOf('shop/pay'))?.metadata.uid
  await stage.hub.remove(CLUSTERS, { name: 'east' })
  await enlist(stage, east, { name: 'orient' })
  await start()
  await imports(north, 'shop/pay', ['orient', 'west'])
  await until('it knows its name', async () => {
    const told = await east.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
    return told?.data?.['clusterKey'] === keyOf('orient')
  })
  await until('the old name is forgotten', async () => (await memoryOf('east')) === undefined)
  await aWhile()
  expect((await east.importOf('shop/pay'))?.metadata.uid).toBe(before)
  await stage.hub.remove(CLUSTERS, { name: 'orient' })
  await until('the new one, too', async () => (await memoryOf('orient')) === undefined)
  await enlist(stage, east)
  await settled()
})

test('a kubeconfig leads to another API server: that one is the member now, and the change is told', async () => {
  await stage.hub.remove(CLUSTERS, { name: 'north' })
  await until('north is forgotten', async () => (await memoryOf('north')) === undefined)
  await enlist(stage, north, { name: 'east' })
  await imports(north, 'shop/cart', ['west'])
  await importsNot(west, 'shop/pay')
  await event(stage.hub, 'east', 'ServerReplaced')
  await enlist(stage, east)
  await enlist(stage, north)
  await settled()
})

test('a namespace that is missing is not made when the hub is told so, and named', async () => {
  await stopAll()
  await start({ createNamespaces: false })
  await west.apply(...offer('lonely/api'))
  await event(north, 'lonely', 'NamespaceMissing')
  expect(await north.get(NAMESPACES, { name: 'lonely' })).toBeUndefined()
  await north.apply(namespaceObject('lonely'))
  await imports(north, 'lonely/api', ['west'])
  expect(await east.get(NAMESPACES, { name: 'lonely' })).toBeUndefined()
  await west.remove(SERVICE_EXPORTS, { namespace: 'lonely', name: 'api' })
  await importsNot(north, 'lonely/api')
})

test('two replicas: one works, the other takes over at once when that one leaves', async () => {
  const [first] = running as [Replica]
  await until('the first leads', first.leads)
  const second = await start({ identity: 'second' })
  expect(await second.leads()).toBe(false)
  await first.stop()
  await until('the second leads', second.leads)
  await west.apply(...offer('shop/failover'))
  await imports(north, 'shop/failover', ['west'])
  await west.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'failover' })
  await importsNot(north, 'shop/failover')
  expect(warningsOf(second)).toEqual([])
})

test('the leader is cut off from the hub: it writes no more, the other does', async () => {
  await stopAll()
  const line = await startLine(stage.hub.api.port)
  const connection = stage.hub.api.connectionOf(HUB_ACCOUNT, `https://127.0.0.1:${line.port}`)
  const first = await start({ identity: 'first', connection })
  await until('the first leads', first.leads)
  const second = await start({ identity: 'second' })
  line.cut()
  await until('the second leads', second.leads)
  expect(await first.leads()).toBe(false)
  const written = first.log.length
  await west.apply(...offer('shop/cut'))
  await imports(north, 'shop/cut', ['west'])
  expect(first.log.slice(written).filter(({ msg }) => msg === 'written')).toEqual([])
  line.mend()
  await aWhile()
  expect(await first.leads()).toBe(false)
  await west.remove(SERVICE_EXPORTS, { namespace: 'shop', name: 'cut' })
  await importsNot(north, 'shop/cut')
  await stopAll()
  await line.close()
})

test('the hub’s own API server dies and comes back: members notice nothing', async () => {
  const before = await resting(stage.members)
  await stage.hub.api.kill()
  const [replica] = running as [Replica]
  await until('it leads no more', async () => !(await replica.leads()))
  await stage.hub.api.start()
  await until('it leads again', replica.leads)
  await aWhile()
  expect(await versions(stage.members)).toBe(before)
})
