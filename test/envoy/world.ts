/** Three clusters on loopback: west calls through a sidecar, east and north serve through gateways. */

import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { Tables } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend, startH2Backend } from './backend.ts'
import { type Gateway, type Sidecar, startGateway, startSidecar, VIP_RANGE } from './site.ts'

export interface World {
  /** The one port that all services are called at. */
  readonly port: number
  readonly tables: { readonly west: Tables; readonly east: Tables; readonly north: Tables }
  readonly sidecar: Sidecar
  readonly gateways: { readonly east: Gateway; readonly north: Gateway }
  readonly apps: readonly Backend[]
  readonly vip: (service: string) => string
  readonly stop: () => Promise<void>
}

const meshOf = (cluster: string) => ({ ...build.mesh, clusterKey: build.clusterKey(cluster), vipRange: VIP_RANGE })

export const startWorld = async (): Promise<World> => {
  const port = await freePort()
  const apps = {
    westWeb: await startBackend('west web', '127.43.0.7', port),
    eastWeb: await startBackend('east web', '127.60.0.1'),
    eastAdmin: await startBackend('east admin', '127.60.0.2'),
    eastApi: await startBackend('east api', '127.60.0.3'),
    northWeb: await startBackend('north web', '127.70.0.1'),
    northApi: await startBackend('north api', '127.70.0.2'),
    northRoot: await startBackend('north root', '127.70.0.3'),
  }
  const grpc = await startH2Backend('east grpc', '127.60.0.4')

  /** A Service that one pod stands behind. */
  const behind = (key: string, pod: { readonly host: string; readonly port: number }, appProtocol?: string) => ({
    service: build.service(key, {
      clusterIP: 'None',
      ports: [{ port, ...(appProtocol === undefined ? {} : { appProtocol }) }],
    }),
    slice: build.pods(key, [pod.host], pod.port),
  })

  /** A Service without a pod, as after `kubectl scale --replicas=0`: whoever calls its address is refused. */
  const asleep = (key: string) => ({
    service: build.service(key, { clusterIP: '127.60.0.99', ports: [{ port }] }),
    slice: build.pods(key, [], port),
  })

  const site = (cluster: string, served: readonly ReturnType<typeof behind>[], exports: Snapshot['exports']): Tables =>
    compile(
      build.snapshot({
        mesh: meshOf(cluster),
        services: served.map(({ service }) => service),
        endpointSlices: served.map(({ slice }) => slice),
        exports,
      }),
    )

  const east = site(
    'east',
    [
      behind('shop/web', apps.eastWeb),
      behind('shop/admin', apps.eastAdmin),
      behind('shop/api', apps.eastApi),
      behind('shop/grpc', grpc, 'grpc'),
      asleep('shop/asleep'),
    ],
    [
      build.serviceExport('shop/web', {
        rules: [
          { portNumber: port, path: '/east/web' },
          { portNumber: port, path: '/east/health', pathType: 'Exact' },
        ],
      }),
      build.serviceExport('shop/admin', {
        rules: [{ portNumber: port, path: '/east/web/admin' }],
        pathRewrite: { from: '^/east/web/admin/(v[0-9]+)', to: '/api/\\1' },
      }),
      build.serviceExport('shop/api'),
      build.serviceExport('shop/grpc'),
      build.serviceExport('shop/asleep', { rules: [{ portNumber: port, path: '/east/asleep' }] }),
    ],
  )
  const north = site(
    'north',
    [behind('shop/web', apps.northWeb), behind('shop/api', apps.northApi), behind('shop/root', apps.northRoot)],
    [
      build.serviceExport('shop/web', { rules: [{ portNumber: port, path: '/north/web' }] }),
      build.serviceExport('shop/api'),
      build.serviceExport('shop/root', { rules: [{ portNumber: port, path: '/' }] }),
    ],
  )
  const gateways = {
    east: await startGateway(east.gateway, east.cluster.key),
    north: await startGateway(north.gateway, north.cluster.key),
  }

  const at = {
    east: (path: string) => ({ cluster: 'east', host: '127.0.0.1', port: gateways.east.port, path }),
    north: (path: string) => ({ cluster: 'north', host: '127.0.0.1', port: gateways.north.port, path }),
  }
  const imported = (key: string, ...exporters: readonly build.Exporter[]) =>
    build.serviceImport(key, exporters, [{ port }])
  const west = compile(
    build.snapshot({
      mesh: meshOf('west'),
      namespaces: [build.namespace('app'), build.namespace('narrow', { 'flomesh.io/imports': 'shop/api' })],
      services: [
        ...['web', 'first', 'shared', 'mine'].map((name) =>
          build.service(`shop/${name}`, { clusterIP: apps.westWeb.host, ports: [{ port }] }),
        ),
        build.service('shop/starting', { clusterIP: '127.43.0.99', ports: [{ port }] }),
      ],
      endpointSlices: ['web', 'first', 'shared', 'mine'].map((name) => build.pods(`shop/${name}`, ['10.0.0.1'], 80)),
      imports: [
        imported('shop/web', at.east('/east/web'), at.north('/north/web')),
        imported('shop/first', at.east('/east/web')),
        imported('shop/shared', at.east('/east/web'), at.north('/north/web')),
        imported('shop/mine', at.east('/east/web')),
        imported('shop/starting', at.east('/east/web')),
        imported('shop/api', at.east(`/shop/api/${port}`), at.north(`/shop/api/${port}`)),
        imported('shop/order', at.east('/east/web'), at.north('/north/web')),
        imported('shop/admin', at.east('/east/web/admin')),
        imported('shop/exact', at.east('/east/health')),
        imported('shop/root', at.north('')),
        imported('shop/unserved', at.east('/east/nothing')),
        imported('shop/early', at.east('/east/later'), at.north('/north/web')),
        imported('shop/asleep', at.east('/east/asleep'), at.north('/north/web')),
        imported('shop/drained', at.east('/east/web')),
        imported('shop/closed', at.east('/east/web')),
        imported('shop/grpc', at.east(`/shop/grpc/${port}`)),
      ],
      policies: [
        build.policy('shop/first', 'FailOver', ['east']),
        build.policy('shop/shared', 'ActiveActive', [
          { cluster: 'west', weight: 100 },
          { cluster: 'east', weight: 50 },
          { cluster: 'north', weight: 25 },
        ]),
        build.policy('shop/mine', 'ActiveActive', [
          { cluster: 'west', weight: 0 },
          { cluster: 'east', weight: 1 },
        ]),
        build.policy('shop/starting', 'FailOver', ['east']),
        build.policy('shop/api', 'ActiveActive'),
        build.policy('shop/order', 'FailOver', [
          { cluster: 'east', priority: 1 },
          { cluster: 'north', priority: 0 },
        ]),
        build.policy('shop/admin', 'FailOver', ['east']),
        build.policy('shop/exact', 'FailOver', ['east']),
        build.policy('shop/root', 'FailOver', ['north']),
        build.policy('shop/unserved', 'FailOver', ['east']),
        build.policy('shop/early', 'ActiveActive'),
        build.policy('shop/asleep', 'ActiveActive'),
        build.policy('shop/drained', 'ActiveActive', [{ cluster: 'east', weight: 0 }]),
        build.policy('shop/grpc', 'FailOver', ['east']),
      ],
    }),
  )
  const [table] = west.sidecars
  if (!table) throw new Error('west has no sidecar')
  const unknown = ['127.240.100.1', '127.240.255.1', ...west.vips.flatMap((vip) => vip.ips)].map(
    (ip) => `${ip}:${port}`,
  )
  const known = new Set(table.routes.map((route) => `${route.vip}:${route.port}`))
  const sidecar = await startSidecar(
    table,
    west.cluster.key,
    unknown.filter((place) => !known.has(place)),
  )
  return {
    port,
    tables: { west, east, north },
    sidecar,
    gateways,
    apps: Object.values(apps),
    vip: (service) => west.vips.find((vip) => `${vip.namespace}/${vip.name}` === service)?.ips[0] ?? '',
    stop: async () => {
      await Promise.all([sidecar, gateways.east, gateways.north].map((each) => each.stop()))
      await Promise.all([...Object.values(apps), grpc].map((each) => each.kill()))
    },
  }
}
