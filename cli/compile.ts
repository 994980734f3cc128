import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dnsFiles, egressFiles, type FileSet, gatewayFiles, sidecarFiles } from '../compiler/files.ts'
import type { Tables } from '../compiler/tables.ts'
import { type ClusterOptions, compileFiles } from './cluster.ts'
import type { ExitCode, Io } from './io.ts'
import type { Finding } from './manifests.ts'
import { PORTOLAN_NAMESPACE } from './offline.ts'
import { exitCode, type Format, findingData, findingLine, inFileOrder, painter, serialize } from './print.ts'
import { renderTables } from './tables.ts'

export interface CompileOptions extends ClusterOptions {
  readonly output: Format
  readonly colors: boolean
  /** Directory for the files that proxies and mesh DNS read. */
  readonly out?: string
}

/** `portolan compile`: the routing tables of a cluster, for people, for programs, or as the files that proxies load. */
export async function compileCommand(options: CompileOptions, io: Io): Promise<ExitCode> {
  const { tables, findings: said } = await compileFiles(options, io)
  const paint = painter(options.colors)
  const sets = tables === undefined ? [] : fileSets(tables, options.clusterKey)
  const findings = inFileOrder([...said, ...sets.flatMap(({ set }) => tooLarge(set))])

  if (options.output !== 'text') {
    const { issues: _, ...rest } = tables ?? { issues: [] }
    io.out(serialize({ ...rest, findings: findings.map(findingData) }, options.output))
  } else {
    for (const finding of findings) io.err(findingLine(finding, paint))
    if (tables === undefined) io.err('Nothing was compiled: correct the errors first.\n')
    else if (options.out === undefined) io.out(renderTables(tables, paint))
    if (tables !== undefined && tables.sidecars.length === 0) io.err(noMember(options.meshName))
  }
  if (options.out !== undefined)
    for (const line of await writeAll(options.out, sets)) if (options.output === 'text') io.out(line)
  return exitCode(findings)
}

function noMember(meshName: string): string {
  return `No pod routes anything: the files hold no Namespace with label flomesh.io/monitored-by: ${meshName}.\n`
}

interface PlacedSet {
  /** Below the output directory. */
  readonly dir: string
  readonly set: FileSet
}

function fileSets(tables: Tables, clusterKey: string): readonly PlacedSet[] {
  const place = { namespace: PORTOLAN_NAMESPACE, clusterKey }
  return [
    ...tables.sidecars.map((table) => ({
      dir: join('sidecars', table.namespace),
      set: sidecarFiles(table, clusterKey),
    })),
    { dir: 'gateway', set: gatewayFiles(tables.gateway, undefined, place) },
    ...(tables.egress === undefined ? [] : [{ dir: 'egress', set: egressFiles(tables.egress, place) }]),
    { dir: 'dns', set: dnsFiles(tables, place.namespace) },
  ]
}

function tooLarge({ refusal }: FileSet): readonly Finding[] {
  return refusal === undefined ? [] : [{ issue: refusal, file: '-' }]
}

async function writeAll(out: string, sets: readonly PlacedSet[]): Promise<readonly string[]> {
  const lines: string[] = []
  for (const { dir, set } of sets) {
    if (set.refusal !== undefined) continue
    await mkdir(join(out, dir), { recursive: true })
    for (const [name, content] of Object.entries(set.files)) {
      const file = join(out, dir, name)
      await writeFile(file, content)
      lines.push(`${file}  ${Buffer.byteLength(content)} bytes\n`)
    }
  }
  return lines
}
