import { admissionFindings } from './check.ts'
import type { ExitCode, Io } from './io.ts'
import { parseManifests } from './manifests.ts'
import { settle } from './objects.ts'
import {
  amount,
  count,
  exitCode,
  type Format,
  findingData,
  findingLine,
  inFileOrder,
  painter,
  serialize,
} from './print.ts'
import { readSources } from './sources.ts'

export interface ValidateOptions {
  readonly filename: readonly string[]
  readonly namespace: string
  readonly output: Format
  readonly colors: boolean
}

/** `portolan validate`: everything that admission would refuse or warn of, in all files at once. */
export async function validateCommand(options: ValidateOptions, io: Io): Promise<ExitCode> {
  const sources = await readSources(options.filename, io)
  const { manifests, findings: broken } = settle(parseManifests(sources), options.namespace)
  const findings = inFileOrder([...broken, ...admissionFindings(manifests)])
  if (options.output !== 'text') {
    io.out(serialize({ findings: findings.map(findingData) }, options.output))
    return exitCode(findings)
  }
  const paint = painter(options.colors)
  for (const finding of findings) io.out(findingLine(finding, paint))
  const [errors, warnings] = [count(findings, 'error'), count(findings, 'warning')]
  const looked = `${amount(manifests.length, 'object')} in ${amount(sources.length, 'file')}`
  const verdict = `${amount(errors, 'error')}, ${amount(warnings, 'warning')}`
  io.out(`${looked}: ${paint(errors > 0 ? 'red' : warnings > 0 ? 'yellow' : 'green', verdict)}\n`)
  return exitCode(findings)
}
