import { expect, test } from 'vitest'
import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import { readyVerdict } from '../../federation/ready.ts'

const object = { kind: 'ServiceExport', group: 'multicluster.x-k8s.io', namespace: 'shop', name: 'cart' }

test.each<[Code, Issue['params'], string, string, string]>([
  ['Exported', { clusters: 'a, b' }, 'True', 'Exported', 'imported by a, b'],
  ['Exporting', { count: 1, total: 2, missing: 'b' }, 'True', 'Exported', 'imported by 1 of the 2'],
  ['Exporting', { count: 0, total: 2, missing: 'a, b' }, 'False', 'Pending', 'still to reach a, b'],
  ['NoImporter', {}, 'True', 'Exported', 'no other cluster'],
  ['NotExported', {}, 'False', 'Failed', 'no cluster can import it from here'],
  ['Outvoted', {}, 'False', 'Failed', 'older exports'],
  ['ImportFull', { ports: '80', room: '64 ports' }, 'False', 'Failed', 'port 80'],
])('%s %j is Ready=%s, %s', (code, params = {}, status, reason, words) => {
  const said = readyVerdict(object, { code, object, path: '', params })
  expect(said).toMatchObject({ type: 'Ready', status, reason })
  expect(said.message).toContain(words)
})
