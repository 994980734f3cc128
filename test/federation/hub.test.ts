/** What a hub does with members that are well. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONFIGMAPS, SECRETS } from '../../api/resources.ts'
import { SYSTEM } from '../kube/compiler.ts'
import { until } from '../lab/run.ts'
import { conditionOf, enlist, imports, keyOf, managed, offer, type Replica, type Stage, startStage } from './hub.ts'

let stage: Stage
let replica: Replica
beforeAll(async () => {
  stage = await startStage(['east', 'west', 'north'])
  replica = await stage.start()
})
afterAll(() => stage?.stop())

test('members join: they are connected, told who they are, and remembered', async () => {
  for (const site of stage.members) await enlist(stage, site)
  for (const { name, client } of stage.members) {
    const cluster = await managed(stage, name, 'Connected')
    expect(cluster.status).toMatchObject({ exports: 0, imports: 0, version: expect.stringMatching(/^v1\./) })
    await until('it knows its name', async () => {
      const found = await client.get(CONFIGMAPS, { namespace: SYSTEM, name: 'portolan-cluster' })
      return found.ok && found.value.data?.['clusterKey'] === keyOf(name)
    })
    const memory = await stage.hub.get(SECRETS, { namespace: SYSTEM, name: `portolan-member-${name}` })
    expect(Object.keys(memory?.data ?? {}).toSorted()).toEqual(['cluster.json', 'exports.json.gz', 'kubeconfig'])
  }
})

test('an export becomes an import everywhere else, and its status says where', async () => {
  const [east, west, north] = stage.members as [
    (typeof stage.members)[0],
    (typeof stage.members)[0],
    (typeof stage.members)[0],
  ]
  await east.apply(...offer('shop/pay'))
  const found = await imports(west, 'shop/pay', ['east'])
  await imports(north, 'shop/pay', ['east'])
  expect(found.spec.ports[0]?.endpoints?.[0]?.target).toMatchObject({ host: 'gateway.east.example', port: 80 })
  expect(await east.importOf('shop/pay')).toBeUndefined()
  const exported = await until('it is exported', async () => {
    const object = await east.exportOf('shop/pay')
    return conditionOf(object, 'Exported')?.status === 'True' ? object : undefined
  })
  expect(exported.status?.clusters).toEqual([{ cluster: keyOf('north') }, { cluster: keyOf('west') }])
  expect(conditionOf(exported, 'Conflict')).toMatchObject({ status: 'False', reason: 'NoConflicts' })
  expect(replica.log.filter(({ level }) => level >= 40).map(({ msg }) => msg)).toEqual([])
})
