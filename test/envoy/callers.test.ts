/** Pods of one namespace read one table, and each calls what TrafficTargets allow its own service account. */

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { SidecarTable } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend } from './backend.ts'
import { call } from './call.ts'
import { type Sidecar, startSidecar, VIP_RANGE } from './site.ts'

let west: Backend
let east: Backend
let north: Backend
let port: number
const stops: (() => Promise<void>)[] = []
beforeAll(async () => {
  port = await freePort()
  west = await startBackend('west', '127.43.0.8', port)
  east = await startBackend('east', '127.50.0.3')
  north = await startBackend('north', '127.50.0.4')
})
afterAll(async () => {
  await Promise.all([west, east, north].map((each) => each.kill()))
})
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
})

const target = (name: string, account: string, source: string) => ({
  apiVersion: 'access.smi-spec.io/v1alpha3',
  kind: 'TrafficTarget',
  metadata: { namespace: 'shop', name },
  spec: {
    destination: { kind: 'ServiceAccount', namespace: 'shop', name: account },
    sources: [{ kind: 'ServiceAccount', namespace: source.split('/')[0] ?? '', name: source.split('/')[1] ?? '' }],
  },
})

/** The local pods run as shop/default, those of other clusters as shop/web. */
const tableOf = (lbType: 'ActiveActive' | 'FailOver', access?: Snapshot['access']): SidecarTable => {
  const exporters = [
    { cluster: 'east', host: east.host, port: east.port, path: '/e/x' },
    { cluster: 'north', host: north.host, port: north.port, path: '/n/x' },
  ]
  const imported = build.serviceImport('shop/web', exporters, [{ port }])
  const [table] = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      services: [build.service('shop/web', { clusterIP: west.host, ports: [{ port }] })],
      endpointSlices: [build.pods('shop/web', ['10.0.0.1'], 80)],
      imports: [{ ...imported, spec: { ...imported.spec, serviceAccountName: 'web' } }],
      policies: [build.policy('shop/web', lbType, ['east', 'north'])],
      ...(access === undefined ? {} : { access }),
    }),
  ).sidecars
  if (!table) throw new Error('no table')
  return table
}

const access = (...targets: readonly ReturnType<typeof target>[]): NonNullable<Snapshot['access']> => ({
  targets,
  httpGroups: [],
  tcpRoutes: [],
  accounts: new Map([['shop/web', ['default']]]),
})

async function start(table: SidecarTable, account: string) {
  const [namespace = '', name = ''] = account.split('/')
  const env = { POD_NAMESPACE: namespace, POD_SERVICE_ACCOUNT: name }
  const sidecar: Sidecar = await startSidecar(table, build.mesh.clusterKey, [], undefined, undefined, env)
  stops.push(sidecar.stop)
  const host = table.routes[0]?.vip ?? ''
  const answerers = async () => {
    const names = new Set<string>()
    for (let i = 0; i < 24; i++) {
      const { status, seen } = await call({ host, port, headers: { 'x-portolan-account': 'shop/other' } })
      names.add(status === 200 ? (seen?.name ?? '?') : String(status))
      expect(seen?.headers['x-portolan-account']).toBeUndefined()
    }
    return [...names].sort()
  }
  return { sidecar, host, answerers }
}

test('while the mesh is permissive everybody calls everything; then only what is allowed, without a restart', async () => {
  const { sidecar, host, answerers } = await start(tableOf('ActiveActive'), 'curl/curl')
  expect(await answerers()).toEqual(['east', 'north', 'west'])

  await sidecar.swap(tableOf('ActiveActive', access()))
  expect(await answerers()).toEqual(['403'])
  const { text } = await call({ host, port, path: '/a?b=c', method: 'POST', body: 'x' })
  expect(text).toBe(
    'portolan: service account curl/curl may not call shop/web: enablePermissiveTrafficPolicyMode is false, and no TrafficTarget names it as a source\n',
  )

  await sidecar.swap(tableOf('ActiveActive', access(target('near', 'default', 'curl/curl'))))
  expect(await answerers()).toEqual(['west'])
  await sidecar.swap(
    tableOf('ActiveActive', access(target('near', 'default', 'curl/curl'), target('far', 'web', 'curl/curl'))),
  )
  expect(await answerers()).toEqual(['east', 'north', 'west'])
  await sidecar.swap(tableOf('ActiveActive'))
  expect(await answerers()).toEqual(['east', 'north', 'west'])
})

/** One pod after the other: on loopback they would share the address that calls are captured at. */
async function answersTo(table: SidecarTable, account: string): Promise<readonly string[]> {
  const { sidecar, answerers } = await start(table, account)
  const names = await answerers()
  await sidecar.stop()
  stops.pop()
  return names
}

test.each<['ActiveActive' | 'FailOver', string, readonly string[]]>([
  ['ActiveActive', 'curl/curl', ['west']],
  ['ActiveActive', 'curl/job', ['east', 'north']],
  ['ActiveActive', 'curl/default', ['403']],
  ['FailOver', 'curl/curl', ['west']],
  ['FailOver', 'curl/job', ['east', 'north']],
  ['FailOver', 'shop/curl', ['403']],
])('one table for all pods of a namespace: by %s, %s calls %j', async (lbType, account, names) => {
  const table = tableOf(lbType, access(target('near', 'default', 'curl/curl'), target('far', 'web', 'curl/job')))
  expect(await answersTo(table, account)).toEqual(names)
})

test('who may call one cluster alone is not led to another when that one fails', async () => {
  const { host } = await start(tableOf('FailOver', access(target('near', 'default', 'curl/curl'))), 'curl/curl')
  await west.kill()
  expect((await call({ host, port })).status).toBe(503)
  await west.revive()
})
