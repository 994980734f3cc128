import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Capture, captureRules, captureScript } from '../../webhook/inject-capture.ts'
import { tryRun } from '../lab/run.ts'
import { debianPackages } from '../lab/toolchain.ts'
import { captures, VIP_RANGES } from './capture-rules.ts'

const UID = 15_003

/** A call, `uid address port`, and who answers it. */
type Calls = readonly (readonly [call: string, answer: string])[]

const ALL = {
  proxyUid: UID,
  excludedPorts: [],
  excludedRanges: [],
  includedPorts: [],
  includedRanges: [],
  excludedInterfaces: [],
}
const MANY = Array.from({ length: 20 }, (_, i) => 7000 + i)

const V4: readonly { readonly name: string; readonly capture: Partial<Capture>; readonly calls: Calls }[] = [
  {
    name: 'what is excluded is left alone',
    capture: { excludedPorts: [81, ...MANY], excludedRanges: ['240.240.7.0/24', 'fd00::/8'] },
    calls: [
      ['0 240.240.0.5 80', 'captured'],
      ['0 240.240.127.254 6379', 'captured'],
      ['1000 240.240.0.5 9999', 'captured'],
      ['0 240.240.0.5 81', 'direct'],
      ['0 240.240.7.5 80', 'direct'],
      ['0 127.0.0.1 80', 'direct'],
      ['1000 127.0.0.1 6379', 'direct'],
      [`${UID} 240.240.0.5 80`, 'ECONNREFUSED'],
      [`${UID} 127.0.0.1 80`, 'direct'],
    ],
  },
  {
    name: 'where lists include, the rest is left alone',
    capture: {
      includedPorts: [80, ...MANY, 9999],
      includedRanges: ['240.240.0.0/24', '10.0.0.0/8'],
      excludedPorts: [9999],
    },
    calls: [
      ['0 240.240.0.5 80', 'captured'],
      ['0 240.240.0.5 7019', 'captured'],
      ['0 240.240.0.5 6379', 'direct'],
      ['0 240.240.1.5 80', 'direct'],
      ['0 240.240.0.5 9999', 'ECONNREFUSED'],
    ],
  },
  {
    name: 'an interface is left alone',
    capture: { excludedInterfaces: ['net+'] },
    calls: [
      ['0 240.240.0.5 80', 'captured'],
      ['0 240.240.200.5 80', 'lost'],
    ],
  },
  {
    name: 'whatever the interface, unless it is excluded',
    capture: {},
    calls: [['0 240.240.200.5 80', 'captured']],
  },
]

const V6: typeof V4 = [
  {
    name: 'what is excluded is left alone',
    capture: {
      excludedPorts: [81],
      excludedRanges: ['fd00:240:240::7:0/128', 'fd00:240:240::700/120', '240.240.0.0/16'],
    },
    calls: [
      ['0 fd00:240:240::5 80', 'captured'],
      ['1000 fd00:240:240::7fff 6379', 'captured'],
      ['0 fd00:240:240::5 81', 'direct'],
      ['0 fd00:240:240::7ab 80', 'direct'],
      ['0 ::1 80', 'direct'],
      ['0 fd00:240:240::ffff 80', 'ECONNREFUSED'],
      [`${UID} fd00:240:240::5 80`, 'ECONNREFUSED'],
      [`${UID} ::1 80`, 'direct'],
    ],
  },
  {
    name: 'where lists include, the rest is left alone',
    capture: { includedPorts: [80], includedRanges: ['fd00:240:240::/120'], excludedInterfaces: ['net1'] },
    calls: [
      ['0 fd00:240:240::5 80', 'captured'],
      ['0 fd00:240:240::5 6379', 'direct'],
      ['0 fd00:240:240::105 80', 'direct'],
      ['0 fd00:240:240::ffff 80', 'ECONNREFUSED'],
    ],
  },
]

let shims: string
beforeAll(async () => {
  shims = await mkdtemp(join(tmpdir(), 'portolan-shim-'))
  for (const table of ['iptables', 'ip6tables']) {
    await writeFile(join(shims, `${table}-restore`), '#!/bin/sh\necho nf_tables is not there >&2\nexit 1\n')
    await chmod(join(shims, `${table}-restore`), 0o755)
  }
})
afterAll(() => rm(shims, { recursive: true }))

const isRoot = process.getuid?.() === 0
const NEEDS_ROOT = 'needs root, for a network namespace'

/** Runs a command in a network namespace of its own, with iptables on the path. */
const inNamespace = async (args: readonly string[], first: readonly string[] = [], input?: string) => {
  const { env } = await debianPackages()
  const PATH = [...first, env['PATH'] ?? '', process.env['PATH'] ?? ''].join(delimiter)
  const options = { env: { ...env, PATH } }
  return tryRun('unshare', ['--net', ...args], input === undefined ? options : { ...options, input })
}

const answers = async (capture: Capture, calls: Calls, path: readonly string[]) => {
  const program = join(import.meta.dirname, 'capture-netns.ts')
  const args = [process.execPath, program, capture.vipRange, captureScript(capture), ...calls.map(([call]) => call)]
  const { stdout, stderr } = await inNamespace(args, path)
  expect(stdout, stderr).toMatch(/^\{/)
  const { ran, answers } = JSON.parse(stdout)
  expect(ran, stderr).toEqual([true, true])
  return calls.map(([call], i) => [call, answers[i]])
}

describe.each([
  ['IPv4', VIP_RANGES[4], V4],
  ['IPv6', VIP_RANGES[6], V6],
] as const)('TCP to an %s range is captured', (_, vipRange, cases) => {
  test.for(cases)('$name', async ({ capture, calls }, { skip }) => {
    if (!isRoot) skip(NEEDS_ROOT)
    expect(await answers({ ...ALL, vipRange, ...capture }, calls, [])).toEqual(calls)
  })

  test('by the legacy back end, where the kernel lacks nf_tables', async ({ skip }) => {
    if (!isRoot) skip(NEEDS_ROOT)
    const { capture, calls } = cases[0] ?? { capture: {}, calls: [] }
    expect(await answers({ ...ALL, vipRange, ...capture }, calls, [shims])).toEqual(calls)
  })

  test('iptables takes the rules of any lists', async ({ skip }) => {
    if (!isRoot) skip(NEEDS_ROOT)
    const rules = fc.sample(captures(vipRange === VIP_RANGES[4] ? 4 : 6), 50).map(captureRules)
    const table = vipRange === VIP_RANGES[4] ? 'iptables' : 'ip6tables'
    const script = rules.map((each) => `${table}-restore --test --noflush <<'RULES'\n${each}RULES\n`).join('')
    const { code, stderr } = await inNamespace(['sh', '-e'], [], script)
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })
})
