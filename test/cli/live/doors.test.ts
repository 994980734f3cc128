/** What `portolan explain` says of a service that clusters offer in several ways. */
import { describe, expect, test } from 'vitest'
import type { Service } from '../../../api/core.ts'
import type { McsExport } from '../../../api/mcs.ts'
import { explanationText } from '../../../cli/live/explain-text.ts'
import { explanationOf } from '../../../cli/live/explanation.ts'
import { settledOf } from '../../../cli/live/settled.ts'
import { painter } from '../../../cli/print.ts'
import { compile } from '../../../compiler/compile.ts'
import type { Member } from '../../../federation/constituent.ts'
import * as build from '../../compiler/build.ts'
import { cluster } from '../../federation/worlds.ts'

const at = (day: number) => ({ creationTimestamp: `2026-01-0${day}T00:00:00Z` })
const ports = [{ name: 'http', port: 80 }]
const standard = (day: number, spec: McsExport['spec'] = {}): McsExport => ({
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceExport',
  metadata: { namespace: 'shop', name: 'web', ...at(day) },
  spec,
  status: {
    conditions: [
      {
        type: 'Valid',
        status: 'False',
        reason: 'NoService',
        message: 'gone.',
        lastTransitionTime: '2026-01-09T00:00:00Z',
      },
    ],
  },
})
const shared = (day: number): Service => {
  const service = build.service('shop/web', { ports })
  const annotations = { 'service.cilium.io/global': 'true' }
  return { ...service, metadata: { ...service.metadata, ...at(day), annotations } }
}
const west: Member = {
  cluster: 'west',
  exports: [build.serviceExport('shop/web', { serviceAccountName: 'web' }, at(5))],
  mcsExports: [standard(3, { exportedLabels: { team: 'shop' } })],
  services: [shared(4)],
  globalServices: true,
}
const east: Member = {
  cluster: 'east',
  exports: [],
  services: [shared(2)],
  globalServices: true,
}
const clusters = [cluster('east'), cluster('west')]

const explain = (members: readonly Member[]) => {
  const { cluster: _, ...own } = members.find((each) => each.cluster === 'west') ?? west
  const snapshot = build.snapshot(own)
  const settled = settledOf('shop/web', { hub: 'home', clusters, members })
  return explanationOf({
    cluster: 'west',
    service: 'shop/web',
    snapshot,
    tables: compile(snapshot),
    ...(settled === undefined ? {} : { settled }),
  })
}
const linesOf = (members: readonly Member[]) =>
  explanationText(explain(members), painter(false))
    .split('\n')
    .map((line) => line.trim().replaceAll(/ {2,}/g, ' | '))

describe('a service through all doors', () => {
  const lines = linesOf([east, west])

  test('here', () => {
    expect(lines).toContain(
      'It is offered by ServiceExport and ServiceExport.multicluster.x-k8s.io and annotation service.cilium.io/global.',
    )
    expect(lines).toContain('Valid=False (NoService): gone.')
  })

  test('which door made it as old as it is, and for whom it is', () => {
    expect(lines).toContain(
      'default/default/default/east | since 2026-01-02T00:00:00Z | by annotation service.cilium.io/global | for default/default/default/west',
    )
    expect(lines).toContain(
      'default/default/default/west | since 2026-01-03T00:00:00Z by ServiceExport.multicluster.x-k8s.io | by ServiceExport and ServiceExport.multicluster.x-k8s.io and annotation service.cilium.io/global | for default/default/default/east',
    )
  })

  test.each([
    'port 80 | named http, speaks http | as in default/default/default/east, by its Service',
    'type | ordinary | as in default/default/default/east, by its Service',
    'serviceAccountName | web | as in default/default/default/west, by its ServiceExport',
    'sessionAffinity | None | as in default/default/default/east, by its Service',
    'labels | team=shop | as in default/default/default/west, by its ServiceExport.multicluster.x-k8s.io',
  ])('who decides: %s', (line) => expect(lines).toContain(line))
})

test('nothing is said of doors where there is but a ServiceExport', () => {
  const plain = { cluster: 'west', exports: west.exports, services: [build.service('shop/web', { ports })] }
  const lines = linesOf([plain])
  expect(lines.filter((line) => /offered by|, by its/.test(line))).toEqual([])
  expect(lines).toContain('serviceAccountName | web | as in default/default/default/west')
})
