import { expect, test } from 'vitest'
import type { Service } from '../../api/core.ts'
import type { CheckFacts } from '../../cli/live/check-facts.ts'
import { globalServices } from '../../cli/live/check-global.ts'
import { ok } from '../../kube/failure.ts'
import * as build from '../compiler/build.ts'

const global = (key: string): Service => {
  const service = build.service(key)
  return { ...service, metadata: { ...service.metadata, annotations: { 'service.cilium.io/global': 'true' } } }
}
const CILIUM = build.service('kube-system/clustermesh-apiserver')
const SHARED = { joined: true, globalServices: true }
const UNSHARED = { joined: true, globalServices: false }

test.each([
  ['none asks for it', [build.service('shop/web')], UNSHARED, 'none'],
  ['the hub shares them', [global('shop/web'), global('shop/db')], SHARED, '2 Services, shared'],
  [
    'there is no hub',
    [global('shop/web')],
    { joined: false, globalServices: false },
    '1 Service, not shared, as no hub has this cluster for a member: portolan cluster join',
  ],
  [
    'Cilium does it',
    [global('shop/web'), CILIUM],
    UNSHARED,
    "1 Service, left to Cilium's own cluster mesh; the hub's Cluster may say spec.globalServices: Enabled",
  ],
  ['Cilium is there, and the hub does it all the same', [global('shop/web'), CILIUM], SHARED, '1 Service, shared'],
  [
    'it is turned off',
    [global('shop/web')],
    UNSHARED,
    "1 Service, not shared, as the hub's Cluster says spec.globalServices: Disabled",
  ],
])('what is said of Services that are global by annotation: %s', (_, services, identity, seen) => {
  const facts = { snapshot: ok(build.snapshot({ services })), mesh: { identity } } as unknown as CheckFacts
  expect(globalServices.look(facts)).toEqual({ seen, found: [] })
})
