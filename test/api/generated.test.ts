import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { catalogue } from '../../api/diagnostics.ts'
import { generated } from '../../api/generate.ts'
import { KINDS, type Kind } from '../../api/kinds.ts'
import { STANDARD_KINDS } from '../../api/standard-kinds.ts'
import type { Schema } from '../../api/structural.ts'

const TOP = path.resolve(import.meta.dirname, '../..')

describe('what is generated is in the repository as `make generate` writes it', () => {
  test.for([...generated()])('%s', async ([name, content]) => {
    expect(await readFile(path.join(TOP, name), 'utf8')).toBe(content)
  })

  test.for(['charts/portolan/files/crds', 'charts/portolan/files/crds-mcs', 'api/json'])(
    '%s has no other file',
    async (folder) => {
      const files = (await readdir(path.join(TOP, folder))).map((file) => `${folder}/${file}`)
      expect(files.filter((file) => !generated().has(file))).toEqual([])
    },
  )
})

describe('the catalogue', () => {
  test('docs/diagnostics.md lists every code and no other', async () => {
    const page = await readFile(path.join(TOP, 'docs/diagnostics.md'), 'utf8')
    const listed = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code)
    expect(listed).toEqual(Object.keys(catalogue).sort())
  })

  const repeated = (codes: readonly string[]) => codes.filter((code, index) => codes.indexOf(code) !== index)

  test('has all sections of its folder, no two of which share a code: one would override the other in silence', async () => {
    const folder = path.join(TOP, 'api/diagnostics')
    const files = await readdir(folder)
    const sections = await Promise.all(files.map(async (file) => Object.values(await import(path.join(folder, file)))))
    const codes = sections.flat().flatMap((section) => Object.keys(section as object))
    expect(repeated(codes)).toEqual([])
    expect(codes.toSorted()).toEqual(Object.keys(catalogue).toSorted())
    expect(repeated([...codes, 'Routed'])).toEqual(['Routed'])
  })

  test.for(Object.entries(catalogue))(
    '%s is a CamelCase code with a sentence and a fix, both without a final stop',
    ([code, d]) => {
      expect(code).toMatch(/^[A-Z][A-Za-z]+$/)
      expect(d.sentence).toMatch(/[^.\s]$/)
      expect(d.fix).toMatch(/[^.\s]$/)
    },
  )
})

describe('the schemas', () => {
  const fieldsOf = (kind: Kind) => [
    ...below(`${kind.kind}.spec`, kind.spec),
    ...below(`${kind.kind}.status`, kind.status),
  ]
  const fields = KINDS.flatMap(fieldsOf)

  test('describe every field', () => {
    const all = [...fields, ...STANDARD_KINDS.flatMap(fieldsOf)]
    expect(all.filter(([, schema]) => (schema.description ?? '') === '').map(([name]) => name)).toEqual([])
  })

  test('bound what users write, so that the API server can price the rules', () => {
    const unbounded = fields
      .filter(([name]) => name.includes('.spec'))
      .filter(
        ([, s]) => (s.type === 'array' ? s.maxItems : s.type === 'string' ? (s.maxLength ?? s.enum) : 0) === undefined,
      )
    expect(unbounded.map(([name]) => name)).toEqual([])
  })
})

/** Every field below a schema, with its path; entries of plain lists are described by their list. */
function below(name: string, schema: Schema): readonly (readonly [string, Schema])[] {
  return [
    [name, schema],
    ...Object.entries(schema.properties ?? {}).flatMap(([key, child]) => below(`${name}.${key}`, child)),
    ...Object.entries(schema.items?.properties ?? {}).flatMap(([key, child]) => below(`${name}[].${key}`, child)),
  ]
}
