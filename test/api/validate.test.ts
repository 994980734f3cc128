import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { VALIDATION } from '../../api/diagnostics/validation.ts'
import { diagnosticOf } from '../../api/diagnostics.ts'
import { KINDS } from '../../api/kinds.ts'
import type { KubeObject } from '../../api/meta.ts'
import { VERSION } from '../../api/names.ts'
import { applyDefaults, toAdmission, validateObject } from '../../webhook/validate.ts'
import { cases, filesOf, GOLDEN, readObjects } from './cases.ts'

const CASES = cases()

/** What a user of kubectl sees. */
function shown(object: KubeObject, world = {}): string {
  const { allowed, message, warnings } = toAdmission(validateObject(object, world))
  return [...warnings.map((warning) => `Warning: ${warning}`), allowed ? 'accepted' : message, ''].join('\n')
}

describe('each case has the answer in its golden file', () => {
  test.for(CASES)('$name', async ({ name, object, world }) => {
    await expect(shown(object, world)).toMatchFileSnapshot(path.join(GOLDEN, 'validate', `${name}.out`))
  })

  test('no golden file is left over', () => {
    const names = CASES.map(({ name }) => name)
    expect(filesOf('validate', '.out').filter((file) => !names.includes(file.replace(/([.]api)?[.]out$/, '')))).toEqual(
      [],
    )
  })
})

test('every code of validation is produced by a case', () => {
  const produced = new Set(CASES.flatMap(({ object, world }) => validateObject(object, world).map(({ code }) => code)))
  expect(Object.keys(VALIDATION).filter((code) => !produced.has(code))).toEqual([])
})

test('every placeholder of a sentence is filled in', () => {
  for (const { object, world } of CASES) {
    for (const issue of validateObject(object, world)) {
      const { sentence, fix } = diagnosticOf(issue)
      const wanted = [...`${sentence} ${fix}`.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
      const given = Object.keys({ ...issue.params, ...(issue.value === undefined ? {} : { value: '' }) })
      expect(given, `${issue.code} at ${issue.path}`).toEqual(expect.arrayContaining(wanted))
    }
  }
})

test('no answer repeats a credential', () => {
  expect(CASES.filter(({ object }) => JSON.stringify(object).includes('not-so-secret')).length).toBeGreaterThan(5)
  for (const { object, world } of CASES) expect(shown(object, world)).not.toContain('not-so-secret')
})

describe('the manifests of the guides are valid as printed', () => {
  test.for(filesOf('seeds', '.yaml').filter((file) => file !== '002-cluster-a.yaml'))('%s', (file) => {
    for (const object of readObjects(`seeds/${file}`)) {
      expect(validateObject(object).filter((issue) => diagnosticOf(issue).level === 'error')).toEqual([])
    }
  })

  test('002-cluster-a.yaml, but for a name that Kubernetes itself refuses', () => {
    const issues = readObjects('seeds/002-cluster-a.yaml').flatMap((object) => validateObject(object))
    expect(issues.map(({ code }) => code)).toEqual(['NameMalformed', 'KubeconfigInline'])
  })
})

describe('laws', () => {
  const KIND = fc.constantFrom(...KINDS)
  /** Objects of our kinds with anything in them: valid cases with one place replaced, and plain noise. */
  const NOISE = fc.record({ kind: KIND, spec: fc.anything({ maxDepth: 4 }) }).map(({ kind, spec }) => ({
    apiVersion: `${kind.group}/${VERSION}`,
    kind: kind.kind,
    metadata: { name: 'a', namespace: 'b' },
    spec: spec as object,
  }))
  const MUTANT = fc
    .record({ start: fc.constantFrom(...CASES), at: fc.nat(), value: fc.anything({ maxDepth: 2 }) })
    .map(({ start, at, value }) => replaceOne(start.object, at, value))

  test('no object, however odd, makes validation throw', () => {
    fc.assert(
      fc.property(fc.oneof(NOISE, MUTANT), (object) => {
        toAdmission(validateObject(object, { services: [], exports: [], imports: [] }))
      }),
      { numRuns: 1000 },
    )
  })

  test('an object nested or broad beyond all sense is answered', () => {
    const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown
    const broad = Array.from({ length: 20_000 }, (_, i) => ({ [`f${i}`]: deep, clusterKey: `${i}` }))
    for (const { kind, group } of KINDS) {
      for (const spec of [deep, { targets: broad, rules: broad, ports: broad }, { targets: [deep], lbType: deep }]) {
        const object = { apiVersion: `${group}/${VERSION}`, kind, metadata: { name: 'a', namespace: 'b' }, spec }
        expect(toAdmission(validateObject(object)).message.length).toBeLessThan(50_000)
      }
    }
  })

  test('defaults filled in twice are defaults filled in once, and change no verdict', () => {
    fc.assert(
      fc.property(MUTANT, (object) => {
        const once = applyDefaults(object)
        expect(applyDefaults(once)).toEqual(once)
        expect(validateObject(once)).toEqual(validateObject(object))
      }),
    )
  })
})

/** A copy of the object in which one place of the spec, counted in writing order, has another value. */
function replaceOne(object: KubeObject, at: number, value: unknown): KubeObject {
  const copy = structuredClone(object) as KubeObject & { spec?: unknown }
  const places: (() => void)[] = []
  const visit = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return
    for (const [name, child] of Object.entries(node)) {
      places.push(() => Object.assign(node, { [name]: value }))
      visit(child)
    }
  }
  visit({ spec: copy.spec })
  visit(copy.spec)
  places[at % places.length]?.()
  return copy
}
