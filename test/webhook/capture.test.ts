import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { captureScript } from '../../webhook/inject-capture.ts'
import { tryRun } from '../lab/run.ts'
import { debianPackages } from '../lab/toolchain.ts'

const UID = 15_003
const script = captureScript({
  vipRange: '240.240.0.0/16',
  proxyUid: UID,
  excludedPorts: [81, ...Array.from({ length: 20 }, (_, i) => 7000 + i)],
  excludedRanges: ['240.240.7.0/24', 'fd00::/8'],
})

const CALLS: readonly (readonly [string, string])[] = [
  ['0 240.240.0.5 80', 'captured'],
  ['0 240.240.255.254 6379', 'captured'],
  ['1000 240.240.0.5 9999', 'captured'],
  ['0 240.240.0.5 81', 'direct'],
  ['0 240.240.7.5 80', 'direct'],
  ['0 127.0.0.1 80', 'direct'],
  ['1000 127.0.0.1 6379', 'direct'],
  [`${UID} 240.240.0.5 80`, 'ECONNREFUSED'],
  [`${UID} 127.0.0.1 80`, 'direct'],
]

let shims: string
beforeAll(async () => {
  shims = await mkdtemp(join(tmpdir(), 'portolan-shim-'))
  await writeFile(join(shims, 'iptables-restore'), '#!/bin/sh\necho nf_tables is not there >&2\nexit 1\n')
  await chmod(join(shims, 'iptables-restore'), 0o755)
})
afterAll(() => rm(shims, { recursive: true }))

const inNamespace = async (path: readonly string[]) => {
  const { env } = await debianPackages()
  const args = ['--net', process.execPath, join(import.meta.dirname, 'capture-netns.ts'), script]
  const PATH = [...path, env['PATH'] ?? '', process.env['PATH'] ?? ''].join(delimiter)
  return tryRun('unshare', [...args, ...CALLS.map(([call]) => call)], { env: { ...env, PATH } })
}

test.for([
  ['the nf_tables back end', () => []],
  ['the legacy back end, where the kernel lacks nf_tables', () => [shims]],
] as const)('TCP to the VIP range is captured, and nothing else: %s', async ([, path], { skip }) => {
  if (process.getuid?.() !== 0) skip('needs root, for a network namespace')
  const { stdout, stderr } = await inNamespace(path())
  expect(stdout, stderr).toMatch(/^\{/)
  const { ran, answers } = JSON.parse(stdout)
  expect(ran, stderr).toEqual([true, true])
  expect(CALLS.map(([call], i) => [call, answers[i]])).toEqual(CALLS)
})
