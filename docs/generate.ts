/** Writes the pages on the chart, the command line and injection from what they are about. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { INJECTION } from '../api/diagnostics/injection.ts'
import { program } from '../cli/program.ts'
import { EGRESS_BOOTSTRAP } from '../compiler/egress-bootstrap.ts'
import { GATEWAY_BOOTSTRAPS } from '../compiler/gateway-bootstraps.ts'
import { SKIP_CODES } from '../webhook/decision.ts'
import { SETTINGS } from '../webhook/inject-settings.ts'

const TOP = join(import.meta.dirname, '..')
const MADE = '<!-- made by `make generate` -->'

interface Schema {
  readonly description?: string
  readonly type?: string | readonly string[]
  readonly enum?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly $ref?: string
}

/** Path from the repository's top → content. */
export function generated(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/chart.md', chartPage()],
    ['docs/cli.md', cliPage()],
    ['docs/injection.md', injectionPage()],
    ['charts/portolan/files/gateway-bootstraps.json', JSON.stringify(GATEWAY_BOOTSTRAPS, undefined, 2)],
    ['charts/portolan/files/egress-bootstrap.json', JSON.stringify({ key: EGRESS_BOOTSTRAP }, undefined, 2)],
  ])
}

function chartPage(): string {
  const schema = JSON.parse(readFileSync(join(TOP, 'charts/portolan/values.schema.json'), 'utf8')) as Schema
  const defaults = parse(readFileSync(join(TOP, 'charts/portolan/values.yaml'), 'utf8')) as unknown
  const sections = Object.entries(schema.properties ?? {}).filter(([name]) => name !== 'global')
  const single = sections.filter(([, section]) => section.properties === undefined)
  const grouped = sections.filter(([, section]) => section.properties !== undefined)
  return [
    `${MADE}\n# The chart`,
    read('docs/chart.intro.md'),
    '## Values',
    'The schema refuses any other key, so a slip of the pen is found by `helm`, not in production.',
    table(
      ['value', 'default', 'meaning'],
      single.flatMap(([name, value]) => rows(name, value, defaults)),
    ),
    ...grouped.flatMap(([name, section]) => [
      `### ${name}`,
      section.description ?? '',
      table(
        ['value', 'default', 'meaning'],
        Object.entries(section.properties ?? {}).flatMap(([key, value]) => rows(`${name}.${key}`, value, defaults)),
      ),
    ]),
  ].join('\n\n')
}

function rows(path: string, schema: Schema, defaults: unknown): readonly (readonly string[])[] {
  if (schema.properties !== undefined)
    return Object.entries(schema.properties).flatMap(([name, child]) => rows(`${path}.${name}`, child, defaults))
  const choices = schema.enum === undefined ? '' : ` One of ${schema.enum.join(', ')}.`
  const value = path
    .split('.')
    .reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], defaults)
  return [
    [`\`${path}\``, value === undefined ? '' : `\`${JSON.stringify(value)}\``, `${schema.description ?? ''}${choices}`],
  ]
}

function cliPage(): string {
  const root = program({ out: () => {}, err: () => {}, stdin: async () => '', terminal: false }, () => {})
  return [`${MADE}\n# The command line`, read('docs/cli.intro.md'), ...leaves(root).map(commandSection)].join('\n\n')
}

function injectionPage(): string {
  const settings = Object.values(SETTINGS).map(({ name, meshPath, type, doc, default: value }) => [
    `\`flomesh.io/${name}\``,
    `\`${meshPath}\``,
    value.length === 0 ? '' : `\`${value}\``,
    `${doc} ${sentence(type.form)}.`,
  ])
  // The catalogue's sentences have room for values: here their names stand in.
  const general = (text: string) => sentence(text.replaceAll(/\{(\w+)\}/g, '`<$1>`'))
  const reasons = SKIP_CODES.map((code) => [
    `\`${code}\``,
    general(INJECTION[code].sentence),
    general(INJECTION[code].fix),
  ])
  return [
    `${MADE}\n# Injection`,
    read('docs/injection.intro.md'),
    '## Settings of a pod and of the mesh',
    'An annotation of the pod goes before the MeshConfig. A value that is none refuses the pod, with all such values in one message.',
    table(['annotation', 'in MeshConfig', 'default', 'meaning'], settings),
    '## Pods that are left alone',
    'The first reason that applies is the one in the log, in the counters and in `portolan inject`.',
    table(['reason', 'why', 'what to do'], reasons),
  ].join('\n\n')
}

/** Commands that do something, in the order in which they are listed. */
function leaves(command: Command): readonly Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
}

/** `cluster join`, say. */
function fullName(command: Command): string {
  const above = command.parent
  return above?.parent ? `${fullName(above)} ${command.name()}` : command.name()
}

function commandSection(command: Command): string {
  const name = fullName(command)
  const usage = `portolan ${name} ${command.usage()}`
  const args = command.registeredArguments.map((argument) => [`\`<${argument.name()}>\``, '', argument.description])
  const options = command.options.map((option) => [`\`${option.flags}\``, defaultOf(option), choicesOf(option)])
  return [
    `## ${name}`,
    `${command.description() || `${sentence(command.summary())}.`}`,
    `\`\`\`\n${usage}\n\`\`\``,
    table(['option', 'default', 'meaning'], [...args, ...options]),
  ].join('\n\n')
}

type Option = Command['options'][number]

function defaultOf({ defaultValue, defaultValueDescription, negate }: Option): string {
  if (defaultValueDescription !== undefined) return defaultValueDescription
  if (defaultValue === undefined || negate || (Array.isArray(defaultValue) && defaultValue.length === 0)) return ''
  return `\`${typeof defaultValue === 'string' ? defaultValue : JSON.stringify(defaultValue)}\``
}

function choicesOf({ description, argChoices, mandatory }: Option): string {
  const choices = argChoices === undefined ? '' : `: ${argChoices.join(', ')}`
  return sentence(`${description}${choices}${mandatory ? ' (required)' : ''}`)
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}

function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...body.map(line)].join('\n')
}

function read(file: string): string {
  return readFileSync(join(TOP, file), 'utf8').trim()
}

if (import.meta.main) {
  for (const [name, content] of generated()) {
    writeFileSync(join(TOP, name), `${content}\n`)
    process.stdout.write(`wrote: ${name}\n`)
  }
}
