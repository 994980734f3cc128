/** One cluster's gateway with exports of every sort, and callers of every sort. */

import { bundleMapText, issueIdentity, issueRoot, type KeyPair, spiffeBundle, spiffeId } from '../../certs/spiffe.ts'
import { compile } from '../../compiler/compile.ts'
import type { Trust } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend } from './backend.ts'
import { oddCertificate } from './odd-certificate.ts'
import { type Gateway, Identity, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

export const domainOf = (cluster: string): string => `${cluster}.portolan.local`

const gatewayOf = (cluster: string): string => spiffeId(domainOf(cluster), 'portolan-system', 'portolan-gateway')

/** Name → what is shown at the handshake. */
export const CALLERS = [
  'curl',
  'curl elsewhere',
  'robot',
  'not quite robot',
  'admin',
  'curl of north',
  'signed by another member',
  'of another member, signed by ours',
  'signed by a stranger',
  'of a stranger',
  'expired',
  'not yet valid',
  'two names',
  'second name first',
  'allowed by DNS name',
  'allowed by subject',
  'upper case',
  'with an account of two parts',
  'with an account of two lines',
  'of no form',
  'without a name',
  'a certificate that may sign',
  'signed by a leaf',
  'gateway',
] as const
export type Caller = (typeof CALLERS)[number]

export interface AttackWorld {
  readonly gateway: Gateway
  readonly sidecar: Sidecar
  readonly apps: readonly Backend[]
  readonly callers: Readonly<Record<Caller, KeyPair>>
  readonly trust: Trust
  /** Where the sidecar takes calls to a service. */
  readonly vip: (service: string) => { readonly host: string; readonly port: number }
  readonly stop: () => Promise<void>
}

const root = (commonName: string) => issueRoot({ commonName, now: Date.now(), lifeMs: DAY })

const callersOf = async (
  west: KeyPair,
  north: KeyPair,
  stranger: KeyPair,
): Promise<Readonly<Record<Caller, KeyPair>>> => {
  const by = (root: KeyPair, id: string, now = Date.now()) => issueIdentity({ root, id, now, lifeMs: HOUR })
  const id = (account: string, namespace = 'app', cluster = 'west') => spiffeId(domainOf(cluster), namespace, account)
  const odd = (...names: string[]) =>
    oddCertificate({ root: north, names: names.map((value) => ({ type: 'url', value })) })
  const signer = await oddCertificate({ root: west, names: [{ type: 'url', value: id('curl') }], ca: true })
  const leaf = await by(west, id('other'))
  const belowLeaf = await by(leaf, id('curl'))
  return {
    curl: await by(west, id('curl')),
    'curl elsewhere': await by(west, id('curl', 'other')),
    robot: await by(west, id('a.robot')),
    'not quite robot': await by(west, id('axrobot')),
    admin: await by(west, id('root', 'admin')),
    'curl of north': await by(north, id('curl', 'app', 'north')),
    'signed by another member': await by(north, id('curl')),
    'of another member, signed by ours': await by(west, id('curl', 'app', 'north')),
    'signed by a stranger': await by(stranger, id('curl')),
    'of a stranger': await by(stranger, id('curl', 'app', 'mars')),
    expired: await by(west, id('curl'), Date.now() - DAY),
    'not yet valid': await by(west, id('curl'), Date.now() + DAY / 2),
    'two names': await odd(id('curl', 'app', 'north'), id('curl')),
    'second name first': await odd(id('curl'), id('curl', 'app', 'north')),
    'allowed by DNS name': await oddCertificate({
      root: north,
      names: [
        { type: 'url', value: id('curl', 'other', 'north') },
        { type: 'dns', value: id('curl') },
      ],
    }),
    'allowed by subject': await oddCertificate({
      root: north,
      names: [{ type: 'url', value: id('curl', 'other', 'north') }],
      commonName: id('curl'),
    }),
    'upper case': await by(west, id('CURL')),
    'with an account of two parts': await by(west, id('other/sa/curl')),
    'with an account of two lines': await by(west, `${id('other')}\n${id('curl')}`),
    'of no form': await by(west, `spiffe://${domainOf('west')}/curl`),
    'without a name': await oddCertificate({ root: west, names: [{ type: 'email', value: 'curl@west' }] }),
    'a certificate that may sign': signer,
    'signed by a leaf': { key: belowLeaf.key, cert: `${belowLeaf.cert}\n${leaf.cert}` },
    gateway: await by(west, gatewayOf('west')),
  }
}

export const startAttackWorld = async (): Promise<AttackWorld> => {
  const [west, east, north, stranger] = await Promise.all(['west', 'east', 'north', 'stranger'].map(root))
  if (!west || !east || !north || !stranger) throw new Error('four roots')
  const callers = await callersOf(west, north, stranger)
  const bundle = bundleMapText(
    Object.fromEntries(
      Object.entries({ west, east, north }).map(([name, { cert }]) => [domainOf(name), spiffeBundle([cert])]),
    ),
  )
  const trust = (own: string): Trust => ({
    trustDomain: domainOf(own),
    bundle,
    clusters: Object.fromEntries(
      ['east', 'north', 'west'].map((name) => [
        build.clusterKey(name),
        { trustDomain: domainOf(name), gateway: gatewayOf(name) },
      ]),
    ),
  })

  const port = await freePort()
  const curl = { clusters: ['west'], namespaces: ['app'], serviceAccounts: ['curl'] }
  const services: readonly (readonly [name: string, spec: Parameters<typeof build.serviceExport>[1]])[] = [
    ['open', { rules: [{ portNumber: port, path: '/open' }] }],
    ['inner', { rules: [{ portNumber: port, path: '/open/inner' }], allowedClients: [{ namespaces: ['admin'] }] }],
    ['secret', { rules: [{ portNumber: port, path: '/secret' }], allowedClients: [curl] }],
    ['public', { rules: [{ portNumber: port, path: '/secret/public' }] }],
    ['exact', { rules: [{ portNumber: port, path: '/exact', pathType: 'Exact' }], allowedClients: [curl] }],
    ['robots', { rules: [{ portNumber: port, path: '/robots' }], allowedClients: [{ serviceAccounts: ['a.robot'] }] }],
    ['certified', { rules: [{ portNumber: port, path: '/certified' }], allowedClients: [{ clusters: ['*'] }] }],
    ['nobody', { rules: [{ portNumber: port, path: '/nobody' }], allowedClients: [{ clusters: ['mars'] }] }],
    [
      'moved',
      { rules: [{ portNumber: port, path: '/moved' }], pathRewrite: { from: '^/moved/(.*)', to: '/secret/\\1' } },
    ],
  ]
  const apps = await Promise.all(services.map(([name], index) => startBackend(name, `127.61.0.${index + 1}`)))
  const tables = compile(
    build.snapshot({
      mesh: { ...build.mesh, clusterKey: build.clusterKey('east') },
      trust: trust('east'),
      services: services.map(([name]) => build.service(`shop/${name}`, { clusterIP: 'None', ports: [{ port }] })),
      endpointSlices: apps.map(({ name, host, port }) => build.pods(`shop/${name}`, [host], port)),
      exports: services.map(([name, spec]) => build.serviceExport(`shop/${name}`, spec)),
    }),
  )
  const identities = {
    gateway: new Identity(await issueIdentity({ root: east, id: gatewayOf('east'), now: Date.now(), lifeMs: HOUR })),
    sidecar: new Identity(callers.curl),
  }
  const gateway = await startGateway(tables.gateway, tables.cluster.key, undefined, identities.gateway)

  const paths = new Map(tables.gateway.routes.map((route) => [route.service, route.path]))
  const west_ = compile(
    build.snapshot({
      mesh: { ...build.mesh, vipRange: VIP_RANGE },
      trust: trust('west'),
      imports: services.map(([name]) => {
        const path = paths.get(`shop/${name}`) ?? ''
        return build.serviceImport(
          `shop/${name}`,
          [{ cluster: 'east', host: '127.0.0.1', port: gateway.port, path }],
          [{ port }],
        )
      }),
      policies: services.map(([name]) => build.policy(`shop/${name}`, 'FailOver', ['east'])),
    }),
  )
  const [table] = west_.sidecars
  if (!table) throw new Error('no table')
  const sidecar = await startSidecar(table, west_.cluster.key, [], identities.sidecar)
  return {
    gateway,
    sidecar,
    apps,
    callers,
    trust: trust('east'),
    vip: (service) => ({ host: table.routes.find((route) => route.service === `shop/${service}`)?.vip ?? '', port }),
    stop: async () => {
      await Promise.all([sidecar.stop(), gateway.stop()])
      await Promise.all(apps.map((app) => app.kill()))
      for (const identity of Object.values(identities)) identity.remove()
    },
  }
}
