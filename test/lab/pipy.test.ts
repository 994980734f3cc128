/** The stand-in for Pipy, run as the walkthrough's Deployment runs it. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tryRun, until } from './run.ts'

const PROGRAM = join(import.meta.dirname, 'app/pipy.ts')
const PORT = 18_080
const SCRIPT = `pipy()
.listen(${PORT})
.serveHTTP(new Message('Hi, I am from cluster-1 and controlled by mesh!\\n'))
`

test('answers every request with the message, finishes on SIGTERM', async () => {
  const child = spawn(process.execPath, [PROGRAM, '-e', SCRIPT], { stdio: 'inherit' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  for (const path of ['/', '/any/path?query'])
    expect(await until('pipy answers', async () => (await fetch(`http://127.0.0.1:${PORT}${path}`)).text())).toBe(
      'Hi, I am from cluster-1 and controlled by mesh!\n',
    )
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
})

test.each([
  [['-e', 'pipy().listen(8080).connect("elsewhere")'], 'connect is not a function'],
  [['-e', 'pipy().serveHTTP(new Message(1))'], 'listen(PORT) and a Message are needed'],
  [['-e', 'require("fs")'], 'require is not defined'],
  [['main.js'], 'usage: pipy -e SCRIPT'],
])('pipy %j ends with a message', async (args, message) => {
  const { code, stderr } = await tryRun(process.execPath, [PROGRAM, ...args])
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining(message) })
  expect(stderr).toContain('stand-in')
})
