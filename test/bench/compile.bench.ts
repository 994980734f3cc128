/**
 * What compilation costs: services × 3 clusters (this one and two that export), known to 10 mesh namespaces.
 *
 *     node --expose-gc test/bench/compile.bench.ts
 */
import { Bench } from 'tinybench'
import { compile } from '../../compiler/compile.ts'
import { gatewayFiles, sidecarFiles } from '../../compiler/files.ts'
import { sidecarCds } from '../../compiler/render-sidecar.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import type { Tables } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'

const SIZES = [10, 100, 1000]
const NAMESPACES = 10

const nameOf = (index: number): string => `team-${index % NAMESPACES}/service-${index}`

/** Every service runs here and in two clusters that export it. `pods` of service 0 tells two snapshots apart. */
const clusterOf = (services: number, pods: readonly string[]): Snapshot => {
  const names = Array.from({ length: services }, (_, index) => nameOf(index))
  return build.snapshot({
    namespaces: Array.from({ length: NAMESPACES }, (_, index) => build.namespace(`team-${index}`)),
    services: names.map((name) => build.service(name)),
    endpointSlices: names.map((name, index) => build.pods(name, index === 0 ? pods : ['10.0.0.1', '10.0.0.2'], 80)),
    imports: names.map((name) =>
      build.serviceImport(
        name,
        ['cluster-1', 'cluster-3'].map((cluster, index) => ({ cluster, host: `192.168.1.11${index}`, port: 8080 })),
      ),
    ),
    exports: names.map((name) => build.serviceExport(name)),
    policies: names.map((name, index) =>
      build.policy(name, index % 2 === 0 ? 'FailOver' : 'ActiveActive', ['cluster-1', 'cluster-3']),
    ),
  })
}

const place = { namespace: 'portolan-system', clusterKey: build.mesh.clusterKey }

const filesOf = (tables: Tables): number =>
  [
    ...tables.sidecars.map((table) => sidecarFiles(table, place.clusterKey)),
    gatewayFiles(tables.gateway, undefined, place),
  ]
    .flatMap(({ files }) => Object.values(files))
    .reduce((sum, text) => sum + text.length, 0)

const heapMb = (): number => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 1e6
}

const rows = []
for (const services of SIZES) {
  const before = heapMb()
  const one = clusterOf(services, ['10.0.0.1'])
  // As from an informer: all but the changed object are the same.
  const other = { ...one, endpointSlices: [build.pods(nameOf(0), ['!10.0.0.1'], 80), ...one.endpointSlices.slice(1)] }
  const held = heapMb() - before
  const tables = compile(one)
  const tablesMb = heapMb() - before - held

  const bench = new Bench({ time: services > 100 ? 1500 : 500, warmupTime: 200 })
  let flip = false
  let last = tables
  // Cold: nothing is known of these objects.
  let fresh = one
  let decided = tables
  const forget = (): void => {
    fresh = structuredClone(one)
    decided = structuredClone(tables)
  }
  bench.add('compile', () => void compile(fresh), { beforeEach: forget })
  bench.add('render', () => void filesOf(decided), { beforeEach: forget })
  bench.add('change', () => {
    flip = !flip
    last = compile(flip ? other : one, last)
    filesOf(last)
  })
  await bench.run()
  const ms = (name: string): string => {
    const result = bench.getTask(name)?.result
    return result && 'latency' in result ? result.latency.p50.toFixed(result.latency.p50 < 10 ? 2 : 0) : '?'
  }
  const [sidecar] = tables.sidecars
  const perPort = (text: string): number => Math.round(text.length / services)
  rows.push({
    services,
    'compile cold ms': ms('compile'),
    'render cold ms': ms('render'),
    'one change, both ms': ms('change'),
    'CDS bytes per service-port': sidecar ? perPort(sidecarCds(sidecar)) : 0,
    'table bytes': sidecar ? perPort(JSON.stringify(sidecar)) : 0,
    'snapshot MB': held.toFixed(1),
    'tables MB': tablesMb.toFixed(1),
  })
}
console.table(rows)
