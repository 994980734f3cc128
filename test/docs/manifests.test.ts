/** Manifests that pages show are good as printed. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { format, levelOf } from '../../api/diagnostics.ts'
import { admissionFindings } from '../../cli/check.ts'
import { parseManifests } from '../../cli/manifests.ts'
import { settle } from '../../cli/objects.ts'

const DOCS = join(import.meta.dirname, '../../docs')

/** Whole objects: what begins with their version. */
const manifestsOf = (page: string) =>
  [...readFileSync(join(DOCS, page), 'utf8').matchAll(/```yaml\n(apiVersion: [\s\S]*?)```/g)].map(
    ([, text = ''], index) => ({ name: `${page}, manifest ${index + 1}`, text }),
  )
const pages = readdirSync(DOCS).filter((name) => name.endsWith('.md'))
const all = pages.flatMap(manifestsOf)

const faults = (source: { readonly name: string; readonly text: string }, level: 'error' | 'warning') => {
  const { manifests, findings } = settle(parseManifests([source]), 'default')
  return [...findings, ...admissionFindings(manifests)]
    .map(({ issue }) => issue)
    .filter((issue) => levelOf(issue) === level)
    .map(format)
}

test.each(all)('$name', (source) => {
  expect(faults(source, 'error')).toEqual([])
})

test('ways-to-export.md shows each of the ways, and nothing that is warned of', () => {
  const shown = manifestsOf('ways-to-export.md')
  expect(new Set(shown.map(({ text }) => /^apiVersion: (.*)\nkind: (.*)/.exec(text)?.slice(1).join(' ')))).toEqual(
    new Set([
      'flomesh.io/v1alpha1 ServiceExport',
      'multicluster.x-k8s.io/v1beta1 ServiceExport',
      'v1 Service',
      'flomesh.io/v1alpha1 GlobalTrafficPolicy',
    ]),
  )
  expect(shown.flatMap((source) => faults(source, 'warning'))).toEqual([])
})

test('a manifest with a mistake is found', () => {
  const text = 'apiVersion: flomesh.io/v1alpha1\nkind: ServiceExport\nmetadata: { name: a }\nspec: { rule: [] }\n'
  expect(faults({ name: 'bad', text }, 'error')).toHaveLength(1)
})
