import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PlainServer, serveHealth } from '../../kube/health.ts'

let server: PlainServer
const missing: string[] = []

beforeAll(async () => {
  server = await serveHealth(0, () => missing)
})
afterAll(() => server.close())

const ask = (path: string) => fetch(`http://127.0.0.1:${server.port}${path}`)

test('says that it runs, and what it waits for', async () => {
  expect((await ask('/readyz')).status).toBe(200)
  missing.push('the leader')
  const answer = await ask('/readyz')
  expect([answer.status, await answer.text()]).toEqual([503, 'waiting for the leader\n'])
  expect((await ask('/healthz')).status).toBe(200)
  expect((await ask('/anything')).status).toBe(404)
})

test('whoever holds all connections that there may be keeps no probe out: the oldest goes', async () => {
  const held: Socket[] = []
  for (let i = 0; i < 300; i++) {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    await once(socket, 'connect')
    socket.write('GET /healthz HTTP/1.1\r\n')
    held.push(socket)
  }
  expect((await ask('/healthz')).status).toBe(200)
  await expect.poll(() => held.filter(({ closed }) => closed).length).toBeGreaterThanOrEqual(300 - 256)
  expect(held[0]?.closed).toBe(true)
  expect(held[299]?.closed).toBe(false)
  for (const socket of held) socket.destroy()
})

test('headers without end are refused', async () => {
  const socket = connect(server.port, '127.0.0.1')
  socket.write(`GET /healthz HTTP/1.1\r\nHost: x\r\nx-long: ${'a'.repeat(9_000)}\r\n`)
  const [heard] = (await once(socket, 'data')) as [Buffer]
  expect(heard.toString()).toContain('431')
  socket.destroy()
})
