/** What crosses between clusters, seen by somebody on the way: west calls east through a relay that keeps every byte. East is the hub too. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chooseProvider } from '../lab/provider.ts'
import { run, until } from '../lab/run.ts'
import { curl } from './load.ts'
import { app, client, documents, meshNamespace, plainNamespace, policy, serviceExport } from './manifests.ts'
import { disband, memberOf } from './member.ts'
import { CONTROL_PLANE, sites } from './mesh.ts'
import { Relay } from './relay.ts'
import { apply, kubectl, rolledOut } from './site.ts'

const NS = 'secret'
const NAME = 'httpbin'
const URL = `http://${NAME}.${NS}:8080/`
/** Nobody on the way may read it. */
const SECRET = 'a-word-that-must-not-be-read'

const { east, west, gatewayPort } = sites()
const clusters = await chooseProvider()

const relay = new Relay(east, gatewayPort)

beforeAll(async () => {
  const tapped = await relay.listen()
  await Promise.all([
    apply(
      east,
      documents(
        plainNamespace(NS),
        ...app({ namespace: NS, name: NAME, says: 'east' }),
        serviceExport(NS, NAME, { rules: [{ portNumber: 8080, path: '/secret' }] }),
      ),
    ),
    apply(west, documents(meshNamespace(NS), policy(NS, NAME, 'ActiveActive'), client(NS, 'client'))),
  ])
  await apply(
    east,
    documents(await memberOf(clusters, east, { host: relay.host, port: tapped }), await memberOf(clusters, west)),
  )
  await Promise.all([rolledOut(east, NS, NAME), rolledOut(west, NS, 'client')])
})

afterAll(async () => {
  relay.close()
  await disband(east, [east, west])
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
})

const callEast = () => curl(west, NS, 'deploy/client', '-H', `x-secret: ${SECRET}`, URL)

test('what crosses is encrypted, and the gateway knows who called', async () => {
  await until('west calls east', async () => (await callEast()).stdout.includes('Hi, I am from east'))
  // Tables of before there was trust may have led in plain HTTP until then.
  await until('a call over TLS', async () => {
    relay.sent.length = 0
    await callEast()
    return relay.sent.length > 0 || logOf(await gatewayLog()).length > 0
  })
  const caller = `spiffe://west.portolan.local/ns/${NS}/sa/default`
  await until('the gateway tells who', async () => logOf(await gatewayLog()).some(({ client }) => client === caller))
  // New connections alone say hello.
  await kubectl(west, '-n', NS, 'rollout', 'restart', 'deploy/client')
  await rolledOut(west, NS, 'client')
  relay.sent.length = 0
  expect((await callEast()).stdout).toContain('Hi, I am from east')
  const connections = relay.sent.map((chunks) => Buffer.concat(chunks))
  expect(connections.length).toBeGreaterThan(0)
  for (const bytes of connections) {
    // A handshake record of TLS.
    expect([...bytes.subarray(0, 2)]).toEqual([0x16, 0x03])
    for (const word of [SECRET, 'HTTP/1.1', '/secret', NAME]) expect(bytes.includes(word)).toBe(false)
  }
})

test('whoever has no sidecar calls the same port in plain HTTP', async () => {
  expect(await run('curl', ['-s', `http://${east.address}:${gatewayPort}/secret/`])).toContain('Hi, I am from east')
})

describe('where the exporter is not permissive', () => {
  beforeAll(() => permissive(false))
  afterAll(() => permissive(true))

  const target = (account: string) => ({
    apiVersion: 'access.smi-spec.io/v1alpha3',
    kind: 'TrafficTarget',
    metadata: { namespace: NS, name: 'callers' },
    spec: {
      destination: { kind: 'ServiceAccount', namespace: NS, name: 'default' },
      sources: [{ kind: 'ServiceAccount', namespace: NS, name: account }],
    },
  })
  const REFUSED = 'does not let in this client'

  test('its gateway refuses a caller whom no TrafficTarget there names', async () => {
    await until('a refusal', async () => (await callEast()).stdout.includes(REFUSED))
    await apply(east, documents(target('somebody-else')))
    await untilServed('somebody-else')
    expect((await callEast()).stdout).toContain(REFUSED)
  })

  test('and lets in the account that one names, by its certificate: without one nobody', async () => {
    await apply(east, documents(target('default')))
    await until('west calls east', async () => (await callEast()).stdout.includes('Hi, I am from east'))
    const plain = await run('curl', ['-s', `http://${east.address}:${gatewayPort}/secret/`])
    expect(plain).toContain('without a certificate nobody can tell who calls')
  })
})

test('explain says with whom', async () => {
  const MAIN = join(import.meta.dirname, '../../cli/main.ts')
  const said = await run(process.execPath, [MAIN, 'explain', `${NS}/${NAME}`], {
    env: { KUBECONFIG: await clusters.kubeconfig('west') },
  })
  expect(said).toContain('mTLS with spiffe://east.portolan.local/ns/portolan-system/sa/portolan-gateway')
})

const permissive = (is: boolean) =>
  kubectl(
    east,
    ...['patch', 'meshconfig', 'portolan-mesh-config', '-n', CONTROL_PLANE, '--type=merge', '-p'],
    JSON.stringify({ spec: { traffic: { enablePermissiveTrafficPolicyMode: is } } }),
  )

const untilServed = (account: string) =>
  until(`${account} may call`, async () => {
    const said = await kubectl(east, '-n', NS, 'get', 'serviceexport', NAME, '-o', 'jsonpath={.status.clients}')
    return said.includes(account)
  })

const gatewayLog = () =>
  kubectl(east, '-n', CONTROL_PLANE, 'logs', '-l', 'app.kubernetes.io/component=gateway', '--tail=-1')
const logOf = (text: string): readonly Record<string, unknown>[] =>
  text.split('\n').flatMap((line) => (line.includes(`/secret`) && line.startsWith('{') ? [JSON.parse(line)] : []))
