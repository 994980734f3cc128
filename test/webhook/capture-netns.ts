/**
 * Runs inside a network namespace of its own: loads the init container's program and reports, as JSON, who answers calls.
 * argv: the program, then `uid address port` for each call. Whoever listens on the capture port says so, all others `direct`.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { CAPTURE_PORT } from '../../api/names.ts'

const [program = '', ...calls] = process.argv.slice(2)

execFileSync('ip', ['link', 'set', 'lo', 'up'])
// The whole range is answered here, so that what is not captured arrives somewhere.
execFileSync('ip', ['route', 'add', 'local', '240.240.0.0/16', 'dev', 'lo'])

const CALLER = `const [,address,port]=process.argv;require('net').connect(+port,address)
.on('data',d=>{console.log(String(d));process.exit()}).on('error',e=>{console.log(e.code);process.exit()})`

const says = (text: string, port: number): Promise<void> =>
  new Promise((resolve) => createServer((socket) => socket.end(text)).listen(port, '0.0.0.0', resolve))

const loaded = (): boolean => {
  const { status, stderr } = spawnSync('sh', ['-ec', program], { encoding: 'utf8' })
  if (status !== 0) process.stderr.write(stderr)
  return status === 0
}

const call = (line: string): Promise<string> => {
  const [uid = '', address = '', port = ''] = line.split(' ')
  const args = ['--reuid', uid, '--clear-groups', process.execPath, '-e', CALLER, address, port]
  return new Promise((resolve) => {
    execFile('setpriv', args, { timeout: 5_000 }, (_error, stdout) => resolve(stdout.trim()))
  })
}

for (const port of [80, 81, 6379]) await says('direct', port)
await says('captured', CAPTURE_PORT)
// Twice, as when the kubelet runs the init container again.
const ran = [loaded(), loaded()]
const answers = await Promise.all(calls.map(call))
console.log(JSON.stringify({ ran, answers }))
process.exit()
