/** `portolan diff`, against a real API server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kubectl, startReplica } from '../../kube/compiler.ts'
import { east, exported, imported, namespace, policy, service } from '../../kube/objects.ts'
import { type Installed, installed, withoutAddresses } from './installed.ts'

let west: Installed

const north = { ...east('/pay'), clusterKey: 'default/default/default/north' }
const target = (name: string, weight: number) => ({ clusterKey: `default/default/default/${name}`, weight })
const stockPolicy = (spec: object) => ({ ...policy('shop', 'stock'), spec })

beforeAll(async () => {
  west = await installed()
  await west.look.apply(
    namespace('shop'),
    namespace('web'),
    namespace('outside', false),
    service('shop', 'pay'),
    imported('shop', 'pay', [{ port: 8080, endpoints: [east('/pay'), north] }]),
    policy('shop', 'pay'),
    exported('shop', 'pay'),
  )
})
afterAll(() => west?.api.stop())

const diff = async (objects: readonly object[], flags = '') => {
  const manifests = objects.map((object) => JSON.stringify(object)).join('\n---\n')
  const { code, out, err } = await west.portolan(`diff -f -${flags}`, manifests)
  return withoutAddresses(`exit code ${code}\n${err}${out}`).replaceAll(/10\.43\.\d+\.\d+/g, 'CLUSTER-IP')
}

test('what is there already changes nothing', async () => {
  expect(await diff([namespace('shop'), policy('shop', 'pay'), exported('shop', 'pay')])).toMatchInlineSnapshot(`
    "exit code 0
    The tables of test stay as they are.
    "
  `)
})

describe('says in words what would change', () => {
  test('weights, and a cluster that takes part', async () => {
    const spec = { lbType: 'ActiveActive', targets: [target('east', 50), target('north', 150)] }
    expect(await diff([{ ...policy('shop', 'pay'), spec }])).toMatchInlineSnapshot(`
      "exit code 1
      Calls
        ~ pay.shop:8080  FailOver → ActiveActive  pods in shop, web
            ~  default/default/default/east   100 % (weight 100) → 25 % (weight 50)
            +  default/default/default/north  1.; 75 % (weight 150); http://10.9.0.1:80/pay
      "
    `)
  })
  test('a service that appears, in every place where it does', async () => {
    expect(
      await diff([
        imported('shop', 'stock', [{ port: 80, endpoints: [east('/stock')] }]),
        stockPolicy({ lbType: 'FailOver', targets: [target('east', 100), target('south', 100)] }),
      ]),
    ).toMatchInlineSnapshot(`
      "exit code 1
      -:3: warning: GlobalTrafficPolicy shop/stock: spec.targets[1].clusterKey: cluster "default/default/default/south" does not export shop/stock (yet), so calls go to the others. Export the service there, or correct the cluster key. [TargetExportsNothing]
      Calls
        + stock.shop:80  FailOver  pods in shop, web
            +  default/default/default/east  1.; 100 % (weight 100); http://10.9.0.1:80/stock

      Names that mesh DNS answers
        + stock.shop.svc.cluster.local: left to the cluster's DNS → routed (VIP)
        + stock.shop.svc.clusterset.local: left to the cluster's DNS → routed (VIP)

      What is said of objects
        + GlobalTrafficPolicy shop/stock: nothing → Accepted=True (Accepted)
        + GlobalTrafficPolicy shop/stock: nothing → Resolved=False (TargetExportsNothing)
        + ServiceImport shop/stock: nothing → Routed=True (Routed)
      "
    `)
  })
  test('an export that gets in the way of another', async () => {
    const spec = { rules: [{ portNumber: 8080, path: '/pay' }] }
    expect(await diff([service('shop', 'pay2'), { ...exported('shop', 'pay2'), spec }])).toMatchInlineSnapshot(`
      "exit code 1
      -:3: error: ServiceExport shop/pay2: spec.rules[0].path: path "/pay" is served for the older ServiceExport shop/pay, so this one gets no calls there. Choose another path, or remove it there. [PathConflict]
      -:3: warning: ServiceExport shop/pay2: spec.rules[0].path: "/pay" is a path of ServiceExport shop/pay too, which is older, so the rule is not served. Choose another path, or remove the other export. [PathTaken]
      What is said of objects
        + ServiceExport shop/pay2: nothing → Valid=False (PathConflict)
      "
    `)
  })
  test('paths that appear and vanish', async () => {
    const spec = { rules: [{ portNumber: 8080, path: '/pay/v2' }] }
    expect(await diff([{ ...exported('shop', 'pay'), spec }])).toMatchInlineSnapshot(`
      "exit code 1
      Paths that the gateway serves
        - /pay  Prefix to pay.shop:8080
        + /pay/v2  Prefix to pay.shop:8080
      "
    `)
  })
  test('namespaces that join and leave', async () => {
    const leaving = { ...namespace('web'), metadata: { name: 'web', labels: { 'flomesh.io/monitored-by': 'other' } } }
    expect(await diff([namespace('outside'), leaving])).toMatchInlineSnapshot(`
      "exit code 1
      Namespaces
        + outside joins the mesh: its sidecars know 1 port of a service
        - web leaves the mesh: its sidecars knew 1 port of a service
      "
    `)
  })
  test('a Service as it will be, without the address that the cluster gave it', async () => {
    const more = {
      ports: [
        { name: 'http', port: 8080 },
        { name: 'admin', port: 9000 },
      ],
    }
    expect(await diff([{ ...service('shop', 'pay'), spec: more }])).toMatchInlineSnapshot(`
      "exit code 1
      Calls
        + pay.shop:9000  FailOver  pods in shop, web
            +  default/default/default/west  1.; 100 % (weight 100); this cluster's Service at CLUSTER-IP:9000
      "
    `)
  })
})

test('data for programs', async () => {
  const manifest = JSON.stringify(policy('shop', 'pay', 'Locality'))
  const { out, code } = await west.portolan('diff -f - -o json', manifest)
  expect(code).toBe(1)
  expect(JSON.parse(out)).toMatchObject({
    changes: {
      calls: [
        {
          service: 'shop/pay',
          namespaces: ['shop', 'web'],
          before: { policy: 'FailOver' },
          after: { policy: 'Locality' },
          backends: [
            { clusterKey: 'default/default/default/east', before: { priority: 0 } },
            { clusterKey: 'default/default/default/west', before: { priority: 1 }, after: { priority: 0 } },
          ],
        },
      ],
    },
    findings: [],
  })
})

test('what it says is what the compiler then writes', async () => {
  const compiler = await startReplica(west.api)
  const spec = { lbType: 'ActiveActive', targets: [target('east', 50), target('north', 150)] }
  const change = { ...policy('shop', 'pay'), spec }
  await west.look.settled()
  const { out } = await west.portolan('diff -f - -o json', JSON.stringify(change))
  const { after } = JSON.parse(out).changes.calls[0]
  await west.look.apply(change)
  await expect
    .poll(async () => (await west.look.table('web'))?.routes.find(({ policy: each }) => each === 'ActiveActive'))
    .toEqual(after)
  await compiler.stop()
  expect(await diff([change])).toContain('exit code 0')
})

describe('what cannot be compared', () => {
  test('manifests that admission refuses', async () => {
    const spec = { lbType: 'FailOver' }
    expect(await diff([{ ...policy('shop', 'pay'), spec }])).toMatchInlineSnapshot(`
      "exit code 2
      -:1: error: GlobalTrafficPolicy shop/pay: spec.targets: FailOver without targets has nowhere to go when the local Service fails. List at least one cluster in spec.targets. [FailOverNeedsTargets]
      error: the manifests would be refused, so there is nothing to compare; correct them first
      "
    `)
  })
  test('files that are not there', async () => {
    expect((await west.portolan('diff -f nowhere')).err).toBe('error: there is no file or directory nowhere\n')
  })
  test('a cluster without our kinds', async () => {
    await kubectl(west.api, ['delete', 'crd', 'serviceimports.flomesh.io'])
    expect(await diff([policy('shop', 'pay')])).toMatchInlineSnapshot(`
      "exit code 2
      error: test: the API server knows no serviceimports of flomesh.io; portolan install brings them
      "
    `)
  })
})
