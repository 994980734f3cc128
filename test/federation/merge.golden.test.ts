import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { applyDefaults } from '../../api/defaults.ts'
import { FEDERATION } from '../../api/diagnostics/federation.ts'
import { STANDARD } from '../../api/diagnostics/standard.ts'
import { format, levelOf } from '../../api/diagnostics.ts'
import { validateObject } from '../../webhook/validate.ts'
import { cases, GOLDEN } from './cases.ts'

/** Of clusters, by the hub; of an import that is full, which takes more clusters than a case has room for. */
const SAID_ELSEWHERE = [
  ...['Connected', 'Connecting', 'Unreachable', 'Unauthorized', 'Forbidden', 'TLSError', 'KubeconfigInvalid'],
  ...[
    'KubeconfigSecretMissing',
    'NotInstalled',
    'DuplicateCluster',
    'ManagedElsewhere',
    'ServerReplaced',
    'CredentialsExpire',
    'ClusterLeft',
    'LeftBehind',
  ],
  ...['NamespaceMissing', 'ImportNotOurs', 'Exported', 'Exporting', 'NoImporter', 'NotExported', 'Outvoted'],
  'ImportFull',
  ...['Pending', 'Ready', 'Failed', 'PodAddressesOnly', 'NoGatewayNeeded'],
]

const SEEDS = join(import.meta.dirname, '../golden/seeds')

describe('merge: golden cases', () => {
  test.each(cases)('$name', async ({ name, federation }) => {
    const exports = federation.exports.map((each) => ({
      ...each,
      issues: each.issues.map((issue) => `${levelOf(issue)} ${issue.code}: ${format(issue)}`),
    }))
    const text = stringify({ ...federation, exports }, { lineWidth: 0, aliasDuplicateObjects: false })
    await expect(text).toMatchFileSnapshot(join(GOLDEN, `${name}.out.yaml`))
  })

  test.each(cases)('$name: admission takes what is imported', ({ federation }) => {
    const imports = federation.members.flatMap((member) => member.imports)
    expect(imports.flatMap((each) => validateObject(each))).toEqual([])
  })

  test.each(Object.keys({ ...FEDERATION, ...STANDARD }).filter((code) => !SAID_ELSEWHERE.includes(code)))(
    '%s occurs in a case',
    (code) => {
      const verdicts = cases.flatMap(({ federation }) => federation.exports)
      const said = verdicts.flatMap(({ issues, status }) => [
        ...issues.map((issue) => issue.code),
        ...status.conditions.flatMap((condition) => condition.reason.split(',')),
      ])
      expect(said).toContain(code)
    },
  )

  test('no result without its case', () => {
    const results = readdirSync(GOLDEN).filter((file) => !file.endsWith('.in.yaml'))
    expect(results.sort()).toEqual(cases.map(({ name }) => `${name}.out.yaml`).sort())
  })
})

test('the import of the walkthrough is what is printed there', () => {
  const { federation } = cases.find(({ name }) => name === 'walkthrough') ?? {}
  const cluster2 = federation?.members.find(({ cluster }) => cluster === 'cluster-2')
  expect(cluster2?.imports.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
    'httpbin/httpbin',
    'httpbin/httpbin-cluster-1',
    'httpbin/httpbin-cluster-3',
  ])
  const [httpbin] = cluster2?.imports ?? []
  const printed = JSON.parse(readFileSync(join(SEEDS, '000-import-spec.json'), 'utf8')) as unknown
  expect(httpbin?.spec).toEqual(printed)
  expect(httpbin && applyDefaults(httpbin)).toEqual(httpbin)
})
