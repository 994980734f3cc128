/** Who gets a sidecar: every combination of what pod and namespace say, of mesh and of the pod's network. */
import { describe, expect, test } from 'vitest'
import { inject } from '../../webhook/inject.ts'
import { MESH, SEED } from './cases.ts'

const SAID = ['', 'enabled', 'disabled', 'perhaps'] as const
type Said = (typeof SAID)[number]

/** Rows: what the pod says, nothing first. Columns: the same of its namespace. */
const DECIDED: Readonly<Record<Said, readonly string[]>> = {
  '': ['InjectionNotEnabled', 'inject', 'InjectionDisabled', 'InjectionValueUnknown'],
  enabled: ['inject', 'inject', 'inject', 'inject'],
  disabled: ['InjectionDisabled', 'InjectionDisabled', 'InjectionDisabled', 'InjectionDisabled'],
  perhaps: ['InjectionValueUnknown', 'InjectionValueUnknown', 'InjectionValueUnknown', 'InjectionValueUnknown'],
}
const CELLS = SAID.flatMap((ofPod) =>
  SAID.map((ofNamespace, column) => ({ ofPod, ofNamespace, decided: DECIDED[ofPod][column] })),
)

interface Around {
  readonly prefix: string
  /** Mesh that the namespace is labelled with; '' = none. */
  readonly mesh: string
  readonly hostNetwork: boolean
}

const found = (ofPod: Said, ofNamespace: Said, { prefix, mesh, hostNetwork }: Around): string => {
  const says = (value: Said) => (value === '' ? {} : { annotations: { [`${prefix}/sidecar-injection`]: value } })
  const { decision, issues } = inject({
    pod: {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', ...says(ofPod) },
      spec: { containers: [{ name: 'web', image: 'web' }], ...(hostNetwork ? { hostNetwork } : {}) },
    },
    namespace: {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: 'shop',
        ...(mesh === '' ? {} : { labels: { [`${prefix}/monitored-by`]: mesh } }),
        ...says(ofNamespace),
      },
    },
    mesh: MESH,
    seed: SEED,
  })
  return decision.outcome === 'inject' ? 'inject' : (issues[0]?.code ?? '')
}

describe.each(['flomesh.io', 'openservicemesh.io'])('%s', (prefix) => {
  test.each(CELLS)('the pod says "$ofPod", its namespace "$ofNamespace": $decided', (cell) => {
    const { ofPod, ofNamespace, decided } = cell
    expect(found(ofPod, ofNamespace, { prefix, mesh: MESH.name, hostNetwork: false })).toBe(decided)
  })

  test.each(CELLS)('on the network of its node, "$ofPod" and "$ofNamespace" mean nothing', ({ ofPod, ofNamespace }) => {
    expect(found(ofPod, ofNamespace, { prefix, mesh: MESH.name, hostNetwork: true })).toBe('HostNetwork')
  })

  test.each(['', 'another'])('nor do they in a namespace of mesh "%s", whatever the network', (mesh) => {
    for (const { ofPod, ofNamespace } of CELLS)
      for (const hostNetwork of [false, true])
        expect(found(ofPod, ofNamespace, { prefix, mesh, hostNetwork })).toBe('NamespaceNotInMesh')
  })
})
