/** The hub as a process: flags, readiness, SIGTERM. */

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { type Stage, startStage } from './hub.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')

let stage: Stage
beforeAll(async () => {
  stage = await startStage([])
})
afterAll(() => stage?.stop())

function start(...flags: readonly string[]) {
  const { kubeconfig } = stage.hub.api
  const child = spawn(process.execPath, [MAIN, 'federation', '--kubeconfig', kubeconfig, ...flags], {
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
    kubectl(stage.hub.api, [
      'get',
      'lease',
      '-n',
      SYSTEM,
      'portolan-federation',
      '-o',
      'jsonpath={.spec.holderIdentity}',
    ])
  await until('it leads', async () => (await holder()).startsWith('me_'))
  await until('it is ready', async () => (await fetch(`http://127.0.0.1:${health}/readyz`)).ok)
  expect((await fetch(`http://127.0.0.1:${health}/healthz`)).ok).toBe(true)
  await until('it says that it leads', async () =>
    (await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()).includes('\nportolan_leading 1'),
  )
  child.kill('SIGTERM')
  expect(await ended, output()).toBe(0)
  expect(await holder()).toBe('')
})

test('a flag that makes no sense ends it with a sentence', async () => {
  const { ended, output } = start('--lease-seconds=soon')
  expect(await ended).toBeGreaterThan(0)
  expect(output()).toMatch(/whole number/)
})
