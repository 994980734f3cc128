/** The compiler as a process: flags, readiness, SIGTERM. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { kubectl, SYSTEM, startInstalled } from './compiler.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')

let api: ApiServer
beforeAll(async () => {
  api = await startInstalled()
})
afterAll(() => api?.stop())

function start(...flags: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, 'compiler', '--kubeconfig', api.kubeconfig, ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  return { child, ended, output: () => output }
}

test('leads when ready, and gives its Lease back on SIGTERM', async () => {
  const [health, metrics] = await freePorts(2)
  const { child, ended, output } = start(`--health-port=${health}`, `--metrics-port=${metrics}`, '--identity=me')
  const holder = () =>
    kubectl(api, ['get', 'lease', '-n', SYSTEM, 'portolan-compiler', '-o', 'jsonpath={.spec.holderIdentity}'])
  await until('it is ready', async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok)
  await until('it holds the Lease', async () => (await holder()).startsWith('me_'))
  await until('it leads', async () =>
    (await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).includes('\nportolan_leading 1'),
  )
  expect((await fetch(`http://127.0.0.1:${health}/healthz`)).ok).toBe(true)
  child.kill('SIGTERM')
  expect(await ended, output()).toBe(0)
  expect(await holder()).toBe('')
})

test('a setting that makes no sense ends it with a sentence', async () => {
  const { ended, output } = start('--vip-range=10.0.0.0/99', '--health-port=0', '--metrics-port=0')
  expect(await ended).toBe(1)
  expect(output()).toMatch(/10\.0\.0\.0\/99/)
})
