import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { format, levelOf } from '../../api/diagnostics.ts'
import { inject } from '../../webhook/inject.ts'
import { cases, GOLDEN } from './cases.ts'

describe('inject: golden cases', () => {
  test.each(cases)('$name', async ({ name, request }) => {
    const { decision, issues, pod } = inject(request)
    const out = {
      decision,
      issues: issues.map((issue) => `${levelOf(issue)} ${issue.code}: ${format(issue)}`),
      ...(decision.outcome === 'inject' ? { pod } : {}),
    }
    const text = stringify(out, { lineWidth: 0, aliasDuplicateObjects: false })
    await expect(text).toMatchFileSnapshot(join(GOLDEN, `${name}.out.yaml`))
  })

  test('no result without its case', () => {
    const results = readdirSync(GOLDEN).filter((file) => !file.endsWith('.in.yaml'))
    expect(results.sort()).toEqual(cases.map(({ name }) => `${name}.out.yaml`).sort())
  })
})
