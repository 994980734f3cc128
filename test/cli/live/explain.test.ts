/** `portolan explain`, against a real API server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { memorySecret } from '../../../federation/controller/memory.ts'
import type { View } from '../../../federation/controller/view.ts'
import { derived, slice as mcsSlice } from '../../dns/build.ts'
import { CLUSTER_KEY, kubectl, SYSTEM } from '../../kube/compiler.ts'
import { east, exported, imported, namespace, pod, policy, service } from '../../kube/objects.ts'
import { type Installed, installed, withoutAddresses } from './installed.ts'

let west: Installed

const slice = (ns: string, name: string, ready: boolean) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: ns, name, labels: { 'kubernetes.io/service-name': name } },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.44.0.9'], conditions: { ready } }],
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
})

beforeAll(async () => {
  west = await installed()
  await west.look.apply(
    namespace('shop'),
    namespace('outside', false),
    service('shop', 'pay'),
    slice('shop', 'pay', true),
    imported('shop', 'pay'),
    policy('shop', 'pay'),
    exported('shop', 'pay'),
    service('shop', 'cart'),
    slice('shop', 'cart', false),
    imported('shop', 'cart'),
    policy('shop', 'cart'),
    imported('shop', 'stock'),
    { ...service('shop', 'odd'), spec: { ports: [{ name: 'http', port: 9090 }] } },
    imported('shop', 'odd'),
    policy('shop', 'odd'),
    service('shop', 'own'),
    slice('shop', 'own', true),
    { ...imported('shop', 'crowd'), spec: { type: 'Headless', doors: ['MCS'], ports: [] } },
    mcsSlice('shop/crowd', 'east', ['crowd-0@10.9.9.9', '10.9.9.10']),
    { ...imported('shop', 'shared'), spec: { doors: ['MCS'], ports: [{ port: 8080, endpoints: [] }] } },
    { ...derived('shop/shared'), spec: { ports: [{ port: 8080 }] } },
  )
})
afterAll(() => west?.api.stop())

const explain = async (line: string) => {
  const { code, out, err } = await west.portolan(`explain ${line}`)
  return `exit code ${code}\n${withoutAddresses(out)}${err}`
}

describe('says what others than pods with a sidecar are told', () => {
  const toldOthers = async (service: string) =>
    (await explain(service)).split('\n\n').find((part) => part.includes('other pods'))
  test('an address that the cluster routes', async () => {
    expect((await toldOthers('shop/shared'))?.replace(/10\.43\.\d+\.\d+/, 'CLUSTER-IP')).toMatchInlineSnapshot(`
      "Names, for all other pods
        shared.shop.svc.clusterset.local  CLUSTER-IP, a Service of this cluster that stands in for it
        As far as the cluster's own DNS asks mesh DNS: portolan dns status."
    `)
  })
  test('each pod of a headless service', async () => {
    expect(await toldOthers('shop/crowd')).toMatchInlineSnapshot(`
      "Names, for all other pods
        10-9-9-10.east.crowd.shop.svc.clusterset.local  10.9.9.10, a pod in east; also for pods with a sidecar
        crowd-0.east.crowd.shop.svc.clusterset.local    10.9.9.9, a pod in east; also for pods with a sidecar
        As far as the cluster's own DNS asks mesh DNS: portolan dns status.
      "
    `)
  })
  test('nothing, where only sidecars have a way', async () => {
    expect(await toldOthers('shop/stock')).toBeUndefined()
  })
})

describe('says where calls go and why', () => {
  test('here, while a pod is ready', async () => {
    expect(await explain('shop/pay')).toMatchInlineSnapshot(`
      "exit code 0
      shop/pay in test (default/default/default/west)

      Who has it
        This cluster has a Service: port 8080 has 1 ready pod.
        This cluster exports it: its gateway serves /pay (port 8080).
        Other clusters that export it:
          default/default/default/east  port 8080  http://10.9.0.1:80/pay

      Policy
        FailOver: calls stay in this cluster while a pod of its Service is ready, else they go to the targets.
          default/default/default/east  weight 100  1 endpoint  takes over when those before it have gone
          default/default/default/west  weight 100  1 endpoint  takes calls now

      Names, for pods with a sidecar
        pay.shop.svc.cluster.local     VIP, which the sidecar takes
        pay.shop.svc.clusterset.local  VIP, which the sidecar takes

      Calls from namespace shop
        pay.shop:8080  stays here while a pod is ready:
          1.  100 %  default/default/default/west  this cluster's Service with 1 ready pod
          2.         default/default/default/east  http://10.9.0.1:80/pay

      Pods without a sidecar
        They cannot call it (yet): it has no Service of its own that leads to the egress.
      "
    `)
  })
  test('elsewhere, as no pod is ready', async () => {
    expect(await explain('cart -n shop')).toMatchInlineSnapshot(`
      "exit code 0
      shop/cart in test (default/default/default/west)

      Who has it
        This cluster has a Service: port 8080 has no ready pods.
        Other clusters that export it:
          default/default/default/east  port 8080  http://10.9.0.1:80/cart

      Policy
        FailOver: calls stay in this cluster while a pod of its Service is ready, else they go to the targets.
          default/default/default/east  weight 100  1 endpoint    takes calls now
          default/default/default/west  weight 0    no endpoints  no pod is ready

      Names, for pods with a sidecar
        cart.shop.svc.cluster.local     VIP, which the sidecar takes
        cart.shop.svc.clusterset.local  VIP, which the sidecar takes

      Calls from namespace shop
        cart.shop:8080  goes to the targets, as no pod is ready here:
          1.  100 %  default/default/default/east  http://10.9.0.1:80/cart
          2.         default/default/default/west  this cluster's Service without a ready pod

      Pods without a sidecar
        They cannot call it (yet): it has no Service of its own that leads to the egress.
      "
    `)
  })
  test('nowhere, as no policy lets them leave', async () => {
    expect(await explain('shop/stock')).toMatchInlineSnapshot(`
      "exit code 0
      shop/stock in test (default/default/default/west)

      Who has it
        This cluster has no Service of this name.
        Other clusters that export it:
          default/default/default/east  port 8080  http://10.9.0.1:80/stock

      Policy
        There is none, which is the same as Locality: calls stay in this cluster.

      Names, for pods with a sidecar
        stock.shop.svc.cluster.local     127.0.0.2, where nothing listens
        stock.shop.svc.clusterset.local  VIP, which the sidecar takes

      Calls from namespace shop
        stock.shop:8080  connection refused (curl exits with 7): no policy routes the name and this cluster has no such Service.
        stock.shop.svc.clusterset.local:8080  HTTP 503 from the sidecar: no cluster takes calls to shop/stock.

      Pods without a sidecar
        They cannot call it (yet): it has no Service of its own that leads to the egress.
      "
    `)
  })
  test('port by port, where this cluster and the others have different ones', async () => {
    expect((await explain('shop/odd')).split('\n\n').at(-2)).toMatchInlineSnapshot(`
      "Calls from namespace shop
        odd.shop:8080  goes to the targets, as this cluster's Service has no port 8080:
          1.  100 %  default/default/default/east  http://10.9.0.1:80/odd
        odd.shop:9090  stays here, as no other cluster takes calls to this port, although no pod is ready:
          1.  100 %  default/default/default/west  this cluster's Service without a ready pod"
    `)
  })
  test('past a target that is drained, and one that exports nothing', async () => {
    const target = (name: string, weight: number) => ({ clusterKey: `default/default/default/${name}`, weight })
    const spec = { lbType: 'FailOver', targets: [target('east', 0), target('north', 100), target('south', 50)] }
    const north = { ...east('/drain'), clusterKey: 'default/default/default/north' }
    await west.look.apply(imported('shop', 'drain', [{ port: 8080, endpoints: [east('/drain'), north] }]), {
      ...policy('shop', 'drain'),
      spec,
    })
    expect(
      (await explain('shop/drain')).split('\n\n').filter((part) => /^(Policy|Calls)/.test(part)),
    ).toMatchInlineSnapshot(`
      [
        "Policy
        FailOver: calls stay in this cluster while a pod of its Service is ready, else they go to the targets.
          default/default/default/east   weight 0    1 endpoint    drained: its weight is 0, so it gets no new calls
          default/default/default/north  weight 100  1 endpoint    takes calls now
          default/default/default/south  weight 0    no endpoints  exports nothing of this name (yet)",
        "Calls from namespace shop
        drain.shop:8080  goes to the targets, as this cluster has no such Service:
          1.  100 %  default/default/default/north  http://10.9.0.1:80/drain",
      ]
    `)
  })
  test('what gateways still serve for those who have not heard', async () => {
    const route = {
      ...{ service: 'shop/own', port: 8080, path: '/old', pathType: 'Prefix', http2: false, endpoints: [] },
      until: '2999-01-01T00:00:00Z',
    }
    const table = JSON.stringify({ version: 'then', routes: [route] })
    const own = exported('shop', 'own')
    await west.look.apply(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { namespace: SYSTEM, name: 'portolan-gateway' },
        data: { 'table.json': table },
      },
      { ...own, spec: { ...own.spec, allowedClients: [{ clusters: ['east'], serviceAccounts: ['curl'] }] } },
    )
    expect((await explain('shop/own')).split('\n\n')[1]).toMatchInlineSnapshot(`
      "Who has it
        This cluster has a Service: port 8080 has 1 ready pod.
        This cluster exports it: its gateway serves /own (port 8080).
        For callers who have not heard yet it still serves /old (port 8080).
        It lets in only */curl of east."
    `)
    const clusters = [{ cluster: 'default/default/default/east' }]
    const words = ['imported by default/default/default/east. Nothing to do.', 'spec.targetClusters[1]: so and so.']
    const told = (message: string) => {
      const condition = {
        type: 'Exported',
        status: 'True',
        reason: 'Exported',
        message,
        lastTransitionTime: '2026-01-01T00:00:00Z',
      }
      const patch = JSON.stringify({ status: { clusters, conditions: [condition] } })
      return kubectl(west.api, [
        'patch',
        'sexp',
        '-n',
        'shop',
        'own',
        '--subresource=status',
        '--type=merge',
        '-p',
        patch,
      ])
    }
    await told(words.join(' '))
    expect(await explain('shop/own')).toContain(
      '  Clusters that import it: default/default/default/east.\n  Its hub says of it: spec.targetClusters[1]: so and so.\n',
    )
    await told(words[0] ?? '')
    expect(await explain('shop/own')).not.toContain('Its hub says')
    await kubectl(west.api, ['delete', 'sexp', '-n', 'shop', 'own'])
  })
  test('to a Service that has nothing to do with other clusters', async () => {
    expect(await explain('shop/own')).toMatchInlineSnapshot(`
      "exit code 0
      shop/own in test (default/default/default/west)

      Who has it
        This cluster has a Service: port 8080 has 1 ready pod.
        It is neither imported nor exported here.

      Policy
        There is none, which is the same as Locality: calls stay in this cluster.

      Names, for pods with a sidecar
        own.shop.svc.cluster.local  this cluster's own Service, without a proxy

      Calls from namespace shop
        own.shop:8080  goes to this cluster's own Service with 1 ready pod, past the proxy.
      "
    `)
  })
})

describe('--from says whether the pod takes part', () => {
  test('with a sidecar that does not answer: no node runs it', async () => {
    await west.look.apply(pod('shop', 'with', true))
    expect((await explain('shop/pay --from with')).split('\n\n').at(-2)).toMatchInlineSnapshot(`
      "Pod shop/with
        It has a sidecar.
        It keeps a dnsPolicy of its own, so names mean what that server says; add mesh DNS to its dnsConfig.
        Its sidecar knows the service.
        It does not say which table it runs: cannot get /stats of port 15000 of Pod shop/with: pod with does not have a host assigned."
    `)
  })
  test('without one, and why', async () => {
    await west.look.apply(pod('shop', 'without', false), pod('outside', 'stranger', false))
    expect((await explain('shop/pay --from without')).split('\n\n').at(-2)).toMatchInlineSnapshot(`
      "Pod shop/without
        It has no sidecar: the pod should carry a sidecar and runs without one: it was created while the webhook could not be asked. Delete the pod, so that it is created anew; if it comes back without, look whether the webhook is ready.
        Its calls go their plain way: the name means what the cluster's own DNS says, which is this cluster's own Service."
    `)
    expect(await explain('shop/pay --from outside/stranger')).toMatchInlineSnapshot(`
      "exit code 0
      shop/pay in test (default/default/default/west)

      Who has it
        This cluster has a Service: port 8080 has 1 ready pod.
        This cluster exports it: its gateway serves /pay (port 8080).
        Other clusters that export it:
          default/default/default/east  port 8080  http://10.9.0.1:80/pay

      Policy
        FailOver: calls stay in this cluster while a pod of its Service is ready, else they go to the targets.
          default/default/default/east  weight 100  1 endpoint  takes over when those before it have gone
          default/default/default/west  weight 100  1 endpoint  takes calls now

      Names, for pods with a sidecar
        pay.shop.svc.cluster.local     VIP, which the sidecar takes
        pay.shop.svc.clusterset.local  VIP, which the sidecar takes

      Pod outside/stranger
        It has no sidecar: metadata.labels: namespace "outside" is not part of mesh portolan. Label it: kubectl label namespace "outside" flomesh.io/monitored-by=portolan.
        Its calls go their plain way: the name means what the cluster's own DNS says, which is this cluster's own Service.

      Pods without a sidecar
        They cannot call it (yet): it has no Service of its own that leads to the egress.
      "
    `)
  })
  test('a pod that is not there', async () => {
    expect(await explain('shop/pay --from nowhere/without')).toMatchInlineSnapshot(`
      "exit code 2
      error: test: there is no pod nowhere/without, nor any other in namespace nowhere
      "
    `)
    await west.look.apply(pod('shop', 'teller-7d9c5b6f-x2x4z', true))
    expect(await explain('shop/pay --from teller')).toMatchInlineSnapshot(`
      "exit code 2
      error: test: there is no pod shop/teller (did you mean shop/teller-7d9c5b6f-x2x4z?)
      "
    `)
    await kubectl(west.api, ['delete', 'pod', '-n', 'shop', 'teller-7d9c5b6f-x2x4z', '--force'])
    expect(await explain('shop/pay --from witout')).toMatchInlineSnapshot(`
      "exit code 2
      error: test: there is no pod shop/witout (did you mean shop/without?)
      "
    `)
  })
})

test('at the hub: who decides, and what exporters disagree about', async () => {
  const aged = (object: ReturnType<typeof exported>, creationTimestamp: string) => ({
    ...object,
    metadata: { ...object.metadata, creationTimestamp },
  })
  const served = (name: string, port: number) => ({
    ...service('shop', name),
    spec: { ports: [{ name: 'http', port }] },
  })
  const cluster = (name: string) => ({
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'Cluster',
    metadata: { name },
    spec: { gatewayHost: '10.9.0.1', gatewayPort: 80, kubeconfig: 'none' },
  })
  const memory = (name: string, port: number, since: string) => {
    const path = { ...exported('shop', 'pay'), spec: { rules: [{ portNumber: port, path: '/pay' }] } }
    const view = { exports: [aged(path, since)], services: [served('pay', port)] } as unknown as View
    const known = { name, uid: 'uid', clusterKey: `default/default/default/${name}`, namespace: SYSTEM }
    return {
      apiVersion: 'v1',
      kind: 'Secret',
      ...memorySecret(SYSTEM, { cluster: known, kubeconfig: '', view }, undefined),
    }
  }
  await west.look.apply(
    cluster('east'),
    cluster('west'),
    cluster('north'),
    memory('east', 8080, '2026-01-02T00:00:00Z'),
    memory('north', 9090, '2026-01-01T00:00:00Z'),
  )
  expect((await explain('shop/pay')).split('\n\n')[2]).toMatchInlineSnapshot(`
    "What the hub settled
      As hub test last saw the exports, the oldest first:
        default/default/default/north  since TIME  for default/default/default/east, default/default/default/west
        default/default/default/east   since TIME  for default/default/default/north, default/default/default/west
      Who decides:
        port 9090           named http, speaks http  as in default/default/default/north
        type                ordinary                 as in default/default/default/north
        serviceAccountName  *                        as in default/default/default/north
        sessionSticky       false                    as in default/default/default/north
      Conflict: 1 of 2 exporting clusters have other ports than default/default/default/north, whose export is the oldest: port 9090 is not in default/default/default/east; port 8080 in default/default/default/east is left out, as name http is port 9090. Give the Services and the rules of their exports the same ports; until then calls go to whoever serves a port."
  `)
  await kubectl(west.api, ['delete', 'clusters', '--all'])
})

test('data for programs', async () => {
  const { out, code } = await west.portolan('explain shop/pay -o json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    service: 'shop/pay',
    cluster: { key: CLUSTER_KEY },
    policy: { inForce: 'FailOver' },
    calls: [{ to: 'pay.shop', port: 8080, answer: { outcome: 'routed' } }],
  })
})

test('an error of one of its objects is a finding', async () => {
  await west.look.apply(service('shop', 'twin'), {
    ...exported('shop', 'twin'),
    spec: { rules: [{ portNumber: 8080, path: '/pay' }] },
  })
  expect(
    (await explain('shop/twin')).split('\n\n').filter((part) => /exit code|wrong/.test(part)),
  ).toMatchInlineSnapshot(`
    [
      "exit code 1
    shop/twin in test (default/default/default/west)",
      "What is wrong
      error: ServiceExport: spec.rules[0].path: path "/pay" is served for the older ServiceExport shop/pay, so this one gets no calls there. Choose another path, or remove it there.
    ",
    ]
  `)
})

describe('what cannot be done as asked', () => {
  test.each([
    ['a service that nobody has', 'shop/pays'],
    ['in another namespace', 'pay -n sho'],
    ['no name', 'a/b/c'],
    ['another place of installation', 'shop/pay --portolan-namespace osm-system'],
    ['no such context', 'shop/pay --context nowhere'],
  ])('%s', async (_, line) => {
    expect(await explain(line)).toMatchSnapshot()
  })
  test('a cluster without Portolan', async () => {
    await kubectl(west.api, ['delete', 'deploy', '-n', SYSTEM, '--all'])
    expect(await explain('shop/pay')).toMatchInlineSnapshot(`
      "exit code 2
      error: test: Portolan is not installed in namespace portolan-system; install it with portolan install --context test
      "
    `)
  })
  test('a cluster that is down', async () => {
    await west.api.kill()
    expect((await explain('shop/pay')).replaceAll(/127.0.0.1:\d+/g, 'ADDRESS')).toMatchInlineSnapshot(`
      "exit code 2
      error: test: cannot get /version: connect ECONNREFUSED ADDRESS; check that the cluster is up and that the kubeconfig names its address, or name another --context
      "
    `)
    await west.api.start()
  })
})
