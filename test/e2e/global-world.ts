/** What the clusters of global.test.ts hold: one Service for each row of the truth table, and a few pods for all of them. */
import {
  AFFINITY_WORDS,
  annotationsOf,
  answering,
  HEALTHS,
  type Health,
  isShared,
  reaches,
  type Side,
  WORDS,
} from '../compiler/global-truth.ts'
import { APP_IMAGE, client, meshNamespace, plainNamespace } from './manifests.ts'

export const NS = 'global'
export const CALLERS = 'global-callers'
/** A Service of its own pods, whose annotations and pods change while it is called. */
export const LIVE = 'live'

export interface Row {
  readonly name: string
  readonly east: Side
  readonly west: Side
}
type Name = 'east' | 'west'

const HEALTHY = { global: 'true', health: 'healthy' } as const

const pairs = <A, B>(first: readonly A[], second: readonly B[]): readonly (readonly [A, B])[] =>
  first.flatMap((a) => second.map((b) => [a, b] as const))

/**
 * Each value of each annotation, with each health of the own pods; each health of both sides' under each affinity; and
 * what is said of sharing, from either side. All combinations there are go through ../federation/global-truth.test.ts.
 */
export const ROWS: readonly Row[] = [
  ...pairs(AFFINITY_WORDS, HEALTHS).map(
    ([affinity, health]) => [{ global: 'true', affinity, health }, HEALTHY] as const,
  ),
  ...pairs(pairs(['none', 'local', 'remote'], HEALTHS), ['none', 'unready', 'terminating'] as const).map(
    ([[affinity, health], theirs]) =>
      [
        { global: 'true', affinity, health },
        { global: 'true', health: theirs },
      ] as const,
  ),
  ...pairs(WORDS, HEALTHS).map(([global, health]) => [{ global, health, alias: true }, HEALTHY] as const),
  ...pairs(WORDS, ['healthy', 'none'] as const).map(
    ([shared, health]) =>
      [
        { global: 'true', health },
        { ...HEALTHY, shared },
      ] as const,
  ),
  ...WORDS.map((shared) => [{ ...HEALTHY, shared, alias: true }, HEALTHY] as const),
].map(([west, east], index) => ({ name: `row-${index}`, west, east }))

const service = (name: string, selector: object, annotations: object) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: NS, annotations },
  spec: { selector, ports: [{ name: 'http', port: 8080 }] },
})

const pod = (labels: object, says: string, more: object = {}) => ({
  metadata: { labels },
  spec: {
    terminationGracePeriodSeconds: 3,
    containers: [
      {
        name: 'app',
        image: APP_IMAGE,
        env: [{ name: 'CLUSTER', value: says }],
        readinessProbe: { httpGet: { path: '/status/200', port: 8080 }, periodSeconds: 1 },
        ...more,
      },
    ],
  },
})

const deployment = (name: string, replicas: number, labels: object, template: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: NS },
  spec: { replicas, selector: { matchLabels: labels }, template },
})

/** How many pods `healthy` has: calls are to be shared two to one. */
export const PODS: Readonly<Record<Name, number>> = { east: 2, west: 1 }
/** Long enough for all that is asked of it while it goes. */
const DRAIN_SECONDS = 600

const DEPLOYED: Readonly<Record<Exclude<Health, 'terminating'>, (of: Name) => object>> = {
  healthy: (of) => deployment('healthy', PODS[of], { health: 'healthy' }, pod({ health: 'healthy' }, of)),
  none: (of) => deployment('none', 1, { health: 'none' }, pod({ health: 'none' }, of)),
  unready: (of) =>
    deployment(
      'unready',
      1,
      { health: 'unready' },
      pod({ health: 'unready' }, of, { readinessProbe: { httpGet: { path: '/status/503', port: 8080 } } }),
    ),
}

/** A pod that is ready until it is deleted, and serves on for long after that. */
const leaving = (of: Name) => {
  const { metadata, spec } = pod({ health: 'terminating' }, of)
  const [container] = spec.containers
  const env = [...(container?.env ?? []), { name: 'DRAIN', value: String(DRAIN_SECONDS * 1000) }]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...metadata, name: 'terminating', namespace: NS },
    spec: { terminationGracePeriodSeconds: DRAIN_SECONDS, containers: [{ ...container, env }] },
  }
}

export const world = (of: Name): readonly object[] => [
  plainNamespace(NS),
  meshNamespace(CALLERS),
  client(CALLERS, 'client'),
  ...Object.values(DEPLOYED).map((make) => make(of)),
  leaving(of),
  deployment(LIVE, 1, { app: LIVE }, pod({ app: LIVE }, of)),
  service(LIVE, { app: LIVE }, { 'service.cilium.io/global': 'true' }),
  ...ROWS.map((row) => service(row.name, { health: row[of].health }, annotationsOf(row[of]))),
]

const other = (of: Name): Name => (of === 'east' ? 'west' : 'east')

/** Names of the clusters whose pods answer calls from one of them; sorted. */
export const expected = (row: Row, from: Name): readonly string[] =>
  answering(row[from], row[other(from)])
    .map((who) => (who === 'own' ? from : other(from)))
    .sort()

/** How many services a cluster imports: what others share with it, and what it shares itself, so that names keep their address. */
export const importsOf = (from: Name): number =>
  1 + ROWS.filter((row) => isShared(row[from]) || reaches(row[from], row[other(from)])).length

const told = ({ global, shared, affinity, health, alias = false }: Side): string => {
  const words = Object.entries({ global, shared, affinity }).flatMap(([key, word]) =>
    word === undefined ? [] : [`${key} ${word}`],
  )
  return `${words.join(', ') || 'nothing'}${alias ? ' in the older spelling' : ''}, ${health}`
}

export const titleOf = (row: Row, from: Name): string =>
  `from ${from} (${told(row[from])}) with ${other(from)} (${told(row[other(from)])}): ${expected(row, from).join(' and ') || 'nobody'}`
