import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { ROUTING } from '../../api/diagnostics/routing.ts'
import { format, levelOf } from '../../api/diagnostics.ts'
import { egressCds, egressLds } from '../../compiler/render-egress.ts'
import { gatewayCds, gatewayRds } from '../../compiler/render-gateway.ts'
import { hostsFile } from '../../compiler/render-hosts.ts'
import { sidecarCds } from '../../compiler/render-sidecar.ts'
import { cases, GOLDEN } from './cases.ts'

/** Of what the hub says, of what has changed, of files that are written or would be too large, and of proxies that read them. */
const SAID_LATER = [
  'ExporterJoined',
  'ExporterLeft',
  'ClusterIdentityMalformed',
  'TrustUnreadable',
  'SidecarWithoutIdentity',
  'TableTooLarge',
  'GatewayFull',
  'SidecarsFull',
  'Programmed',
  'NoProxies',
  'Propagating',
  'ProxyUnreachable',
  'ProxyBehind',
  'ProxyRefuses',
]

const pretty = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`

describe('compile: golden cases', () => {
  test.each(cases)('$name: tables', async ({ name, tables }) => {
    const issues = tables.issues.map((issue) => `${levelOf(issue)} ${issue.code}: ${format(issue)}`)
    const text = stringify({ ...tables, issues }, { lineWidth: 0, aliasDuplicateObjects: false })
    await expect(text).toMatchFileSnapshot(join(GOLDEN, `${name}.out.yaml`))
  })

  test.each(cases)('$name: files', async ({ name, tables, previous }) => {
    const files = {
      sidecars: Object.fromEntries(tables.sidecars.map((table) => [table.namespace, JSON.parse(sidecarCds(table))])),
      gateway: {
        cds: JSON.parse(gatewayCds(tables.gateway, previous?.gateway)),
        rds: JSON.parse(gatewayRds(tables.gateway)),
      },
      ...(tables.egress
        ? { egress: { cds: JSON.parse(egressCds(tables.egress)), lds: JSON.parse(egressLds(tables.egress)) } }
        : {}),
      hosts: hostsFile(tables),
    }
    await expect(pretty(files)).toMatchFileSnapshot(join(GOLDEN, `${name}.envoy.json`))
  })

  test.each(Object.keys(ROUTING).filter((code) => !SAID_LATER.includes(code)))('%s occurs in a case', (code) => {
    const said = cases.flatMap(({ tables }) => [
      ...tables.issues.map((issue) => issue.code),
      ...tables.statuses.flatMap((status) => status.conditions.map((condition) => condition.reason)),
    ])
    expect(said).toContain(code)
  })

  test('no result without its case', () => {
    const results = readdirSync(GOLDEN).filter((file) => !file.endsWith('.in.yaml'))
    expect(results.sort()).toEqual(cases.flatMap(({ name }) => [`${name}.envoy.json`, `${name}.out.yaml`]).sort())
  })
})
