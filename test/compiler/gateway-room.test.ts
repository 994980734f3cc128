import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { gatewayFiles } from '../../compiler/files.ts'
import { gatewayThatFits } from '../../compiler/gateway-room.ts'
import { bytesOf } from '../../compiler/size.ts'
import type { GatewayTable } from '../../compiler/tables.ts'
import * as build from './build.ts'

const place = { namespace: 'portolan-system', clusterKey: 'a/b/c/d' }

const tableOf = (exports: Readonly<Record<string, object>>): GatewayTable =>
  compile(
    build.snapshot({
      services: Object.keys(exports).map((key) => build.service(key)),
      exports: Object.entries(exports).map(([key, spec]) => build.serviceExport(key, spec)),
    }),
  ).gateway

const names = (count: number, letters: number) =>
  Array.from({ length: count }, (_, index) => `${index}-${'n'.repeat(letters)}`)

/** All that an export may say: 64 rules, and for each the names of 32 times 32 clients. */
const GREEDY = {
  rules: names(64, 0).map((name) => ({ portNumber: 8080, path: `/evil/${name}` })),
  allowedClients: Array.from({ length: 32 }, () => ({ serviceAccounts: names(32, 240) })),
}
const served = ({ routes, tcp }: GatewayTable) => [...new Set([...routes, ...tcp].map(({ service }) => service))].sort()

describe('gateways serve', () => {
  test('all, where all fit', () => {
    const table = tableOf({ 'shop/web': {}, 'shop/api': {} })
    expect(gatewayThatFits(table, place)).toEqual({ table, leftOut: new Map() })
  })

  test('all others, when one export takes all the room there is', () => {
    const table = tableOf({ 'shop/web': {}, 'evil/small': {}, 'evil/greedy': GREEDY })
    expect(gatewayFiles(table, undefined, place).refusal).toBeDefined()
    const { table: fitting, leftOut } = gatewayThatFits(table, place)
    expect(served(fitting)).toEqual(['evil/small', 'shop/web'])
    expect(gatewayFiles(fitting, undefined, place).refusal).toBeUndefined()
    expect(fitting.version).not.toBe(table.version)
    expect([...leftOut].map(([service, { code }]) => [service, code])).toEqual([['evil/greedy', 'GatewayFull']])
  })

  test('of the namespace that takes most, not its largest; nor one of any other', () => {
    const many = names(6, 0).map((name) => [`shop/${name}`, { rules: [{ portNumber: 8080, path: `/shop/${name}` }] }])
    const rules = (count: number, letters: number) =>
      names(count, letters).map((name) => ({ portNumber: 8080, path: `/evil/${name}` }))
    const table = tableOf({
      ...Object.fromEntries(many),
      'evil/a': { rules: rules(8, 9) },
      'evil/b': { rules: rules(9, 8) },
    })
    const almost = bytesOf(gatewayFiles(table, undefined, place).files) / 1000 - 1
    expect([...gatewayThatFits(table, place, almost).leftOut.keys()]).toEqual(['evil/b'])
  })

  test('what is wanted rather than what lingers', () => {
    const table = tableOf({ 'shop/web': {}, 'evil/greedy': GREEDY })
    const lingering = table.routes.map((route) =>
      route.service === 'shop/web' ? route : { ...route, until: '2026-01-01T00:00:30Z' },
    )
    const { table: fitting, leftOut } = gatewayThatFits({ ...table, routes: lingering }, place)
    expect([served(fitting), leftOut.size]).toEqual([['shop/web'], 0])
  })

  test('law: what is left fits, and each that is not is told', () => {
    const counts = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 20 })), { maxLength: 8 })
    fc.assert(
      fc.property(counts, fc.integer({ min: 46, max: 90 }), (all, limitKb) => {
        const table = tableOf(
          Object.fromEntries(
            all.map(([namespace, rules], index) => [
              `${namespace}/s${index}`,
              { rules: names(rules, 40).map((name) => ({ portNumber: 8080, path: `/${namespace}/${index}/${name}` })) },
            ]),
          ),
        )
        const { table: fitting, leftOut } = gatewayThatFits(table, place, limitKb)
        const bytes = bytesOf(gatewayFiles(fitting, undefined, place).files)
        expect(bytes <= limitKb * 1000 || served(fitting).length === 0).toBe(true)
        expect([...served(fitting), ...leftOut.keys()].sort()).toEqual(served(table))
      }),
      { numRuns: 60 },
    )
  })
})
