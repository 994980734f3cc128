/** The worked cases of the standard's merge: what the golden files say of them, held against what the standard says. */
import { describe, expect, test } from 'vitest'
import { cases } from './cases.ts'

const NONE = 'False NoConflicts'

interface Row {
  /** As west imports them: name/port/protocol, and the clusters that they lead to. */
  readonly ports: readonly string[]
  /** Of a and of b, of c1 and c2; undefined where there is no such condition. */
  readonly conflict: readonly (string | undefined)[]
  /** In the import of all. */
  readonly standard?: object
  readonly valid?: readonly string[]
}

const http = 'http/80/TCP a b'
const TABLE: Readonly<Record<string, Row>> = {
  'mcs-a01-alike': { ports: [http], conflict: [NONE, NONE] },
  'mcs-a02-ports-union': { ports: [http, 'metrics/9090/TCP b'], conflict: ['True PortConflict', 'True PortConflict'] },
  'mcs-a03-name-means-another-number': {
    ports: ['http/80/TCP a'],
    conflict: ['True PortConflict', 'True PortConflict'],
  },
  'mcs-a04-number-has-another-name': { ports: [http], conflict: ['True PortConflict', 'True PortConflict'] },
  'mcs-a05-protocols': {
    ports: ['dns-tcp/53/TCP b', 'dns/53/UDP'],
    conflict: ['True PortConflict', 'True PortConflict'],
  },
  'mcs-a06-names-empty': { ports: ['/80/TCP a'], conflict: ['True PortConflict', 'True PortConflict'] },
  'mcs-a07-app-protocol': { ports: [http], conflict: ['True PortConflict', 'True PortConflict'] },
  'mcs-a08-type': { ports: [http], conflict: ['True TypeConflict', 'True TypeConflict'] },
  'mcs-a09-session-affinity': {
    ports: [http],
    conflict: ['True SessionAffinityConflict', 'True SessionAffinityConflict'],
    standard: { sessionAffinity: 'ClientIP', sessionAffinitySeconds: 10 },
  },
  'mcs-a10-labels': {
    ports: [http],
    conflict: ['True LabelsConflict', 'True LabelsConflict'],
    standard: { labels: { a: '1' } },
  },
  'mcs-a11-internal-traffic-policy-alike': { ports: [http], conflict: [NONE, NONE] },
  'mcs-a12-traffic-distribution': {
    ports: [http],
    conflict: ['True TrafficDistributionConflict', 'True TrafficDistributionConflict'],
    standard: { trafficDistribution: 'PreferClose' },
  },
  'mcs-a13-ip-families-in-common': { ports: [http], conflict: [NONE, NONE], standard: { ipFamilies: ['IPv4'] } },
  'mcs-a14-ip-families': {
    ports: [http],
    conflict: ['True IPFamilyConflict', 'True IPFamilyConflict'],
    standard: { ipFamilies: ['IPv4'] },
  },
  'mcs-a15-external-name': {
    ports: ['http/80/TCP b'],
    conflict: [undefined, NONE],
    valid: ['False InvalidServiceType', 'True Valid'],
  },
  'mcs-a16-no-service': {
    ports: ['http/80/TCP b'],
    conflict: [undefined, NONE],
    valid: ['False NoService', 'True Valid'],
  },
  'mcs-a17-oldest-withdrawn': { ports: ['http/8080/TCP b'], conflict: [NONE] },
  'mcs-a17-oldest-going': { ports: ['http/8080/TCP b'], conflict: [NONE] },
  'mcs-a18-same-second': { ports: ['http/80/TCP c1'], conflict: ['True PortConflict', 'True PortConflict'] },
  'mcs-several-conflicts': {
    ports: ['http/80/TCP a'],
    conflict: Array.from({ length: 2 }, () => 'True PortConflict,TypeConflict,SessionAffinityConflict,LabelsConflict'),
  },
  'mcs-udp-alone': { ports: ['dns/53/UDP'], conflict: [NONE, undefined], valid: ['True Valid'] },
}

describe.each(Object.entries(TABLE))('%s', (name, { ports, conflict, standard = {}, valid }) => {
  const federation = cases.find((each) => each.name === name)?.federation
  const said = (type: string) =>
    federation?.exports.map((each) => {
      const found = each.standard?.conditions.find((condition) => condition.type === type)
      return found && `${found.status} ${found.reason}`
    })

  test('what is imported', () => {
    const [imported] = federation?.members.find(({ cluster }) => cluster === 'west')?.imports ?? []
    expect(
      imported?.spec.ports.map(({ name = '', port, protocol, endpoints = [] }) =>
        [`${name}/${port}/${protocol}`, ...endpoints.map(({ clusterKey }) => clusterKey.split('/')[3])].join(' '),
      ),
    ).toEqual(ports)
    expect(imported?.spec.doors).toEqual(['MCS'])
    expect(imported?.spec.standard).toMatchObject(standard)
  })

  test('what exporters are told', () => {
    expect(said('Conflict')).toEqual(conflict)
    if (valid) expect(said('Valid')?.filter(Boolean)).toEqual(valid)
  })
})

test('labels of two exporters are not joined', () => {
  const { federation } = cases.find(({ name }) => name === 'mcs-a10-labels') ?? {}
  for (const { imports } of federation?.members ?? []) expect(imports[0]?.spec.standard?.labels).toEqual({ a: '1' })
})
