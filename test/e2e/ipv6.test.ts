/**
 * Two clusters beside those of all other tests: six has IPv6 alone, both has IPv4 first and IPv6 too, and is the hub. Each
 * is known to the other by its gateway's IPv6 address.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hasIpv6 } from '../lab/network.ts'
import { chooseProvider } from '../lab/provider.ts'
import { run, tryRun, until } from '../lab/run.ts'
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
import { describeSites, GATEWAY_NODE_PORT, installMesh, siteNamed, terminalEnv } from './mesh.ts'
import { apply, exec, get, kubectl, type Loose, rolledOut, type Site } from './site.ts'

const NS = 'families'
const PLAIN = 'families-plain'
const CLIENT = 'deploy/client'
const NAMES = ['six', 'both']
const VIP_RANGE = 'fd00:240:240::/112'
/** Nothing ends here while it is called. */
const ONE_EACH = `--set ${['webhook', 'compiler', 'identity', 'gateway', 'egress', 'dns'].map((part) => `${part}.replicas=1`)}`
const clusters = await chooseProvider()
const possible = hasIpv6()
if (!possible) console.warn('skipped: the tests of IPv6 between clusters need a kernel with IPv6')

let six: Site
let both: Site

let joined: string

const join = async (name: string, ...flags: readonly string[]): Promise<string> => {
  const args = ['cluster', 'join', name, '--context', name, '--hub-context', 'both', ...flags]
  return run(process.execPath, ['cli/main.ts', ...args], { env: await terminalEnv(clusters, NAMES) })
}

const check = async (name: string) =>
  tryRun(process.execPath, ['cli/main.ts', 'check', '--context', name], { env: await terminalEnv(clusters, NAMES) })

beforeAll(async () => {
  if (!possible) return
  await Promise.all([
    installMesh(clusters, ['six'], { families: [6] }, `${ONE_EACH},vipRange=${VIP_RANGE},federation.enabled=false`),
    installMesh(clusters, ['both'], { families: [4, 6] }, `${ONE_EACH},federation.replicas=1`),
  ])
  const described = await describeSites(clusters, NAMES)
  ;[six, both] = [siteNamed('six', described), siteNamed('both', described)]
  joined = await join('six')
  // Its node has an IPv4 address too, which comes first and which the other one cannot call.
  await join('both', '--gateway-host', await clusters.nodeAddress('both', 6))
  await Promise.all(
    [six, both].map(async (site) => {
      const own = `web-${site.name}`
      const theirs = site === six ? 'web-both' : 'web-six'
      await apply(
        site,
        documents(
          meshNamespace(NS),
          plainNamespace(PLAIN),
          ...app({ namespace: NS, name: own, says: site.name }),
          serviceExport(NS, own, { rules: [{ portNumber: 8080, path: `/${NS}/${own}` }] }),
          policy(NS, theirs, 'FailOver', [{ clusterKey: clusterKey(site === six ? 'both' : 'six') }]),
          client(NS, 'client'),
          client(NS, 'explicit', { annotations: { 'flomesh.io/interception': 'explicit' } }),
          client(PLAIN, 'client'),
        ),
      )
      await rolledOut(site, NS, own, 'client', 'explicit')
      await rolledOut(site, PLAIN, 'client')
      await until(`${site.name} calls ${theirs}`, async () => {
        const { code, stdout, stderr } = await curl(site, NS, CLIENT, `http://${theirs}:8080/`)
        if (!stdout.includes('Hi, I am from')) throw new Error(`exit code ${code}, ${stdout}${stderr}`)
        return true
      }).catch(async (cause: Error) => {
        const checks = await Promise.all(NAMES.map((name) => check(name)))
        throw new Error([cause.message, ...checks.map(({ stdout }) => stdout)].join('\n'), { cause })
      })
    }),
  )
})

afterAll(async () => {
  if (possible && process.env['KEEP_CLUSTERS'] === undefined) await clusters.down(NAMES)
})

const sitesUnderTest = () => [
  { site: six, theirs: 'both', family: 6 },
  { site: both, theirs: 'six', family: 4 },
]

