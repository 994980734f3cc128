/** What `portolan check` says of the family that imports have addresses of, for clusters of any families. */
import { expect, test } from 'vitest'
import type { CheckFacts } from '../../cli/live/check-facts.ts'
import { CHECKS } from '../../cli/live/check-list.ts'
import { runChecks } from '../../cli/live/checks.ts'
import { type Failure, ok } from '../../kube/failure.ts'
import * as build from '../compiler/build.ts'

interface Case {
  readonly range: string
  /** Families of Services. */
  readonly services?: readonly (readonly string[])[]
  /** Ranges of the cluster, as ServiceCIDR has them. */
  readonly ranges?: readonly string[]
  readonly pods?: readonly string[]
}

const V4 = '240.240.0.0/16'
const V6 = 'fd00:240:240::/112'

const verdict = ({ range, services = [], ranges = [], pods = [] }: Case) => {
  const snapshot = build.snapshot({
    services: services.map((ipFamilies, i) => build.service(`shop/s${i}`, { ipFamilies })),
  })
  const named = { apiVersion: 'v1', metadata: { name: 'one' } }
  const facts = {
    mesh: { ...build.mesh, vipRange: range },
    snapshot: ok(snapshot),
    nodes: ok([{ ...named, kind: 'Node', spec: { podCIDRs: pods } }]),
    serviceRanges: ok([{ ...named, kind: 'ServiceCIDR', spec: { cidrs: ranges } }]),
  }
  const checks = CHECKS.filter(({ name }) => name === 'ip-families')
  return runChecks(checks, facts as unknown as CheckFacts)[0]
}

test.each<[string, Case]>([
  ['IPv4 alone, as imports', { range: V4, services: [['IPv4']] }],
  ['IPv6 alone, as imports', { range: V6, services: [['IPv6']], ranges: ['fd00:43::/112'], pods: ['fd00:1::/64'] }],
  ['both, imports the first', { range: V4, services: [['IPv4', 'IPv6'], ['IPv4']] }],
  ['both, imports the second', { range: V6, services: [['IPv4']], ranges: ['10.43.0.0/16', 'fd00:43::/112'] }],
  ['both, as only nodes tell', { range: V4, services: [['IPv6']], pods: ['fd00:1::/64', '10.1.0.0/24'] }],
  ['nobody says which', { range: V6 }],
])('nothing is wrong where a cluster has %s', (_, given) => {
  expect(verdict(given)).toMatchObject({ level: 'ok', found: [] })
})

test.each<[string, Case, string]>([
  ['IPv6 alone', { range: V4, services: [['IPv6']] }, `${V4}, is of IPv4, and pods of this cluster have IPv6 alone`],
  [
    'IPv4 alone',
    { range: V6, ranges: ['10.43.0.0/16'] },
    `${V6}, is of IPv6, and pods of this cluster have IPv4 alone`,
  ],
])('imports of the other family are an error where a cluster has %s', (_, given, sentence) => {
  const result = verdict(given)
  expect(result?.level).toBe('error')
  expect(result?.found.map(({ code, message }) => [code, message])).toEqual([
    ['VipRangeOtherFamily', expect.stringContaining(sentence)],
  ])
  expect(result?.found[0]?.message).toContain('chart value vipRange')
})

test('what may not be read is told, and no more', () => {
  const failure: Failure = { reason: 'Forbidden', message: 'services is forbidden' }
  const facts = { mesh: build.mesh, snapshot: { ok: false, failure } } as unknown as CheckFacts
  const [result] = runChecks(
    CHECKS.filter(({ name }) => name === 'ip-families'),
    facts,
  )
  expect(result?.found.map(({ code }) => code)).toEqual(['CheckImpossible'])
})
