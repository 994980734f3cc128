/**
 * Runs inside a network namespace of its own, with IPv6 alone beside the loopback: what an injected pod has there, and
 * reports as JSON how calls fare. argv: a file with what the compiler wrote, then `uid METHOD URL` for each call.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const [given = '', ...calls] = process.argv.slice(2)
const { envoy, uid, script, files, directory, apps } = JSON.parse(readFileSync(given, 'utf8'))

execFileSync('ip', ['link', 'set', 'lo', 'up'])
execFileSync('ip', ['-6', 'route', 'add', 'local', 'fd00::/16', 'dev', 'lo'])
// A pod's own route to everywhere else, so that what is for imports leaves the machine as it would there.
execFileSync('ip', ['link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far'])
execFileSync('ip', ['link', 'set', 'eth0', 'up'])
execFileSync('ip', ['-6', 'addr', 'add', 'fd99::1/64', 'dev', 'eth0', 'nodad'])

for (const [name, host, port] of apps)
  http
    .createServer(({ url, headers }, response) => {
      response.setHeader('x-seen', JSON.stringify({ name, url, host: headers.host, cookie: headers.cookie }))
      response.end(name)
    })
    .listen(port, host)

mkdirSync(directory, { recursive: true })
for (const [name, text] of Object.entries<string>(files)) writeFileSync(`${directory}/${name}`, text)
const identity = ['--service-node', 'pod.app', '--service-cluster', 'app']
const run = ['--reuid', String(uid), '--clear-groups', envoy, '-c', `${directory}/bootstrap.json`, ...identity]
const proxy = spawn('setpriv', [...run, '--disable-hot-restart', '--concurrency', '1', '-l', 'warning'], {
  stdio: ['ignore', 'inherit', 'inherit'],
})

const { status, stderr } = spawnSync('sh', ['-ec', script], { encoding: 'utf8' })
if (status !== 0) throw new Error(stderr)
for (let tries = 0; tries < 200; tries++) {
  const ready = spawnSync('curl', ['-sg', 'http://[::1]:15090/ready'], { encoding: 'utf8' })
  if (ready.stdout.startsWith('LIVE')) break
  await sleep(50)
}

const answers: unknown[] = []
for (const line of calls) {
  const [as = '', method = '', url = '', ...more] = line.split(' ')
  const args = ['--reuid', as, '--clear-groups', 'curl', '-sgi', '--max-time', '3', '-X', method, url, ...more]
  const child = spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve) => child.on('close', resolve))
  const seen = /x-seen: (.*)\r/.exec(output)?.[1]
  const cookie = /set-cookie: ([^=]*)/i.exec(output)?.[1]
  answers.push({ code, ...(seen === undefined ? {} : JSON.parse(seen)), ...(cookie === undefined ? {} : { cookie }) })
}
proxy.kill('SIGKILL')
console.log(`\n${JSON.stringify(answers)}`)
process.exit()
