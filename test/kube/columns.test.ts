/** What `kubectl get` shows of our kinds: enough to know who calls whom, and why not. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KINDS } from '../../api/kinds.ts'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { kubectl, type Replica, startInstalled, startReplica } from './compiler.ts'
import { type Look, lookAt } from './look.ts'
import { east, exported, imported, namespace, policy, service } from './objects.ts'

let api: ApiServer
let look: Look
let compiler: Replica

beforeAll(async () => {
  api = await startInstalled()
  look = lookAt(api)
  compiler = await startReplica(api)
  const endpoints = [east('/x'), { ...east('/x'), clusterKey: 'eu/a/b/north' }]
  const ports = [8080, 9090].map((port) => ({ name: `p${port}`, port, endpoints }))
  await look.apply(
    namespace('shop'),
    service('shop', 'pay'),
    imported('shop', 'pay', ports),
    imported('shop', 'cart', ports),
    policy('shop', 'pay', 'ActiveActive'),
    policy('shop', 'stray'),
    {
      ...exported('shop', 'pay'),
      spec: { rules: ['/pay', '/pay/again'].map((path) => ({ portNumber: 8080, path })) },
    },
    exported('shop', 'gone'),
  )
  await look.settled()
})
afterAll(async () => {
  await compiler?.stop()
  await api?.stop()
})

/** The rows, by name and then by column; AGE left out. */
async function rows(kind: string, ...args: readonly string[]) {
  const text = await kubectl(api, ['get', kind, '-n', 'shop', ...args])
  const [head = '', ...lines] = text.trimEnd().split('\n')
  // Names of columns have single spaces in them; columns are further apart.
  const columns = [...head.matchAll(/\S+(?: \S+)*/g)].map((found) => ({ name: found[0], from: found.index }))
  return Object.fromEntries(
    lines.map((line) => {
      const cells = columns.map(({ name, from }, i) => [name, line.slice(from, columns[i + 1]?.from).trim()])
      const { NAME = '', AGE: _, ...row } = Object.fromEntries(cells) as Record<string, string>
      return [NAME, row]
    }),
  )
}

test('no column reads a list, of which kubectl would show the first entry alone', () => {
  const lists = KINDS.flatMap(({ columns }) => columns.filter(({ jsonPath }) => /\[\*\]/.test(jsonPath)))
  expect(lists).toEqual([])
})

test('of imports: who exports them, and whether calls go there', async () => {
  const { cart, pay } = await rows('simp')
  expect(cart).toEqual({
    IP: expect.stringMatching(/^240\.240\./),
    PORTS: '8080, 9090',
    'EXPORTED BY': 'east, eu/a/b/north',
    ROUTED: 'False',
    REASON: 'Refused',
  })
  expect(pay).toMatchObject({ ROUTED: 'True', REASON: 'Routed' })
  expect((await rows('simp', '-o', 'wide'))['cart']?.['MESSAGE']).toContain('connections are refused')
})

test('of policies: where calls go by them', async () => {
  const { pay, stray } = await rows('gtp')
  expect(pay).toEqual({
    TYPE: 'ActiveActive',
    // No pod is ready here, so that this cluster is the last resort.
    'CALLS GO TO': '8080: east; then west | 9090: east',
    ACCEPTED: 'True',
    REASON: 'Accepted',
    RESOLVED: 'True',
    PROGRAMMED: 'True',
  })
  expect(stray).toMatchObject({ 'CALLS GO TO': '', ACCEPTED: 'False', REASON: 'PolicyWithoutImport' })
  const wide = await rows('gtp', '-o', 'wide')
  expect(wide['pay']).toMatchObject({ 'WHY PROGRAMMED': 'NoProxies', MESSAGE: '' })
  expect(wide['stray']?.['MESSAGE']).toContain('there is no ServiceImport shop/stray')
})

test('of exports: where they are served, or why not', async () => {
  const { pay, gone } = await rows('sexp')
  expect(pay).toMatchObject({ PATHS: '/pay, /pay/again', VALID: 'True' })
  expect(gone).toMatchObject({ PATHS: '', VALID: 'False', REASON: 'ExportWithoutService' })
})

test('of clusters: what the hub found out', async () => {
  const status = {
    version: 'v1.35.4',
    exports: 3,
    imports: 0,
    credentialsExpire: '2099-01-01T00:00:00Z',
    conditions: [
      {
        type: 'Managed',
        status: 'False',
        reason: 'Unreachable',
        message: 'no answer since noon',
        lastTransitionTime: '2026-01-01T12:00:00Z',
      },
    ],
  }
  await look.apply({
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'east' },
    spec: { gatewayHost: '10.9.0.1', gatewayPort: 80, kubeconfig: 'x' },
  })
  const patch = ['--subresource=status', '--type=merge', '-p', JSON.stringify({ status })]
  await kubectl(api, ['patch', 'cluster', 'east', ...patch])
  expect((await rows('cluster', '-o', 'wide'))['east']).toMatchObject({
    REGION: 'default',
    GATEWAY: '10.9.0.1',
    MANAGED: 'False',
    REASON: 'Unreachable',
    EXPORTS: '3',
    IMPORTS: '0',
    VERSION: 'v1.35.4',
    EXPIRES: '2099-01-01T00:00:00Z',
    MESSAGE: 'no answer since noon',
  })
})

test('what changes is told in Events of the object, where kubectl describe shows them', async () => {
  const told = async (kind: string) => {
    const events = JSON.parse(await kubectl(api, ['get', 'events', '-n', 'shop', '-o', 'json'])) as {
      items: { type: string; reason: string; involvedObject: { kind: string; name: string } }[]
    }
    return events.items
      .filter(({ involvedObject }) => involvedObject.kind === kind && involvedObject.name === 'pay')
      .map(({ type, reason }) => `${type} ${reason}`)
  }
  expect(await told('ServiceExport')).toEqual([])
  await kubectl(api, ['delete', 'service', '-n', 'shop', 'pay'])
  await until('the export says so', async () => (await told('ServiceExport')).includes('Warning ExportWithoutService'))
  await look.apply(imported('shop', 'pay', [{ port: 8080, endpoints: [east('/x')] }]))
  await until('the import says so', async () => (await told('ServiceImport')).includes('Normal ExporterLeft'))
})
