/** The webhook as a process: what it waits for before it is ready, and how it leaves on SIGTERM. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
import { CRDS } from '../kube/crds.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')
const CERTIFICATE = 'a certificate that the API server trusts'
const DNS = `an address of Service ${SYSTEM}/portolan-dns`

let api: ApiServer
let ports: readonly number[]
let child: ChildProcess
let ended: Promise<number | null>
let output = ''

beforeAll(async () => {
  api = await startApiServer()
  ports = await freePorts(3)
  const [port, health, metrics] = ports
  const flags = [`--port=${port}`, `--health-port=${health}`, `--metrics-port=${metrics}`]
  const images = ['--proxy-image=envoy:1', '--init-image=portolan:1']
  child = spawn(process.execPath, [MAIN, 'webhook', '--kubeconfig', api.kubeconfig, ...flags, ...images], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk))
  ended = new Promise((resolve) => child.on('exit', resolve))
})
afterAll(async () => {
  child?.kill('SIGKILL')
  await api?.stop()
})

const ready = async (): Promise<string> => (await fetch(`http://127.0.0.1:${ports[1]}/readyz`)).text()

test('is ready with a certificate, all lists and an address of mesh DNS, and says what it still waits for', async () => {
  const misses = async (...missing: readonly string[]) => {
    const text = await ready()
    return missing.every((each) => text.includes(each))
  }
  // Its namespace is not there, so that the roots of its certificate cannot be kept.
  await until('it misses all', () => misses(CERTIFICATE, 'the list of serviceexports', DNS))
  await kubectl(api, ['apply', ...CRDS])
  await until('it has its lists', async () => (await ready()) === `waiting for ${CERTIFICATE}, ${DNS}\n`)
  await kubectl(api, ['create', 'namespace', SYSTEM])
  await until('it has its certificate', async () => (await ready()) === `waiting for ${DNS}\n`)
  await kubectl(api, ['create', 'service', 'clusterip', 'portolan-dns', '-n', SYSTEM, '--tcp=53'])
  await until('it is ready', async () => (await ready()) === 'ok\n')
})

test('on SIGTERM it is ready no more, answers those who have not heard yet, and ends with 0', async () => {
  const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
  const ask = async () => {
    const headers = { 'content-type': 'application/json' }
    const url = `https://127.0.0.1:${ports[0]}/inject`
    const { statusCode, body } = await request(url, { method: 'POST', body: '{}', headers, dispatcher })
    await body.dump()
    return statusCode
  }
  expect(await ask()).toBe(400)
  child.kill('SIGTERM')
  await until('it says so', async () => (await ready()) === 'waiting for the end: this replica is leaving\n')
  expect(await ask()).toBe(400)
  expect(await ended, output).toBe(0)
  await expect(ask()).rejects.toThrow()
  await dispatcher.destroy()
})
