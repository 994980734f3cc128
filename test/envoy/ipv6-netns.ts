/**
 * Runs as the first process of a network and a PID namespace: the pods of one place on the loopback, with what the init
 * container does to one of them, and reports as JSON how calls fare. With it ends whatever it has started.
 * argv: a {@link Place} as JSON, then for each call the caller's uid and curl's arguments.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Place {
  readonly envoy: string
  /** Of pods and gateways, with their prefix. */
  readonly addresses: readonly string[]
  readonly proxies: readonly { readonly uid: number; readonly bootstrap: string; readonly metricsPort: number }[]
  /** The init container's. */
  readonly script: string
  /** Answer with what they saw. */
  readonly apps: readonly (readonly [name: string, host: string, port: number])[]
}

const [given = '', ...calls] = process.argv.slice(2)
const { envoy, addresses, proxies, script, apps } = JSON.parse(readFileSync(given, 'utf8')) as Place

const ip = (...args: readonly string[]) => execFileSync('ip', args)
ip('link', 'set', 'lo', 'up')
// A pod has a route to everywhere, so that what is for imports is on its way out when capture takes it.
ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far')
for (const name of ['far', 'eth0']) ip('link', 'set', name, 'up')
for (const each of addresses) ip('addr', 'add', each, 'dev', 'eth0', ...(each.includes(':') ? ['nodad'] : []))
for (const family of ['-4', '-6'])
  if (addresses.some((each) => each.includes(':') === (family === '-6')))
    ip(family, 'route', 'add', 'default', 'dev', 'eth0')

for (const [name, host, port] of apps)
  await once(
    http
      .createServer(({ url, headers }, response) => {
        response.setHeader('x-seen', JSON.stringify({ name, url, host: headers.host }))
        response.end()
      })
      .listen(port, host),
    'listening',
  )
const run = (uid: number | string, command: string, args: readonly string[], out: 'inherit' | 'pipe') =>
  spawn('setpriv', ['--reuid', String(uid), '--clear-groups', command, ...args], { stdio: ['ignore', out, 'inherit'] })
for (const { uid, bootstrap } of proxies) {
  const identity = ['--service-node', 'pod.app', '--service-cluster', 'app']
  const flags = ['--disable-hot-restart', '--concurrency', '1', '-l', 'error', '--file-flush-interval-msec', '20']
  run(uid, envoy, ['-c', bootstrap, ...identity, ...flags], 'inherit').on('exit', (code) => {
    console.error(`a proxy ended with code ${code}: ${bootstrap}`)
    process.exit(1)
  })
}

const [loaded] = await once(spawn('sh', ['-ec', script], { stdio: ['ignore', 'inherit', 'inherit'] }), 'exit')
if (loaded !== 0) throw new Error(`the init container's program ended with code ${loaded}`)

for (const { metricsPort } of proxies) {
  const ready = () =>
    fetch(`http://127.0.0.1:${metricsPort}/ready`).then(
      (response) => response.ok,
      () => false,
    )
  while (!(await ready())) await sleep(20)
}

const answer = async (line: string) => {
  const [uid = '', ...args] = line.split(' ')
  const child = run(uid, 'curl', ['-sgi', '--max-time', '5', ...args], 'pipe')
  let output = ''
  child.stdout?.on('data', (chunk) => (output += chunk))
  const [code] = await once(child, 'close')
  const seen = /x-seen: (.*)\r/.exec(output)?.[1]
  const status = /^HTTP\S+ (\d+)/.exec(output)?.[1]
  return { code, ...(status ? { status: Number(status) } : {}), ...(seen ? JSON.parse(seen) : {}) }
}
const answers: unknown[] = []
for (const line of calls) answers.push(await answer(line))
console.log(`\nanswers ${JSON.stringify(answers)}`)
process.exit()
