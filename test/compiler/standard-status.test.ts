/** What the compiler says of each object that offers a service. */
import { describe, expect, test } from 'vitest'
import type { Service } from '../../api/core.ts'
import type { McsExport } from '../../api/mcs.ts'
import { MCS_GROUP } from '../../api/names.ts'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from './build.ts'

const standard = (version = 'v1beta1'): McsExport => ({
  apiVersion: `${MCS_GROUP}/${version}`,
  kind: 'ServiceExport',
  metadata: { namespace: 'shop', name: 'web', generation: 7, creationTimestamp: '2026-02-01T00:00:00Z' },
})
const ours = build.serviceExport('shop/web', {}, { generation: 3, creationTimestamp: '2026-03-01T00:00:00Z' })
const http = { name: 'http', port: 80 }
const dns = { name: 'dns', port: 53, protocol: 'UDP' as const }
const web = (spec: Partial<Service['spec']>): Service => build.service('shop/web', spec)
const shared = (spec: Partial<Service['spec']>): Service => {
  const service = web(spec)
  return { ...service, metadata: { ...service.metadata, annotations: { 'service.cilium.io/global': 'true' } } }
}
const taken = build.serviceExport(
  'shop/older',
  { rules: [{ portNumber: 80, path: '/shop/web/80' }] },
  { creationTimestamp: '2026-01-01T00:00:00Z' },
)

const compiled = (snapshot: Partial<Snapshot>) =>
  compile(build.snapshot({ globalServices: true, trust: build.trustIn('west'), ...snapshot }))

const saidOf = (snapshot: Partial<Snapshot>): readonly string[] =>
  compiled(snapshot)
    .statuses.filter(({ object }) => object.name === 'web')
    .map(({ object, generation, conditions }) =>
      [
        object.group ?? object.kind,
        generation,
        ...conditions.map((each) => `${each.type}=${each.status} ${each.reason}`),
      ].join(' '),
    )

const MCS = `${MCS_GROUP} 7`
/** No pod of it is there. */
const SILENT = 'EndpointsReady=False NoReadyPods'
test.each<[string, Partial<Snapshot>, readonly string[]]>([
  [
    'the standard’s',
    { mcsExports: [standard()], services: [web({ ports: [http] })] },
    [`${MCS} Valid=True Valid ${SILENT}`],
  ],
  [
    'the standard’s, with a pod',
    {
      mcsExports: [standard()],
      services: [web({ ports: [http] })],
      endpointSlices: [build.pods('shop/web', ['10.1.0.9'], 80, http)],
    },
    [`${MCS} Valid=True Valid EndpointsReady=True PodsReady`],
  ],
  [
    'the older version of it',
    { mcsExports: [standard('v1alpha1')], services: [web({ ports: [http] })] },
    [`${MCS} Valid=True Valid ${SILENT}`],
  ],
  [
    'both, each of its own generation',
    { exports: [ours], mcsExports: [standard()], services: [shared({ ports: [http] })] },
    [`ServiceExport 3 Valid=True Valid ${SILENT}`, `${MCS} Valid=True Valid ${SILENT}`],
  ],
  ['no Service', { mcsExports: [standard()] }, [`${MCS} Valid=False NoService`]],
  [
    'no Service, each in its own words',
    { exports: [ours], mcsExports: [standard()] },
    ['ServiceExport 3 Valid=False ExportWithoutService', `${MCS} Valid=False NoService`],
  ],
  [
    'an alias',
    { mcsExports: [standard()], services: [web({ type: 'ExternalName' })] },
    [`${MCS} Valid=False InvalidServiceType`],
  ],
  [
    'no port that a gateway serves: that is valid in the standard’s sense alone',
    { exports: [ours], mcsExports: [standard()], services: [web({ ports: [dns] })] },
    ['ServiceExport 3 Valid=False NothingToServe', `${MCS} Valid=True Valid`],
  ],
  [
    'headless, and without ports',
    { mcsExports: [standard()], services: [web({ clusterIP: 'None', ports: [] })] },
    [`${MCS} Valid=True Valid`],
  ],
  [
    'no port at all',
    { mcsExports: [standard()], services: [web({ ports: [] })] },
    [`${MCS} Valid=False NothingToServe`],
  ],
  [
    'a path that an older export has',
    {
      exports: [taken],
      mcsExports: [standard()],
      services: [web({ ports: [http] }), build.service('shop/older', { ports: [http] })],
    },
    [`${MCS} Valid=False PathConflict`],
  ],
  ['an annotation, which has no status', { services: [shared({ ports: [http] })] }, []],
])('%s', (_, snapshot, said) => {
  expect(saidOf(snapshot)).toEqual(said)
})

describe('messages', () => {
  const messageOf = (spec: Partial<Service['spec']>) =>
    compiled({ mcsExports: [standard()], services: [web(spec)] }).statuses[0]?.conditions[0]?.message

  test('a headless Service is said to take a shared network, also where a gateway serves it', () => {
    expect(messageOf({ clusterIP: 'None', ports: [http] })).toMatch(
      /the gateway serves \/shop\/web\/80.*share a network/,
    )
    expect(messageOf({ clusterIP: 'None', ports: [dns] })).toMatch(/^no gateway serves any port.*share a network/)
    expect(messageOf({ ports: [http] })).not.toContain('network')
  })
})

test('what is wrong with a shared Service is said of the Service', () => {
  const { issues } = compiled({ services: [shared({ ports: [dns] })] })
  expect(issues.map(({ code, object }) => `${code} ${object.kind} ${object.name}`)).toEqual([
    'NothingToServe Service web',
    'PortNotServed Service web',
  ])
})
