/** A cluster's data plane on loopback: what the compiler decided, run by real Envoys. */

import { ROUTES_MOUNT } from '../../api/names.ts'
import type { KeyPair } from '../../certs/issue.ts'
import { egressBootstrap, egressCds, egressLds } from '../../compiler/render-egress.ts'
import { gatewayBootstrap, gatewayCds, gatewayRds } from '../../compiler/render-gateway.ts'
import { sidecarBootstrap, sidecarCds } from '../../compiler/render-sidecar.ts'
import { gatewayTlsFiles, sidecarTlsFiles } from '../../compiler/render-tls.ts'
import type { EgressTable, GatewayTable, SidecarTable } from '../../compiler/tables.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { Mount, OFTEN, type RunningEnvoy, startEnvoy } from './proxy.ts'

/** The range that tests take VIPs from: loopback, so that a proxy can listen on every one of them. */
export const VIP_RANGE = '127.240.0.0/16'

interface Listener {
  readonly name: string
  readonly address: unknown
}

/** The Secret of a service account, mounted: what a proxy of it identifies itself with. */
export class Identity {
  readonly #mount = new Mount()

  constructor(pair: KeyPair) {
    this.renew(pair)
  }

  get directory(): string {
    return this.#mount.directory
  }

  renew({ cert, key }: KeyPair): void {
    this.#mount.swap({ 'tls.crt': cert, 'tls.key': key })
  }

  remove(): void {
    this.#mount.remove()
  }
}

export interface Sidecar extends RunningEnvoy {
  readonly swap: (table: SidecarTable) => Promise<void>
}

/** Stands in for capture: instead of one listener that is told where a call went, one of the same form at each such place. */
export const capturedAt = (bootstrap: ReturnType<typeof sidecarBootstrap>, places: readonly string[]) => {
  const resources = bootstrap['static_resources'] as { readonly listeners: readonly Listener[] }
  const listeners = resources.listeners.flatMap((listener) =>
    listener.name !== 'outbound'
      ? [listener]
      : places.map((place) => {
          const [host = '', port = ''] = place.split(':')
          return { ...listener, name: place, address: { socket_address: { address: host, port_value: Number(port) } } }
        }),
  )
  return { ...bootstrap, static_resources: { ...resources, listeners } }
}

/**
 * @param elsewhere further places, `host:port`, that calls are captured at although the table does not know them
 * @param change made to the clusters before the proxy reads them
 */
export const startSidecar = async (
  table: SidecarTable,
  clusterKey: string,
  elsewhere: readonly string[] = [],
  identity?: Identity,
  change = (cds: string): string => cds,
  env: Readonly<Record<string, string>> = {},
): Promise<Sidecar> => {
  const mount = new Mount()
  const write = (table: SidecarTable): void =>
    mount.swap({
      'cds.json': change(sidecarCds(table).replaceAll(ROUTES_MOUNT, mount.directory)),
      ...(table.trust && identity ? sidecarTlsFiles(table.trust, mount.directory, identity.directory) : {}),
    })
  write(table)
  const [adminPort, metricsPort] = [await freePort(), await freePort()]
  const { tcpRange } = table
  const settings = {
    ...{ clusterKey, directory: mount.directory, accessLog: true, adminPort, metricsPort },
    ...{ capturePort: 0, tcpRange },
  }
  const places = [...table.routes.map((route) => `${route.vip}:${route.port}`), ...elsewhere]
  const proxy = await startEnvoy(capturedAt(sidecarBootstrap(settings), places), settings, env)
  return {
    ...proxy,
    swap: (next) => {
      write(next)
      return proxy.runs(next.version)
    },
    stop: async () => {
      await proxy.stop()
      mount.remove()
    },
  }
}

export interface Gateway extends RunningEnvoy {
  readonly port: number
  readonly swap: (table: GatewayTable) => Promise<void>
}

/** @param at port, any by default */
export const startGateway = async (
  first: GatewayTable,
  clusterKey: string,
  at?: number,
  identity?: Identity,
): Promise<Gateway> => {
  const mount = new Mount()
  let running = first
  const write = (table: GatewayTable, previous?: GatewayTable): void =>
    mount.swap({
      'cds.json': gatewayCds(table, previous),
      'rds.json': gatewayRds(table),
      ...(table.trust && identity ? gatewayTlsFiles(table.trust, mount.directory, identity.directory) : {}),
    })
  write(first)
  const [adminPort, metricsPort, port] = [await freePort(), await freePort(), at ?? (await freePort())]
  const mtls = identity !== undefined
  const settings = { clusterKey, directory: mount.directory, accessLog: true, adminPort, metricsPort, port, mtls }
  const proxy = await startEnvoy(gatewayBootstrap(settings), settings)
  return {
    ...proxy,
    port,
    swap: (next) => {
      write(next, running)
      running = next
      return proxy.runs(next.version)
    },
    stop: async () => {
      await proxy.stop()
      mount.remove()
    },
  }
}

export interface Egress extends RunningEnvoy {
  readonly swap: (table: EgressTable) => Promise<void>
}

/** @param host address that the listeners are at, in place of every address of a pod */
export const startEgress = async (
  first: EgressTable,
  clusterKey: string,
  host: string,
  identity?: Identity,
  env: Readonly<Record<string, string>> = {},
): Promise<Egress> => {
  const mount = new Mount()
  const write = (table: EgressTable): void =>
    mount.swap({
      'cds.json': egressCds(table).replaceAll(ROUTES_MOUNT, mount.directory),
      'lds.json': egressLds(table).replaceAll('"0.0.0.0"', `"${host}"`),
      ...(table.trust && identity ? sidecarTlsFiles(table.trust, mount.directory, identity.directory) : {}),
    })
  write(first)
  const [adminPort, metricsPort] = [await freePort(), await freePort()]
  const settings = { clusterKey, directory: mount.directory, accessLog: true, adminPort, metricsPort }
  const proxy = await startEnvoy(egressBootstrap(settings), settings, env)
  return {
    ...proxy,
    swap: async (next) => {
      write(next)
      const runsIt = async () => {
        const versions = Object.values(await proxy.stats('[cl]ds.version_text'))
        return versions.length === 2 && versions.every((each) => each === next.version)
      }
      await until(`Envoy runs ${next.version}`, runsIt, OFTEN)
    },
    stop: async () => {
      await proxy.stop()
      mount.remove()
    },
  }
}
