import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from '../../compiler/compile.ts'
import { gatewayFiles } from '../../compiler/files.ts'
import { gatewayThatFits } from '../../compiler/gateway-room.ts'
import { bytesOf } from '../../compiler/size.ts'
import type { GatewayTable } from '../../compiler/tables.ts'
import * as build from './build.ts'

const place = { namespace: 'portolan-system', clusterKey: 'a/b/c/d' }

const tablesOf = (exports: Readonly<Record<string, object>>) =>
  compile(
    build.snapshot({
      services: Object.keys(exports).map((key) => build.service(key)),
      exports: Object.entries(exports).map(([key, spec]) => build.serviceExport(key, spec)),
    }),
  )
const tableOf = (exports: Readonly<Record<string, object>>): GatewayTable => tablesOf(exports).gateway

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
    expect(gatewayThatFits(table, place.clusterKey)).toEqual({ table, leftOut: new Map() })
  })

  test('all others, when one export takes all the room there is', () => {
    const { gateway, issues, statuses } = tablesOf({ 'shop/web': {}, 'evil/small': {}, 'evil/greedy': GREEDY })
    expect(served(gateway)).toEqual(['evil/small', 'shop/web'])
    expect(gateway).toEqual(tableOf({ 'shop/web': {}, 'evil/small': {} }))
    expect(gatewayFiles(gateway, undefined, place).refusal).toBeUndefined()
    const [full, ...others] = issues.filter(({ code }) => code === 'GatewayFull')
    expect([full?.object, others]).toEqual([{ kind: 'ServiceExport', namespace: 'evil', name: 'greedy' }, []])
    const unprogrammed = statuses.filter(({ conditions }) => conditions.some(({ reason }) => reason === 'GatewayFull'))
    expect(unprogrammed.map(({ object }) => object.name)).toEqual(['greedy'])
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
    expect([...gatewayThatFits(table, place.clusterKey, almost).leftOut.keys()]).toEqual(['evil/b'])
  })

  test('what is wanted rather than what lingers', () => {
    const table = tableOf({ 'shop/web': {}, 'evil/greedy': { rules: GREEDY.rules } })
    const almost = bytesOf(gatewayFiles(table, undefined, place).files) / 1000 - 1
    const lingering = table.routes.map((route) =>
      route.service === 'shop/web' ? route : { ...route, until: '2026-01-01T00:00:30Z' },
    )
    const { table: fitting, leftOut } = gatewayThatFits({ ...table, routes: lingering }, place.clusterKey, almost)
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
        const { table: fitting, leftOut } = gatewayThatFits(table, place.clusterKey, limitKb)
        const bytes = bytesOf(gatewayFiles(fitting, undefined, place).files)
        expect(bytes <= limitKb * 1000 || served(fitting).length === 0).toBe(true)
        expect([...served(fitting), ...leftOut.keys()].sort()).toEqual(served(table))
      }),
      { numRuns: 60 },
    )
  })
})
