/**
 * Runs inside a network namespace of its own: loads the init container's program and reports, as JSON, who answers calls.
 * argv: the VIP range, the program, then `uid address port` for each call. Whoever listens on the capture port says so,
 * all others `direct`. Addresses of fd77::/64 and 10.77.0.0/24 are reached through an interface of their own, net1.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { CAPTURE_PORT } from '../../api/names.ts'

const [range = '', program = '', ...calls] = process.argv.slice(2)
const [family, any, loopback] = range.includes(':') ? [['-6'], '::', '::1'] : [[], '0.0.0.0', '127.0.0.1']

const ip = (...args: readonly string[]) => execFileSync('ip', args)
ip('link', 'set', 'lo', 'up')
ip('link', 'add', 'net1', 'type', 'veth', 'peer', 'name', 'net2')
ip('link', 'set', 'net2', 'up')
ip('link', 'set', 'net1', 'up')
// The lower half of the range is answered here, so that what is not captured arrives somewhere; in the upper half nobody is.
const [low, high] = range.includes(':')
  ? ['fd00:240:240::/113', 'fd00:240:240::8000/113']
  : ['240.240.0.0/17', '240.240.128.0/17']
ip(...family, 'route', 'add', 'local', low, 'dev', 'lo')
ip(...family, 'route', 'add', high, 'dev', 'net1')
ip(...family, 'addr', 'add', range.includes(':') ? 'fd77::1/64' : '10.77.0.1/24', 'dev', 'net1')

/** Tells how each call fares: argv are `address port`. */
const CALLER = `const call=line=>{const [address,port]=line.split(' ');return new Promise(tell=>
require('net').connect(+port,address).on('data',d=>tell(String(d))).on('error',e=>tell(e.code==='EHOSTUNREACH'?'lost':e.code)))}
Promise.all(process.argv.slice(1).map(call)).then(answers=>{console.log(JSON.stringify(answers));process.exit()})`

const says = (text: string, port: number, host = any): Promise<void> =>
  new Promise((resolve) => createServer((socket) => socket.end(text)).listen(port, host, resolve))

const loaded = (): boolean => {
  const { status, stderr } = spawnSync('sh', ['-ec', program], { encoding: 'utf8' })
  if (status !== 0) process.stderr.write(stderr)
  return status === 0
}

const callAs = async (uid: string, lines: readonly string[]): Promise<ReadonlyMap<string, string>> => {
  const args = ['--reuid', uid, '--clear-groups', process.execPath, '-e', CALLER]
  const places = lines.map((line) => line.slice(uid.length + 1))
  const { stdout } = await promisify(execFile)('setpriv', [...args, ...places])
  const said: readonly string[] = JSON.parse(stdout)
  return new Map(lines.map((line, i) => [line, said[i] ?? '']))
}

for (const port of [80, 81, 6379]) await says('direct', port)
await says('captured', CAPTURE_PORT, loopback)
// Twice, as when the kubelet runs the init container again.
const ran = [loaded(), loaded()]
const said: ReadonlyMap<string, string>[] = []
for (const [uid, lines] of Map.groupBy(calls, (line) => line.split(' ')[0] ?? '')) said.push(await callAs(uid, lines))
const answers = calls.map((line) => said.map((each) => each.get(line)).find((answer) => answer !== undefined))
console.log(JSON.stringify({ ran, answers }))
process.exit()
