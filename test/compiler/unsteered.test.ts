/** Policies that say nothing of where calls go. */
import { describe, expect, test } from 'vitest'
import type { GlobalTrafficPolicy } from '../../api/global-traffic-policy.ts'
import type { Door } from '../../api/service-import.ts'
import { compile } from '../../compiler/compile.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from './build.ts'

const KEY = 'shop/web'
const policy = (spec: GlobalTrafficPolicy['spec']): GlobalTrafficPolicy => ({ ...build.policy(KEY, 'Locality'), spec })
const EAST = { clusterKey: build.clusterKey('east') }

const snapshotOf = (door: Door): Snapshot => {
  const object = build.serviceImport(KEY, [{ cluster: 'east' }])
  const service = build.service(KEY, { clusterIP: '10.43.0.9' })
  const annotations = { 'service.cilium.io/global': 'true' }
  return build.snapshot({
    globalServices: true,
    imports: [{ ...object, spec: { ...object.spec, doors: [door] } }],
    services: [door === 'GlobalService' ? { ...service, metadata: { ...service.metadata, annotations } } : service],
    endpointSlices: [build.pods(KEY, ['10.1.0.9'], 8080)],
  })
}
const routes = (snapshot: Snapshot) => compile(snapshot).sidecars[0]?.routes
const accepted = (snapshot: Snapshot) =>
  compile(snapshot).statuses.find(({ object }) => object.kind === 'GlobalTrafficPolicy')?.conditions

describe.each<Door>(['GlobalService', 'MCS', 'ServiceExport'])('of a service that is offered by %s', (door) => {
  const snapshot = snapshotOf(door)

  test.each<GlobalTrafficPolicy['spec']>([{ requireSidecar: true }, {}, { targets: [] }])(
    'calls go where they would without it: %j',
    (spec) => {
      const policies = [policy(spec)]
      expect(routes({ ...snapshot, policies })).toEqual(routes(snapshot))
      expect(accepted({ ...snapshot, policies })).toMatchObject([
        { type: 'Accepted', status: 'True', reason: 'AcceptedUnsteered' },
      ])
    },
  )

  test.each<GlobalTrafficPolicy['spec']>([{ lbType: 'Locality', requireSidecar: true }, { targets: [EAST] }])(
    'calls stay here when it says so, or lists targets and does not say what they are for: %j',
    (spec) => {
      const found = routes({ ...snapshot, policies: [policy(spec)] })
      expect(found?.flatMap(({ backends }) => backends.map(({ local }) => local))).toEqual([true])
    },
  )
})
