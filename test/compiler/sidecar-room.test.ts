import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { levelOf } from '../../api/diagnostics.ts'
import { compile } from '../../compiler/compile.ts'
import { sidecarFiles } from '../../compiler/files.ts'
import { mostBytes, sidecarThatFits } from '../../compiler/sidecar-room.ts'
import { bytesOf } from '../../compiler/size.ts'
import type { SidecarTable } from '../../compiler/tables.ts'
import * as build from './build.ts'
import { cases } from './cases.ts'

const KEY = 'a/b/c/d'

/** How many clusters export each service. */
type Imported = Readonly<Record<string, number>>

const tablesOf = (imported: Imported, namespaces = ['app']) =>
  compile(
    build.snapshot({
      namespaces: namespaces.map((name) => build.namespace(name)),
      imports: Object.entries(imported).map(([key, clusters]) =>
        build.serviceImport(
          key,
          Array.from({ length: clusters }, (_, index) => ({ cluster: `cluster-${index}` })),
        ),
      ),
      policies: Object.keys(imported).map((key) => build.policy(key, 'ActiveActive')),
    }),
  )
const tableOf = (imported: Imported): SidecarTable => tablesOf(imported).sidecars[0] ?? expect.unreachable()
const known = ({ routes }: SidecarTable) => [...new Set(routes.map(({ service }) => service))].sort()
/** In a namespace whose name is as long as any. */
const kilobytes = (table: SidecarTable) =>
  bytesOf(sidecarFiles({ ...table, namespace: 'n'.repeat(63) }, KEY).files) / 1000
const all = () => true

describe('sidecars know', () => {
  test('all, where all fit', () => {
    const table = tableOf({ 'shop/web': 2, 'shop/api': 2 })
    expect(sidecarThatFits(table, KEY, all)).toEqual({ table, leftOut: [] })
    expect(sidecarThatFits(table, KEY, all, kilobytes(table))).toEqual({ table, leftOut: [] })
  })

  test('of the namespace that takes most, not its largest; nor is one of any other left out', () => {
    const many = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`shop/s${index}`, 2]))
    const table = tableOf({ ...many, 'evil/a': 9, 'evil/b': 10 })
    const { table: fitting, leftOut } = sidecarThatFits(table, KEY, all, kilobytes(table) - 1)
    expect(leftOut).toEqual(['evil/b'])
    expect(fitting).toEqual(tableOf({ ...many, 'evil/a': 9 }))
  })

  test('what is imported rather than addresses of what was', () => {
    const table = tableOf({ 'shop/web': 2, 'evil/gone': 40 })
    const fitted = sidecarThatFits(table, KEY, (service) => service !== 'evil/gone', kilobytes(table) - 1)
    expect([known(fitted.table), fitted.leftOut]).toEqual([['shop/web'], []])
  })

  test('what fits when one namespace exports a great many; the others are told, at import and policy', () => {
    const greedy = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`evil/s${index}`, 3]))
    const { sidecars, issues, statuses } = tablesOf({ 'shop/web': 2, ...greedy }, ['app', 'shop'])
    for (const table of sidecars) {
      expect(sidecarFiles(table, KEY).refusal).toBeUndefined()
      expect(known(table)).toContain('shop/web')
      expect(known(table).length).toBeGreaterThan(100)
    }
    const full = issues.filter(({ code }) => code === 'SidecarsFull')
    expect(full.every((issue) => levelOf(issue) === 'error' && issue.object.namespace === 'evil')).toBe(true)
    expect(full[0]?.params).toEqual({ callers: 'app, shop', limit: 900, namespace: 'evil' })
    const unprogrammed = statuses.flatMap(({ object, conditions }) =>
      conditions.some(({ type, status }) => type === 'Programmed' && status === 'False')
        ? [`${object.kind} ${object.namespace}/${object.name}`]
        : [],
    )
    expect(unprogrammed).toEqual(
      ['GlobalTrafficPolicy', 'ServiceImport'].flatMap((kind) =>
        full.map(({ object }) => `${kind} evil/${object.name}`),
      ),
    )
    expect(known(sidecars[0] ?? expect.unreachable()).length + full.length).toBe(501)
  })

  test.each(cases)('$name: what it takes is never thought less than it is', ({ tables }) => {
    for (const table of tables.sidecars)
      expect(bytesOf(sidecarFiles(table, KEY).files)).toBeLessThanOrEqual(mostBytes(table))
  })

  test('law: what is left fits, and each that is not is told', () => {
    const imported = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 12 })), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(imported, fc.integer({ min: 15, max: 60 }), (each, limitKb) => {
        const table = tableOf(Object.fromEntries(each.map(([namespace, n], index) => [`${namespace}/s${index}`, n])))
        const { table: fitting, leftOut } = sidecarThatFits(table, KEY, all, limitKb)
        expect(kilobytes(fitting) <= limitKb || fitting.routes.length === 0).toBe(true)
        expect([...known(fitting), ...leftOut].sort()).toEqual(known(table))
        if (kilobytes(table) <= limitKb) expect(leftOut).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})
