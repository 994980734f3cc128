/** Rendered files as static resources: only then does Envoy say everything that is wrong with them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GATEWAY_MOUNT, ROUTES_MOUNT } from '../../api/names.ts'
import { egressBootstrap, egressSettings } from '../../compiler/render-egress.ts'
import { gatewayBootstrap, gatewaySettings } from '../../compiler/render-gateway.ts'
import { sidecarBootstrap, sidecarSettings } from '../../compiler/render-sidecar.ts'
import { envoy } from '../lab/toolchain.ts'

interface Resource {
  readonly name: string
  readonly [key: string]: unknown
}

const resourcesOf = (file: string): readonly Resource[] =>
  JSON.parse(file).resources.map(({ '@type': _, ...resource }: Resource) => resource)

type Bootstrap = { static_resources: { clusters: Resource[]; listeners: Resource[] }; dynamic_resources?: unknown }

/** `cds.json` of a sidecar with its bootstrap. */
export const sidecarAsStatic = (cds: string): Bootstrap => {
  const { dynamic_resources: _, ...bootstrap } = structuredClone(
    sidecarBootstrap(sidecarSettings('a/b/c/d', { tcpRange: '240.240.128.0/17' })),
  ) as Bootstrap
  bootstrap.static_resources.clusters.push(...resourcesOf(cds))
  return bootstrap
}

/** `cds.json` and `rds.json` of a gateway with its bootstrap; routes to clusters that do not exist are refused. */
export const gatewayAsStatic = (cds: string, rds: string, mtls = false): Bootstrap => {
  const { dynamic_resources: _, ...bootstrap } = structuredClone(
    gatewayBootstrap({ ...gatewaySettings('a/b/c/d'), mtls }),
  ) as Bootstrap
  bootstrap.static_resources.clusters.push(...resourcesOf(cds))
  const [routes] = resourcesOf(rds)
  const text = JSON.stringify(bootstrap, (_, value) => {
    if (!value?.rds) return value
    const { rds: __, ...manager } = value
    return { ...manager, route_config: { ...routes, validate_clusters: true } }
  })
  return JSON.parse(text)
}

/** `cds.json` and `lds.json` of an egress with its bootstrap. */
export const egressAsStatic = (cds: string, lds: string): Bootstrap => {
  const { dynamic_resources: _, ...bootstrap } = structuredClone(
    egressBootstrap(egressSettings('a/b/c/d')),
  ) as Bootstrap
  bootstrap.static_resources.clusters.push(...resourcesOf(cds))
  bootstrap.static_resources.listeners.push(...resourcesOf(lds))
  return bootstrap
}

/** Secrets from files are asked for in the name of a node. */
const NODE = ['--service-node', 'pod.namespace', '--service-cluster', 'namespace']

/** What Envoy has against a configuration; empty when nothing. */
export const complaints = async (config: unknown): Promise<string> => {
  const directory = mkdtempSync(join(tmpdir(), 'portolan-strictly-'))
  const file = join(directory, 'config.json')
  const text = JSON.stringify(config).replaceAll(ROUTES_MOUNT, directory).replaceAll(GATEWAY_MOUNT, directory)
  // What is fetched while it runs must be there all the same, though nobody looks into it now.
  mkdirSync(join(directory, '..data'))
  for (const [path] of text.matchAll(new RegExp(`${directory}/(?:\\.\\.data/)?[^"/]+`, 'g'))) writeFileSync(path, '{}')
  writeFileSync(file, text)
  const child = spawn(
    await envoy(),
    ['--mode', 'validate', '--reject-unknown-dynamic-fields', '-l', 'error', '-c', file, ...NODE],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let output = ''
  child.stderr.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  rmSync(directory, { recursive: true })
  return code === 0 ? '' : output.trim() || `exit code ${code}`
}

/** Many configurations as one: names are made different, so that one run of Envoy judges all of them. */
export const merged = (configs: readonly Bootstrap[]): Bootstrap => {
  const [first] = configs
  if (!first) throw new Error('nothing to validate')
  const apart = configs.map((config, index) =>
    JSON.parse(JSON.stringify(config), (key, value) =>
      (key === 'name' || key === 'cluster' || key === 'stat_prefix') && typeof value === 'string' && isOurs(value)
        ? `${index}.${value}`
        : value,
    ),
  )
  return {
    ...first,
    static_resources: {
      clusters: apart.flatMap((config) => config.static_resources.clusters),
      listeners: apart
        .flatMap((config) => config.static_resources.listeners)
        .map((listener, index) =>
          listener['internal_listener']
            ? listener
            : { ...listener, address: { socket_address: { address: '127.0.0.1', port_value: 10_000 + index } } },
        ),
    },
  }
}

const isOurs = (name: string): boolean =>
  /^(Prefix |Exact |(tcp )?\d+\.\d+\.\d+\.\d+:|(handshake|gate|tcp) \d+\.|(admin|outbound|gateway|metrics|imports|exports|web|egress \d+|tcp-handshakes|tcp-pods)$)/.test(
    name,
  )
