/** The truth table of Services that are shared by annotation, through merge and compilation, for every combination. */
import { expect, test } from 'vitest'
import type { Service } from '../../api/core.ts'
import { compile } from '../../compiler/compile.ts'
import type { Tables } from '../../compiler/tables.ts'
import { whereTo } from '../../compiler/where-to.ts'
import { merge } from '../../federation/merge.ts'
import * as build from '../compiler/build.ts'
import {
  annotationsOf,
  answering,
  FEW_WORDS,
  HEALTHS,
  type Health,
  type Side,
  type Who,
  WORDS,
} from '../compiler/global-truth.ts'

interface Row {
  readonly name: string
  readonly west: Side
  readonly east: Side
}

const AFFINITIES = [undefined, 'none', 'Local', 'REMOTE', 'nearest'] as const

const sides = (words: readonly (string | undefined)[], affinities: readonly (string | undefined)[]): readonly Side[] =>
  words.flatMap((global) =>
    FEW_WORDS.flatMap((shared) =>
      affinities.flatMap((affinity) => HEALTHS.map((health) => ({ global, shared, affinity, health }))),
    ),
  )

/** Affinity is the caller's: that the other's has no say is seen from the other side. */
const ROWS: readonly Row[] = sides(WORDS, AFFINITIES).flatMap((west, w) =>
  sides(FEW_WORDS, [undefined]).map((east, e) => ({
    name: `s${w}-${e}`,
    west: { ...west, alias: w % 2 === 1 },
    east: { ...east, alias: e % 3 === 1 },
  })),
)

const READY: Readonly<Record<Health, number>> = { healthy: 2, none: 0, unready: 0, terminating: 0 }
const ENDPOINTS: Readonly<Record<Health, readonly object[]>> = {
  healthy: [{ ready: true }, { ready: true }],
  none: [],
  unready: [{ ready: false, serving: false, terminating: false }],
  terminating: [{ ready: false, serving: true, terminating: true }],
}

const serviceOf = (name: string, side: Side): Service => {
  const service = build.service(`shop/${name}`, { ports: [{ name: 'http', port: 8080, targetPort: 80 }] })
  return { ...service, metadata: { ...service.metadata, annotations: annotationsOf(side) } }
}
const sliceOf = (name: string, { health }: Side) => ({
  ...build.pods(`shop/${name}`, [], 80, { name: 'http' }),
  endpoints: ENDPOINTS[health].map((conditions, index) => ({ addresses: [`10.0.0.${index + 1}`], conditions })),
})

const CLUSTERS = ['east', 'west'] as const
const cluster = (name: string) => ({
  apiVersion: 'flomesh.io/v1alpha1',
  kind: 'Cluster' as const,
  metadata: { name },
  spec: { gatewayHost: '192.0.2.1', gatewayPort: 80 },
})

/** The tables of both clusters, as the hub makes their imports. */
function tablesOf(rows: readonly Row[]): Readonly<Record<'east' | 'west', Tables>> {
  const members = CLUSTERS.map((name) => ({
    cluster: name,
    exports: [],
    globalServices: true,
    services: rows.map((row) => serviceOf(row.name, row[name])),
    backends: Object.fromEntries(rows.map((row) => [`shop/${row.name}`, { http: READY[row[name].health] }])),
  }))
  const { members: imports } = merge(members, CLUSTERS.map(cluster))
  const of = (name: 'east' | 'west') => {
    const services = members.find((each) => each.cluster === name)?.services ?? []
    return compile(
      build.snapshot({
        mesh: { ...build.mesh, clusterKey: build.clusterKey(name), vipRange: '240.0.0.0/8' },
        globalServices: true,
        services,
        endpointSlices: rows.map((row) => sliceOf(row.name, row[name])),
        imports: imports.find((each) => each.cluster === name)?.imports ?? [],
      }),
    )
  }
  return { east: of('east'), west: of('west') }
}

/** Whose pods take a call, in turn: the first turn with anybody who answers at all. */
function found(tables: Tables, elsewhere: Tables, row: Row, own: Side, other: Side): readonly Who[] {
  const able = (health: Health) => health === 'healthy' || health === 'terminating'
  const answer = whereTo(
    tables,
    { fromNamespace: 'app', to: `${row.name}.shop`, port: 8080 },
    new Map([[elsewhere.cluster.key, elsewhere]]),
  )
  if (answer.outcome === 'plain') return able(own.health) ? ['own'] : []
  if (answer.outcome !== 'routed') throw new Error(`${row.name}: ${JSON.stringify(answer)}`)
  const turns = Map.groupBy(
    answer.backends.filter(({ local }) => able((local ? own : other).health)),
    ({ priority }) => priority,
  )
  for (const { local, gateway } of answer.backends) if (!local) expect(gateway?.status).toBe('served')
  return (turns.get(Math.min(...turns.keys())) ?? []).map(({ local }) => (local ? 'own' : 'other'))
}

/** So many Services fit into one table. */
const BATCH = 250

test(`who answers, in all ${ROWS.length} combinations and from both sides`, () => {
  const wrong: object[] = []
  for (let start = 0; start < ROWS.length; start += BATCH) {
    const rows = ROWS.slice(start, start + BATCH)
    const { east, west } = tablesOf(rows)
    for (const row of rows)
      for (const [tables, elsewhere, own, other] of [
        [west, east, row.west, row.east],
        [east, west, row.east, row.west],
      ] as const) {
        const said = found(tables, elsewhere, row, own, other)
        const expected = answering(own, other)
        if ([...said].sort().join() !== [...expected].sort().join()) wrong.push({ own, other, said, expected })
      }
  }
  expect(wrong.slice(0, 5)).toEqual([])
})