test.skipIf(!possible)('nodes, pods and Services of one cluster have IPv6 alone', async () => {
  const [node] = (await get(six, 'nodes')).items
  const [pod] = (await get(six, '-n', NS, 'pod', '-l', 'app=client')).items
  const addresses = [
    ...node.status.addresses.filter(({ type }: Loose) => type === 'InternalIP').map(({ address }: Loose) => address),
    ...pod.status.podIPs.map(({ ip }: Loose) => ip),
    ...(await get(six, '-n', NS, 'service', 'web-six')).spec.clusterIPs,
  ]
  expect(addresses.filter((each: string) => !each.includes(':'))).toEqual([])
})

test.skipIf(!possible)(
  'a cluster with IPv6 alone joins by its context, and one with both by the address that all can call',
  async () => {
    const host = await clusters.nodeAddress('six', 6)
    expect(joined).toContain(`six: gateway at [${host}]:${GATEWAY_NODE_PORT} (the node port`)
    expect(joined).toMatch(/six is managed by both as default\/default\/default\/six: .*https:\/\/\[/)
    for (const name of NAMES) {
      const { spec } = await get(both, 'clusters.flomesh.io', name)
      expect(spec).toMatchObject({ gatewayHost: await clusters.nodeAddress(name, 6), gatewayPort: GATEWAY_NODE_PORT })
      expect(spec.kubeconfig).toBeUndefined()
    }
  },
)

test.skipIf(!possible)('names of imports resolve to addresses of the one family that is captured', async () => {
  for (const { site, theirs, family } of sitesUnderTest()) {
    const program = `require('node:dns').lookup('web-${theirs}', { all: true }, (error, all) => console.log(JSON.stringify(all ?? error)))`
    const { stdout } = await exec(site, NS, CLIENT, 'curl', 'node', '-e', program)
    expect(JSON.parse(stdout), site.name).toEqual([
      { family, address: expect.stringMatching(family === 6 ? /^fd00:240:240::/ : /^240\.240\./) },
    ])
  }
})

test.skipIf(!possible)(
  'calls go through the sidecar to the other cluster, by the IPv6 address of its gateway, with mutual TLS',
  async () => {
    for (const { site, theirs } of sitesUnderTest()) {
      const { stdout, stderr } = await curl(site, NS, CLIENT, `http://web-${theirs}:8080/`)
      expect(stdout, stderr).toContain(`Hi, I am from ${theirs}!`)
      const table = JSON.parse((await get(site, '-n', NS, 'configmap', 'portolan-routes')).data['table.json'])
      const [backend] = table.routes.find(({ service }: Loose) => service === `${NS}/web-${theirs}`).backends
      expect(backend.endpoints[0].host, site.name).toBe(await clusters.nodeAddress(theirs, 6))
      expect(backend.tls, site.name).toBe(true)
    }
  },
)

test.skipIf(!possible)('so do calls by name, without capture, and those of pods without a sidecar', async () => {
  for (const { site, theirs } of sitesUnderTest()) {
    const explicit = await curl(site, NS, 'deploy/explicit', `http://web-${theirs}:8080/`)
    expect(explicit.stdout, explicit.stderr).toContain(`Hi, I am from ${theirs}!`)
    const plain = await curl(site, PLAIN, CLIENT, `http://web-${theirs}.${NS}.svc.clusterset.local:8080/`)
    expect(plain.stdout, plain.stderr).toContain(`Hi, I am from ${theirs}!`)
  }
})

test.skipIf(!possible)(
  'Services of the own cluster are reached as ever, and an import that nobody routes is refused',
  async () => {
    for (const { site, theirs } of sitesUnderTest()) {
      const own = await curl(site, NS, CLIENT, `http://web-${site.name}:8080/`)
      expect(own.stdout, own.stderr).toContain(`Hi, I am from ${site.name}!`)
      await kubectl(site, '-n', NS, 'delete', 'gtp', `web-${theirs}`)
      await until(`${site.name} refuses web-${theirs}`, async () => {
        const { code } = await curl(site, NS, CLIENT, `http://web-${theirs}:8080/`)
        return code === 7
      })
      await apply(site, documents(policy(NS, `web-${theirs}`, 'FailOver', [{ clusterKey: clusterKey(theirs) }])))
      // The condition says what proxies run, which are asked at their pods' addresses.
      await kubectl(site, '-n', NS, 'wait', '--for=condition=Programmed', `gtp/web-${theirs}`, '--timeout=150s')
    }
  },
)

test.skipIf(!possible)('portolan check finds nothing wrong', async () => {
  for (const name of NAMES) {
    const { code, stdout, stderr } = await check(name)
    expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: '' })
  }
})
