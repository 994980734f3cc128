/** Names of the clusterset in a real cluster: what pods with a sidecar are told, and all others. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import { client, documents, meshNamespace, plainNamespace } from './manifests.ts'
import { sites } from './mesh.ts'
import { apply, exec, get, kubectl, rolledOut } from './site.ts'

const NS = 'names'
const PLAIN = 'names-plain'
const { west } = sites()

const imported = (name: string, port: number, spec: object = {}) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'ServiceImport',
  metadata: { name, namespace: NS },
  spec: { doors: ['MCS'], ports: [{ name: 'http', port, protocol: 'TCP' }], ...spec },
})

/** As the hub copies it from the cluster that has the pods. */
const pods = (ready: boolean) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'crowd-east',
    namespace: NS,
    labels: {
      'multicluster.kubernetes.io/service-name': 'crowd',
      'multicluster.kubernetes.io/source-cluster': 'east',
    },
  },
  addressType: 'IPv4',
  endpoints: [
    { addresses: ['10.199.0.4'], hostname: 'crowd-0', conditions: { ready: true } },
    { addresses: ['10.199.0.5'], conditions: { ready } },
  ],
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
})

beforeAll(async () => {
  const namespaces = [meshNamespace(NS), plainNamespace(PLAIN)]
  await apply(west, documents(...namespaces, client(NS, 'caller'), client(PLAIN, 'caller')))
  await apply(west, documents(imported('web', 80), imported('crowd', 8080, { type: 'Headless' }), pods(true)))
  await Promise.all([NS, PLAIN].map((namespace) => rolledOut(west, namespace, 'caller')))
})
afterAll(async () => {
  await kubectl(west, 'delete', 'namespace', NS, PLAIN, '--wait=false')
})

/** Values of a name's records as a pod of the namespace is told, sorted. */
const ask = async (namespace: string, type: string, name: string): Promise<readonly string[]> => {
  const { stdout } = await exec(west, namespace, 'deploy/caller', 'curl', 'nslookup', `-type=${type}`, name)
  return [...stdout.matchAll(/^(?:Address: |.*service = )(.*)$/gm)]
    .map(([, value = '']) => value.replace(/\.$/, ''))
    .filter((value) => !/[:#]53$/.test(value))
    .sort()
}
const answers = (namespace: string, type: string, name: string, expected: readonly string[]) =>
  expect.poll(() => ask(namespace, type, name), { timeout: 120_000, interval: 500 }).toEqual(expected)

test('a pod with a sidecar is told the address that is captured, any other one that Kubernetes knows', async () => {
  await until('the import has an address', async () =>
    Boolean((await get(west, '-n', NS, 'serviceimports.flomesh.io', 'web')).spec.ips?.[0]),
  )
  const { ips } = (await get(west, '-n', NS, 'serviceimports.flomesh.io', 'web')).spec
  await answers(NS, 'a', `web.${NS}.svc.clusterset.local`, ips)
  const { items } = await get(west, '-n', NS, 'services', '-l', 'app.kubernetes.io/managed-by=portolan')
  const known = items.map((service: { spec: { clusterIP: string } }) => service.spec.clusterIP)
  await answers(PLAIN, 'a', `web.${NS}.svc.clusterset.local`, known.length > 0 ? known : ips)
  for (const namespace of [NS, PLAIN])
    await answers(namespace, 'srv', `_http._tcp.web.${NS}.svc.clusterset.local`, [
      `0 1 80 web.${NS}.svc.clusterset.local`,
    ])
})

test('both are told the ready pods of a headless service, by name and each by its own', async () => {
  const name = `crowd.${NS}.svc.clusterset.local`
  for (const namespace of [NS, PLAIN]) {
    await answers(namespace, 'a', name, ['10.199.0.4', '10.199.0.5'])
    await answers(namespace, 'a', `crowd-0.east.${name}`, ['10.199.0.4'])
    await answers(namespace, 'srv', name, [`0 1 8080 10-199-0-5.east.${name}`, `0 1 8080 crowd-0.east.${name}`])
  }
  await apply(west, documents(pods(false)))
  for (const namespace of [NS, PLAIN]) {
    await answers(namespace, 'a', name, ['10.199.0.4'])
    await answers(namespace, 'a', `10-199-0-5.east.${name}`, [])
  }
})

test('names of the cluster are as they were, and of the clusterset nobody else’s', async () => {
  const { clusterIP } = (await get(west, '-n', 'default', 'service', 'kubernetes')).spec
  for (const namespace of [NS, PLAIN]) {
    await answers(namespace, 'a', 'kubernetes.default.svc.cluster.local', [clusterIP])
    await answers(namespace, 'a', `web.${NS}.svc.cluster.local`, [])
    await answers(namespace, 'a', `nobody.${NS}.svc.clusterset.local`, [])
  }
})
