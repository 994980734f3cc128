import { expect, test } from 'vitest'
import { withoutSidecar, withoutSidecarText } from '../../cli/live/without-sidecar.ts'
import { compile } from '../../compiler/compile.ts'
import { derivedName } from '../../compiler/derived.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import { worldOf } from '../../compiler/world.ts'
import * as build from '../compiler/build.ts'

const mesh = { ...build.mesh, egressNamespace: 'portolan-system' }
const imported = build.serviceImport('shop/web', [{ cluster: 'east' }])
const headless = { ...imported, spec: { ...imported.spec, type: 'Headless' as const } }
const huge = build.serviceImport(
  'shop/web',
  Array.from({ length: 64 }, (_, index) => ({ cluster: `cluster-${index}` })),
  Array.from({ length: 64 }, (_, index) => ({ port: index + 1 })),
)
const name = derivedName('shop/web')
const derived = build.service(`shop/${name}`, { clusterIP: '10.43.0.9' })
const ours = { ...derived, metadata: { ...derived.metadata, annotations: { 'flomesh.io/derived-from': 'shop/web' } } }
const plain = build.policy('shop/web', 'ActiveActive')
const strict = { ...plain, spec: { ...plain.spec, requireSidecar: true } }

test.each<[string, Partial<Snapshot>, string | undefined]>([
  [
    'by the egress',
    { mesh, services: [ours], policies: [plain] },
    `They call it at 10.43.0.9 (Service shop/${name}) through the egress: whichever pod calls, exporters see portolan-system/portolan-egress.`,
  ],
  [
    'not at all where a sidecar is asked for',
    { mesh, services: [ours], policies: [strict] },
    'They are refused a connection: the policy says requireSidecar.',
  ],
  [
    'not where the egress has no room',
    { mesh, services: [ours], policies: [plain], imports: [huge] },
    'They are refused a connection: the egress has no room for it.',
  ],
  [
    'not before there is the Service',
    { mesh },
    'They cannot call it (yet): it has no Service of its own that leads to the egress.',
  ],
  [
    'not by somebody else’s Service',
    { mesh, services: [derived] },
    'They cannot call it (yet): it has no Service of its own that leads to the egress.',
  ],
  ['of which nothing is said without an egress', { services: [ours] }, undefined],
  ['of which nothing is said where names mean pods', { mesh, imports: [headless] }, undefined],
])('calls of pods without a sidecar: %s', (_, parts, text) => {
  const snapshot = build.snapshot({ imports: [imported], ...parts })
  const [object = imported] = snapshot.imports
  const found = withoutSidecar(worldOf(snapshot), compile(snapshot), object)
  expect(found && withoutSidecarText(found)).toBe(text)
})
