import { stringify } from 'yaml'
import { format, formatProblem, levelOf } from '../api/diagnostics.ts'
import type { Level } from '../api/issue.ts'
import type { ExitCode } from './io.ts'
import type { Finding } from './manifests.ts'

export type Format = 'text' | 'json' | 'yaml'

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'
/** Sets text in a style, or leaves it plain where there are no colours. */
export type Paint = (style: Style, text: string) => string

const SGR: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  yellow: [33, 39],
  green: [32, 39],
  cyan: [36, 39],
}

export function painter(colors: boolean): Paint {
  return (style, text) => (colors ? `\u001b[${SGR[style][0]}m${text}\u001b[${SGR[style][1]}m` : text)
}

/** For programs to read. */
export function serialize(value: unknown, format: Exclude<Format, 'text'>): string {
  return format === 'json' ? `${JSON.stringify(value, null, 2)}\n` : toYaml(value)
}

/** YAML that a reader of YAML 1.1, as kubectl is, takes for the same value. */
export function toYaml(value: unknown): string {
  return stringify(value, { compat: 'yaml-1.1', lineWidth: 0, aliasDuplicateObjects: false })
}

const LEVEL_STYLE: Readonly<Record<Level, Style>> = { error: 'red', warning: 'yellow', info: 'dim' }

/** `file:line: level: Kind ns/name: path: value: sentence. Fix. [Code]` */
export function findingLine({ issue, file, line }: Finding, paint: Paint): string {
  const level = levelOf(issue)
  const said = issue.object.kind === 'File' ? formatProblem(issue) : format(issue)
  const place = line === undefined ? file : `${file}:${line}`
  return `${paint('bold', place)}: ${paint(LEVEL_STYLE[level], level)}: ${said} ${paint('dim', `[${issue.code}]`)}\n`
}

/** A finding as data: what happened, where, and the sentence that people get. */
export function findingData({ issue, file, line }: Finding): object {
  return {
    level: levelOf(issue),
    ...issue,
    file,
    ...(line === undefined ? {} : { line }),
    message: formatProblem(issue),
  }
}

/** By file and line, as a reader goes through them. */
export function inFileOrder(findings: readonly Finding[]): readonly Finding[] {
  const key = ({ file, line = 0, issue }: Finding) =>
    [file, String(line).padStart(9, '0'), issue.path, issue.code].join('\u0000')
  return [...findings].sort((a, b) => (key(a) < key(b) ? -1 : 1))
}

export function count(findings: readonly Finding[], level: Level): number {
  return findings.filter(({ issue }) => levelOf(issue) === level).length
}

export function exitCode(findings: readonly Finding[]): ExitCode {
  return count(findings, 'error') > 0 ? 1 : 0
}

/** `1 error`, `2 errors`, `no errors`. */
export function amount(number: number, noun: string): string {
  return `${number === 0 ? 'no' : number} ${noun}${number === 1 ? '' : 's'}`
}

/** Columns, as wide as their widest cell; `widths` of painted text count without their styles. */
export function columns(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, visible(cell))
  const line = (row: readonly string[]) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cell : cell + ' '.repeat((widths[index] ?? 0) - visible(cell))))
      .join('  ')
  return rows.map((row) => `${indent}${line(row).trimEnd()}\n`).join('')
}

function visible(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: styles are control sequences
  return text.replaceAll(/\u001b\[\d+m/g, '').length
}
