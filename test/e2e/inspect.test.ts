/** The commands that look into clusters, on real pods: what they say of proxies is what the proxies do. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunResult, tryRun, until } from '../lab/run.ts'
import { load } from './load.ts'
import {
  app,
  client,
  clusterKey,
  documents,
  meshNamespace,
  plainNamespace,
  policy,
  serviceExport,
  serviceImport,
} from './manifests.ts'
import { CONTROL_PLANE, sites } from './mesh.ts'
import { apply, get, kubectl, rolledOut, type Site } from './site.ts'

const { east, west, gatewayPort } = sites()
const NS = 'inspect'
const CLIENT = 'deploy/client'
const PATH = `/${NS}/pay`
/** Calls that were answered, all of them by east. */
let answered = 0

const portolan = (site: Site, line: string): Promise<RunResult> =>
  tryRun(process.execPath, [join(import.meta.dirname, '../../cli/main.ts'), ...line.split(' ')], { env: site.env })

async function podOf(site: Site, namespace: string, selector: string): Promise<string> {
  const { items } = await get(site, '-n', namespace, 'pod', '-l', selector)
  return items[0].metadata.name
}

beforeAll(async () => {
  const remotes = [
    { clusterKey: clusterKey('east'), host: east.address, port: gatewayPort, path: PATH },
    // Nobody listens there: connections are refused.
    { clusterKey: clusterKey('north'), host: east.address, port: 9, path: PATH },
  ]
  const targets = ['east', 'north'].map((name) => ({ clusterKey: clusterKey(name) }))
  await apply(
    east,
    documents(
      plainNamespace(NS),
      ...app({ namespace: NS, name: 'pay', says: 'east' }),
      serviceExport(NS, 'pay', { rules: [{ portNumber: 8080, path: PATH }] }),
    ),
  )
  await apply(
    west,
    documents(
      meshNamespace(NS),
      serviceImport(NS, 'pay', remotes),
      policy(NS, 'pay', 'ActiveActive', targets),
      client(NS, 'client'),
      client(NS, 'plain', { annotations: { 'flomesh.io/sidecar-injection': 'disabled' } }),
    ),
  )
  await Promise.all([rolledOut(east, NS, 'pay'), rolledOut(west, NS, 'client', 'plain')])
  await kubectl(west, '-n', NS, 'wait', '--for=condition=Programmed', 'gtp/pay', '--timeout=150s')
})

afterAll(async () => {
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
})

describe('routes', () => {
  test('of a sidecar: what it runs, which endpoints it gave up, and the calls that it counted', async () => {
    const line = `routes -n ${NS} ${await podOf(west, NS, 'app=client')}`
    const look = async () => {
      const { versions, rows } = JSON.parse((await portolan(west, `${line} -o json`)).stdout)
      return { versions, row: rows.find(({ service }: { service: string }) => service === `${NS}/pay`) }
    }
    const calls = load(west, NS, CLIENT, `http://pay.${NS}:8080/`, { rps: 20, seconds: 15 })
    // An endpoint is given up for some seconds, and then tried again.
    await until('the one that refuses is given up', async () => (await look()).row.endpoints[1].health === 'ejected')
    const { total, failed, answers } = await calls
    expect({ failed, answers }).toEqual({ failed: 0, answers: { 'Hi, I am from east!': total } })
    answered = total

    const { versions, row } = await look()
    expect(new Set(Object.values(versions)).size).toBe(1)
    expect(row).toMatchObject({ port: 8080, state: 'same' })
    expect(row.endpoints).toMatchObject([
      { cluster: 'east', health: 'healthy', calls: { total, failed: 0 } },
      { cluster: 'north', calls: { total: 0 } },
    ])
    expect(row.endpoints[1].calls.connectFailures).toBeGreaterThan(0)

    const { code, stdout } = await portolan(west, line)
    expect(stdout).toContain('which is what compiling gives now: up to date')
    expect(code).toBe(0)
  })

  test('of a gateway: the pods behind each path', async () => {
    const gateways = (await get(east, '-n', CONTROL_PLANE, 'pod', '-l', 'app.kubernetes.io/component=gateway')).items
    let served = 0
    for (const { metadata } of gateways) {
      const { code, stdout } = await portolan(east, `routes ${CONTROL_PLANE}/${metadata.name} -o json`)
      const { routes, rows } = JSON.parse(stdout)
      expect({ code, routes }).toEqual({ code: 0, routes: 'same' })
      const row = rows.find(({ path }: { path: string }) => path === `Prefix ${PATH}`)
      expect(row).toMatchObject({ service: `${NS}/pay`, state: 'same' })
      served += row.endpoints[0].calls.total
    }
    expect(served).toBe(answered)
  })

  test('a proxy that is behind is told apart from what was written', async () => {
    const pod = await podOf(west, NS, 'app=client')
    await kubectl(west, '-n', CONTROL_PLANE, 'scale', 'deploy/portolan-compiler', '--replicas=0')
    try {
      await until('no compiler is left', async () => {
        const { items } = await get(west, '-n', CONTROL_PLANE, 'pod', '-l', 'app.kubernetes.io/component=compiler')
        return items.length === 0
      })
      await apply(west, documents(policy(NS, 'pay', 'FailOver', [{ clusterKey: clusterKey('east') }])))
      const { code, stdout } = await portolan(west, `routes -n ${NS} ${pod}`)
      expect(stdout).toMatch(/Behind: runs table (\w+); its ConfigMap has \1; compiling now gives (?!\1)/)
      expect(code).toBe(1)
    } finally {
      await kubectl(west, '-n', CONTROL_PLANE, 'scale', 'deploy/portolan-compiler', '--replicas=2')
    }
    await until(
      'the compiler is back, and the proxy up to date',
      async () => (await portolan(west, `routes -n ${NS} ${pod}`)).code === 0,
      { timeout: 60_000 },
    )
  })

  test.each([
    ['a pod without a sidecar', 'plain', /has no sidecar: .*the annotation says "disabled"/],
    ['a pod that is not there', 'nobody', /there is no pod inspect\/nobody/],
  ])('%s', async (_, name, expected) => {
    const pod = name === 'plain' ? await podOf(west, NS, 'app=plain') : name
    const { code, stderr } = await portolan(west, `routes -n ${NS} ${pod}`)
    expect(stderr).toMatch(expected)
    expect(code).toBe(2)
  })
})

test('explain --from: the sidecar, its scope, and that it runs what is compiled', async () => {
  const { code, stdout } = await portolan(west, `explain ${NS}/pay --from ${await podOf(west, NS, 'app=client')}`)
  expect(stdout).toContain('Its sidecar knows the service.')
  expect(stdout).toContain('up to date')
  expect(code).toBe(0)
})
