import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { format, levelOf } from '../../api/diagnostics.ts'
import { gatewayCds, gatewayRds } from '../../compiler/render-gateway.ts'
import { hostsFile } from '../../compiler/render-hosts.ts'
import { sidecarCds } from '../../compiler/render-sidecar.ts'
import { cases, GOLDEN } from './cases.ts'

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
      hosts: hostsFile(tables.dns),
    }
    await expect(pretty(files)).toMatchFileSnapshot(join(GOLDEN, `${name}.envoy.json`))
  })

  test('no result without its case', () => {
    const results = readdirSync(GOLDEN).filter((file) => !file.endsWith('.in.yaml'))
    expect(results.sort()).toEqual(cases.flatMap(({ name }) => [`${name}.envoy.json`, `${name}.out.yaml`]).sort())
  })
})
