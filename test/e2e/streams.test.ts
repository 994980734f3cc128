/**
 * gRPC and WebSocket on real pods of two clusters, from a sidecar in west through the gateway of east, federated as users
 * do it: the hub is east's. docs/protocols.md makes the promises.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { GrpcReport } from '../lab/app/grpc.ts'
import { chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'
import { converse } from './converse.ts'
import { curl } from './load.ts'
import {
  app,
  client,
  clusterKey,
  documents,
  meshNamespace,
  plainNamespace,
  policy,
  serviceExport,
} from './manifests.ts'
import { disband, memberOf } from './member.ts'
import { sites } from './mesh.ts'
import { apply, exec, kubectl, rolledOut, type Site } from './site.ts'

const NS = 'streams'
const NAME = 'talk'
const CLIENT = 'deploy/client'
const GRPC = `${NAME}.${NS}:9000`
const SOCKET = `ws://${NAME}.${NS}:8080/ws`
const { east, west } = sites()
const clusters = await chooseProvider()

/** The app with a port of each kind. */
const talk = (site: Site) => {
  const ports = [
    { name: 'http', port: 8080, targetPort: 8080 },
    { name: 'grpc', port: 9000, targetPort: 8081, appProtocol: 'kubernetes.io/h2c' },
  ]
  return app({ namespace: NS, name: NAME, says: site.name }).map((object) =>
    object.kind === 'Service' ? { ...object, spec: { selector: { app: NAME }, ports } } : object,
  )
}

const join = async (site: Site) => apply(east, documents(await memberOf(clusters, site)))

/** Sets west's policy and waits until its sidecars have it. */
async function route(...args: Parameters<typeof policy> extends [string, string, ...infer R] ? R : never) {
  await apply(west, documents(policy(NS, NAME, ...args)))
  await kubectl(west, '-n', NS, 'wait', '--for=condition=Programmed', `gtp/${NAME}`, '--timeout=150s')
}

const EAST = clusterKey('east')
const untilAnswers = (name: string) =>
  until(`${name} answers`, async () => {
    const { code, stdout } = await curl(west, NS, CLIENT, `http://${NAME}.${NS}:8080/`)
    if (!stdout.includes(`from ${name}!`)) throw new Error(`exit code ${code}, ${stdout}`)
    return true
  })

/** One run of app/grpc.ts in the client's pod, and what it reports of each call. */
async function grpc(...args: readonly string[]): Promise<readonly GrpcReport[]> {
  const { stdout, stderr } = await exec(west, NS, CLIENT, 'curl', 'node', '/app/grpc.ts', GRPC, ...args)
  if (stdout === '') throw new Error(stderr)
  const lines = stdout.trim().split('\n')
  return lines.map((line) => JSON.parse(line) as GrpcReport)
}

beforeAll(async () => {
  await apply(east, documents(plainNamespace(NS), ...talk(east)))
  const rules = [
    { portNumber: 8080, path: `/${NS}/web` },
    { portNumber: 9000, path: `/${NS}/grpc` },
  ]
  await apply(east, documents(serviceExport(NS, NAME, { rules })))
  await apply(west, documents(meshNamespace(NS), client(NS, 'client')))
  await Promise.all([join(east), join(west)])
  await Promise.all([rolledOut(east, NS, NAME), rolledOut(west, NS, 'client')])
  await until('the import is there', async () => {
    await kubectl(west, '-n', NS, 'get', 'serviceimport', NAME)
    return true
  })
  await route('FailOver', [{ clusterKey: EAST }])
  await untilAnswers('east')
})

afterAll(async () => {
  await disband(east, [east, west])
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
})

test('a gRPC stream goes both ways message by message, and its trailers come last', async () => {
  const chat = converse(west, NS, CLIENT, 'node', '/app/grpc.ts', GRPC, '-', '--method', 'Chat')
  for (const word of ['one', 'two', 'three']) expect(await chat.say(word)).toBe(word)
  const [report = ''] = await chat.end()
  expect(JSON.parse(report)).toMatchObject({
    cluster: 'east',
    grpcStatus: '0',
    trailers: { 'grpc-status': '0', 'x-messages': '3' },
  })
})

test('a gRPC status without a message arrives as it is', async () => {
  const [report] = await grpc('hello', '--method', 'Refuse')
  expect(report).toMatchObject({ status: 200, grpcStatus: '7', grpcMessage: 'not for you', message: '' })
})

test('a deadline reaches the server, and a caller that gives up is noticed there', async () => {
  const [said] = await grpc('hello', '--deadline', '9000')
  expect(said?.trailers).toMatchObject({ 'x-deadline': '9000m' })
  const [waited] = await grpc('hello', '--method', 'Wait', '--deadline', '300')
  expect(waited).toMatchObject({ gaveUp: true })
  await until('the server knows', async () => (await grpc('', '--method', 'Cancelled'))[0]?.message === '1')
})

test('a call to a port that no one answers gets a gRPC status too', async () => {
  const { code, stdout } = await exec(west, NS, CLIENT, 'curl', 'node', '/app/grpc.ts', `${NAME}.${NS}:9009`, 'hello')
  expect(code).toBe(1)
  expect(JSON.parse(stdout)).toMatchObject({ grpcStatus: '14' })
})

test('WebSocket messages go both ways', async () => {
  const socket = converse(west, NS, CLIENT, 'node', '/app/ws.ts', SOCKET, '-')
  for (const word of ['one', 'x'.repeat(60_000), 'three']) expect(await socket.say(word)).toBe(word)
  expect(await socket.end()).toEqual([])
})

test('streams that are open stay where they are through changes of the tables; new ones go by the new', async () => {
  const chat = converse(west, NS, CLIENT, 'node', '/app/grpc.ts', GRPC, '-', '--method', 'Chat')
  const socket = converse(west, NS, CLIENT, 'node', '/app/ws.ts', SOCKET, '-')
  let said = 0
  const stillOpen = async (word: string) => {
    said++
    expect([await chat.say(word), await socket.say(word)]).toEqual([word, word])
  }
  await stillOpen('opened')

  await apply(west, documents(...talk(west)))
  await rolledOut(west, NS, NAME)
  await untilAnswers('west')
  await stillOpen('a local Service goes before')

  await route('ActiveActive', [{ clusterKey: EAST, weight: 0 }, { clusterKey: clusterKey('west') }])
  await stillOpen('east is drained')

  await kubectl(west, '-n', NS, 'delete', 'gtp', NAME)
  await until('nothing is routed', async () => {
    const { stdout } = await exec(west, NS, CLIENT, 'curl', 'nslookup', `${NAME}.${NS}.svc.cluster.local`)
    return !stdout.includes('240.240.')
  })
  await stillOpen('there is no policy')

  await route('ActiveActive', [{ clusterKey: EAST }])
  await until('both answer', async () =>
    (await grpc('hello', '--times', '20')).some(({ cluster }) => cluster === 'east'),
  )
  await stillOpen('east is back')

  await kubectl(east, '-n', NS, 'delete', 'serviceexport', NAME)
  await until('only west answers', async () =>
    (await grpc('hello', '--times', '20')).every(({ cluster }) => cluster === 'west'),
  )
  await stillOpen('the export is gone')

  const [report = ''] = await chat.end()
  expect(JSON.parse(report)).toMatchObject({ cluster: 'east', trailers: { 'x-messages': String(said) } })
  expect(await socket.end()).toEqual([])
})
