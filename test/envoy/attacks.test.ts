import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type AttackWorld, startAttackWorld } from './attack-world.ts'
import { ATTACKS, type Attack } from './attacks.ts'
import { say, type Wire } from './raw.ts'

let world: AttackWorld

beforeAll(async () => {
  world = await startAttackWorld()
  for (const app of world.apps) {
    app.behaviour = ({ headers }) => (headers['x-fail-with'] === undefined ? 'answer' : Number(headers['x-fail-with']))
  }
})
afterAll(() => world.stop())

const wireOf = (by: Attack['by']): Wire => {
  const gateway = { host: '127.0.0.1', port: world.gateway.port }
  if (by === undefined) return gateway
  if (by === 'TLS without a certificate') return { ...gateway, tls: {} }
  return typeof by === 'string' ? { ...gateway, tls: { identity: world.callers[by] } } : world.vip(by.sidecarTo)
}

/** What any request brings to an application, or says of itself. */
const USUAL = new Set(['host', 'x-request-id', 'x-forwarded-proto', 'connection'])

test(`there are ${ATTACKS.length} of them, each with a name of its own`, () => {
  expect(new Set(ATTACKS.map(({ name }) => name)).size).toBe(ATTACKS.length)
  expect(ATTACKS.length).toBeGreaterThanOrEqual(60)
})

// Each is refused, leads nowhere, or leads where it would without; by which the table says.
test.each([
  ['dot segments', /^GET [^ ]*\/\.\.?[/; ]/],
  ['escaped dot segments', /^GET [^ ]*%2e/i],
  ['escaped slashes', /^GET [^ ]*%2f/i],
  ['double slashes', /^GET \/[^ ]*\/\/|^GET \/\//],
  ['parameters of a segment', /^GET [^ ]*;/],
  ['a claimed identity', /\r\nx-forwarded-client-cert:/i],
  ['a claim of ours', /\r\nx-portolan-/i],
  ['another Host', /\r\nhost: (?!x\r)/i],
])('there are some with %s', (_, form) => {
  expect(ATTACKS.filter(({ send }) => form.test(send)).length).toBeGreaterThan(0)
})

test.each(ATTACKS)('$name', async ({ by, send, answers, reaches = [], with: expected, log }) => {
  const before = world.gateway.output().length
  const heard = await say(wireOf(by), send, answers.length)
  const seen = world.apps.flatMap((app) => app.seen.splice(0))

  expect({ answers: heard.statuses, reaches: seen.map(({ name, path }) => `${name} ${path}`) }).toEqual({
    answers,
    reaches,
  })
  if (expected !== undefined) {
    const headers = seen[0]?.headers ?? {}
    const unusual = Object.keys(headers).filter((name) => !USUAL.has(name))
    const ours = ['x-forwarded-for', ...(by === undefined ? [] : ['x-forwarded-client-cert'])]
    expect(unusual).toEqual(expect.arrayContaining(Object.keys(expected)))
    expect([...ours, ...Object.keys(expected)]).toEqual(expect.arrayContaining(unusual))
    for (const [name, value] of Object.entries(expected)) expect(headers[name]).toContain(value)
  }
  if (log !== undefined) await expect.poll(() => world.gateway.output().slice(before)).toContain(log)
})

describe('a log line of a refusal says who it was', () => {
  test.each([
    ['expired', '"client":"spiffe://west.portolan.local/ns/app/sa/curl"', '"issuer":"CN=west"', '"valid_until":'],
    ['signed by a stranger', '"client":"spiffe://west.portolan.local/ns/app/sa/curl"', '"issuer":"CN=stranger"'],
    ['curl elsewhere', '"client":"spiffe://west.portolan.local/ns/other/sa/curl"', '"code":403'],
  ] as const)('%s', async (by, ...parts) => {
    const before = world.gateway.output().length
    await say(wireOf(by), 'GET /secret/x HTTP/1.1\r\nHost: x\r\n\r\n')
    for (const part of parts) await expect.poll(() => world.gateway.output().slice(before)).toContain(part)
    for (const app of world.apps) expect(app.seen).toEqual([])
  })
})

test('a session is not resumed: who comes back shows a certificate again', async () => {
  const sessions: Buffer[] = []
  const handshake = (session?: Buffer) =>
    new Promise<boolean>((resolve, reject) => {
      const socket = connect({
        host: '127.0.0.1',
        port: world.gateway.port,
        rejectUnauthorized: false,
        ...world.callers.curl,
        ...(session ? { session } : {}),
      })
      socket.on('session', (given: Buffer) => sessions.push(given))
      socket.on('error', reject)
      socket.on('secureConnect', () => socket.write('GET /open/x HTTP/1.1\r\nHost: x\r\n\r\n'))
      socket.on('data', () => {
        resolve(socket.isSessionReused())
        socket.destroy()
      })
    })
  expect(await handshake()).toBe(false)
  expect(sessions).toEqual([])
})
