/** Writes everything that is made from the schemas and the catalogue; `--check` names what differs instead. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { stringify } from 'yaml'
import { crd, jsonSchema } from './crd.ts'
import { KINDS, type Kind } from './kinds.ts'
import { apiReference, diagnosticsReference } from './reference.ts'
import { STANDARD_KINDS } from './standard-kinds.ts'

const GENERATED = 'made by `make generate`; change the schema in api/ instead'

/** Path from the repository's top → content, for every generated file. */
export function generated(): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const kind of KINDS) {
    files.set(`charts/portolan/files/crds/${fileOf(kind)}`, definition(kind))
    files.set(`api/json/${kind.kind}.schema.json`, `${JSON.stringify(jsonSchema(kind), null, 2)}\n`)
  }
  for (const kind of STANDARD_KINDS) files.set(`charts/portolan/files/crds-mcs/${fileOf(kind)}`, definition(kind))
  files.set('docs/api.md', apiReference(KINDS, STANDARD_KINDS))
  files.set('docs/diagnostics.md', diagnosticsReference())
  return files
}

function fileOf({ group, plural }: Kind): string {
  return `${group}_${plural}.yaml`
}

function definition(kind: Kind): string {
  // kubectl and helm read YAML 1.1, where a plain off or y is a boolean.
  const options = { lineWidth: 0, aliasDuplicateObjects: false, version: '1.1', compat: 'yaml-1.1' } as const
  return `# ${GENERATED}\n${stringify(crd(kind), options)}`
}

async function main(): Promise<void> {
  const top = path.resolve(import.meta.dirname, '..')
  const check = process.argv.includes('--check')
  for (const [name, content] of generated()) {
    const file = path.join(top, name)
    const old = await readFile(file, 'utf8').catch(() => undefined)
    if (old === content) continue
    process.stdout.write(`${check ? 'differs' : 'wrote'}: ${name}\n`)
    if (check) {
      process.exitCode = 1
      continue
    }
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}

if (import.meta.main) await main()
