import { expect, test } from 'vitest'
import { callsListed, clustersListed, listed, ruleOf } from '../../compiler/in-a-line.ts'
import type { Backend, ServiceRoute } from '../../compiler/tables.ts'
import { clusterKey } from './build.ts'

const backend = (name: string, priority = 0, weight = 100): Backend => ({
  clusterKey: name.includes('/') ? name : clusterKey(name),
  local: name === 'west',
  priority,
  weight,
  endpoints: [{ host: '10.0.0.1', port: 80 }],
  pathPrefix: '',
})
const route = (policy: ServiceRoute['policy'], port: number, ...backends: readonly Backend[]): ServiceRoute => ({
  service: 'shop/pay',
  vip: '240.240.0.1',
  port,
  policy,
  backends,
})

test.each<[string, readonly ServiceRoute[], string]>([
  ['no route', [], ''],
  ['refused', [route('Locality', 80)], 'nobody'],
  ['stays here', [route('Locality', 80, backend('west'))], 'west'],
  ['takes over', [route('FailOver', 80, backend('west'), backend('east', 1))], 'west; then east'],
  [
    'take over together',
    [route('FailOver', 80, backend('west'), backend('east', 1), backend('eu/a/b/north', 1, 50))],
    'west; then east 100, eu/a/b/north 50',
  ],
  ['shared', [route('ActiveActive', 80, backend('west'), backend('east', 0, 50))], 'west 100, east 50'],
  ['ports that agree', [80, 81].map((port) => route('FailOver', port, backend('east'))), 'east'],
  [
    'ports that differ',
    [route('FailOver', 80, backend('east')), route('FailOver', 81), route('FailOver', 82, backend('east'))],
    '80, 82: east | 81: nobody',
  ],
])('calls: %s', (_, routes, line) => {
  expect(callsListed(routes)).toBe(line)
})

test('a long list is cut and counted', () => {
  const keys = Array.from({ length: 20 }, (_, i) => clusterKey(`c${i}`))
  expect(clustersListed(keys)).toBe('c0, c1, c2, c3, c4, c5, 14 more')
  expect(listed([1, 2, 3, 4, 5, 6, 7])).toBe('1, 2, 3, 4, 5, 6, 7')
})

test.each([
  [{ policy: 'FailOver' }, 'FailOver'],
  [{ policy: 'ActiveActive', decided: 'GlobalService' }, 'global service'],
  [{ policy: 'FailOver', decided: 'GlobalService', affinity: 'remote' }, 'global service, remote first'],
  [{ policy: 'ActiveActive', decided: 'ClusterSet' }, 'clusterset'],
] as const)('%j is by %s', (route, rule) => {
  expect(ruleOf(route)).toBe(rule)
})
