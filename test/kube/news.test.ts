/** What a person hears of a change of a status. */
import { expect, test } from 'vitest'
import type { Condition } from '../../api/meta.ts'
import { GLOBAL_TRAFFIC_POLICIES, MCS_IMPORTS, SERVICE_EXPORTS, SERVICE_IMPORTS } from '../../api/resources.ts'
import { newsOf } from '../../compiler/controller/news.ts'

const condition = (type: string, status: Condition['status'], reason: string, message = reason): Condition => ({
  type,
  status,
  reason,
  message,
  lastTransitionTime: '2026-01-01T00:00:00Z',
})
const RESOURCES = {
  ServiceExport: SERVICE_EXPORTS,
  ServiceImport: SERVICE_IMPORTS,
  GlobalTrafficPolicy: GLOBAL_TRAFFIC_POLICIES,
  McsImport: MCS_IMPORTS,
}
const news = (kind: keyof typeof RESOURCES, before: object | undefined, status: Readonly<Record<string, unknown>>) =>
  newsOf({ resource: RESOURCES[kind], namespace: 'shop', name: 'pay', before, status }).map(
    ({ type, reason }) => `${type} ${reason}`,
  )

const valid = condition('Valid', 'True', 'Valid')
const invalid = condition('Valid', 'False', 'ExportWithoutService')

test.each<[string, Condition | undefined, Condition, readonly string[]]>([
  ['a new object that is well', undefined, valid, []],
  ['a new object that is not', undefined, invalid, ['Warning ExportWithoutService']],
  ['nothing changed', valid, valid, []],
  ['nothing changed but the time', { ...valid, lastTransitionTime: '2025-01-01T00:00:00Z' }, valid, []],
  ['it went wrong', valid, invalid, ['Warning ExportWithoutService']],
  ['it is well again', invalid, valid, ['Normal Valid']],
  ['well in another way', valid, { ...valid, message: 'the gateway serves /b' }, ['Normal Valid']],
  ['wrong in another way', invalid, condition('Valid', 'False', 'PathConflict'), ['Warning PathConflict']],
])('%s', (_, before, after, expected) => {
  const status = before === undefined ? undefined : { conditions: [before] }
  expect(news('ServiceExport', status, { conditions: [after] })).toEqual(expected)
})

test.each<[string, Condition | undefined, Condition, readonly string[]]>([
  ['is on its way', undefined, condition('Programmed', 'Unknown', 'Propagating'), []],
  ['has arrived', condition('Programmed', 'Unknown', 'Propagating'), condition('Programmed', 'True', 'Programmed'), []],
  [
    'is refused',
    condition('Programmed', 'Unknown', 'Propagating'),
    condition('Programmed', 'False', 'ProxyRefuses'),
    ['Warning ProxyRefuses'],
  ],
  [
    'is refused no more',
    condition('Programmed', 'False', 'ProxyRefuses'),
    condition('Programmed', 'True', 'Programmed'),
    ['Normal Programmed'],
  ],
])('a table %s', (_, before, after, expected) => {
  const status = before === undefined ? undefined : { conditions: [before] }
  expect(news('GlobalTrafficPolicy', status, { conditions: [after] })).toEqual(expected)
})

test('clusters that export a service, and no more; not those that it is born with', () => {
  const clusters = (...names: readonly string[]) => ({ clusters: names.map((cluster) => ({ cluster })) })
  expect(news('ServiceImport', clusters('a', 'b'), clusters('b', 'c'))).toEqual([
    'Normal ExporterJoined',
    'Normal ExporterLeft',
  ])
  expect(news('ServiceImport', undefined, clusters('a'))).toEqual([])
  // Those of the standard's import are the same.
  expect(news('McsImport', clusters('a'), clusters('b'))).toEqual([])
  // Of an export they are those who import it, and the hub's to tell.
  expect(news('ServiceExport', clusters('a'), { conditions: [valid] })).toEqual([])
})
