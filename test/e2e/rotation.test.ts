/**
 * Certificates, roots and the hub's credentials are renewed while west calls east, each call with a handshake of its own.
 * East is the hub too.
 */
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { IDENTITY_SECRET } from '../../api/names.ts'
import { SECRETS, type Secret } from '../../api/resources.ts'
import { issueRoot } from '../../certs/issue.ts'
import { DEFAULT_LIVES } from '../../certs/plan.ts'
import { type Authority, authorityOf, writeAuthorities } from '../../certs/secret.ts'
import { createClient } from '../../kube/client.ts'
import { connect } from '../../kube/connection.ts'
import { must } from '../../kube/failure.ts'
import { chooseProvider } from '../lab/provider.ts'
import { run, until } from '../lab/run.ts'
import { loadAdmission, rootsIn } from './admission-load.ts'
import { curl, loadAlone } from './load.ts'
import { app, client, documents, meshNamespace, plainNamespace, policy, serviceExport } from './manifests.ts'
import { disband } from './member.ts'
import { CONTROL_PLANE, helm, sites } from './mesh.ts'
import { Relay } from './relay.ts'
import { apply, get, kubectl, type Loose, rolledOut, type Site } from './site.ts'

const NS = 'rotation'
const NAME = 'httpbin'
const URL = `http://${NAME}.${NS}:8080/`
const ROOT = join(import.meta.dirname, '../..')
/** Kubelets look for new files each second here. */
const SETTLE_SECONDS = 15

const { east, west, gatewayPort } = sites()
const clusters = await chooseProvider()
/** Calls come every 200 ms: none of them finds the connection of the one before. */
const CALLS_PER_SECOND = 5
const relay = new Relay(east, gatewayPort, 80)
let tapped = 0

const adminKubeconfig = async (site: Site) => readFile(await clusters.kubeconfig(site.name), 'utf8')

async function register(site: Site, host: string, port: number, kubeconfig?: string): Promise<void> {
  const spec = { gatewayHost: host, gatewayPort: port, kubeconfig: kubeconfig ?? (await adminKubeconfig(site)) }
  await apply(
    east,
    documents({ apiVersion: 'flomesh.io/v1alpha1', kind: 'Cluster', metadata: { name: site.name }, spec }),
  )
}

const settings = (settleSeconds: number, failurePolicy: 'Fail' | 'Ignore') => {
  const values = `identity.settleSeconds=${settleSeconds},webhook.validation.failurePolicy=${failurePolicy}`
  return Promise.all(['east', 'west'].map((name) => helm(name, '--set', values)))
}

const exported = (extra: object = {}) =>
  serviceExport(NS, NAME, {
    rules: [{ portNumber: 8080, path: '/rotation' }],
    // Nobody without a certificate is let in, so that each answer is proof of one.
    allowedClients: [{ clusters: ['west'], namespaces: [NS] }],
    ...extra,
  })

const rootsOf = async (site: Site): Promise<readonly string[]> => {
  const { data } = await get(site, '-n', CONTROL_PLANE, 'configmap', 'portolan-identity')
  return JSON.parse(data['bundle.json']).keys.map(({ x5c }: Loose) => x5c[0])
}
const leafOf = async (site: Site, namespace: string, account: string): Promise<string> =>
  (await get(site, '-n', namespace, 'secret', IDENTITY_SECRET)).data?.[`${account}.crt`] ?? ''

beforeAll(async () => {
  tapped = await relay.listen()
  // Nothing gets by a webhook that does not answer.
  await settings(SETTLE_SECONDS, 'Fail')
  await Promise.all([
    apply(east, documents(plainNamespace(NS), ...app({ namespace: NS, name: NAME, says: 'east' }), exported())),
    apply(west, documents(meshNamespace(NS), policy(NS, NAME, 'ActiveActive'), client(NS, 'client'))),
  ])
  await register(east, relay.host, tapped)
  await register(west, west.address, gatewayPort)
  await Promise.all([rolledOut(east, NS, NAME), rolledOut(west, NS, 'client')])
  // Each gateway pod and the caller learn of each other on their own: one good answer does not speak for the next.
  let good = 0
  await until(
    'west calls east, ten times in a row',
    async () => {
      const { stdout } = await curl(west, NS, 'deploy/client', URL)
      good = stdout.includes('Hi, I am from east') ? good + 1 : 0
      return good === 10
    },
    { timeout: 120_000 },
  )
})

afterAll(async () => {
  relay.close()
  await disband(east, [east, west])
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
  await Promise.all(
    [east, west].map((site) => kubectl(site, 'delete', 'clusterrolebinding', 'rotation-hub', '--ignore-not-found')),
  )
  await settings(300, 'Ignore')
})

/** Calls all the time while `work` is done, each by a connection of its own: none may fail. */
async function calling(work: () => Promise<unknown>): Promise<void> {
  relay.sent.length = 0
  const loop = await loadAlone(west, NS, 'deploy/client', URL, CALLS_PER_SECOND)
  const [problem] = await Promise.all([
    work().then(
      () => undefined,
      (error: unknown) => error,
    ),
    // However soon it is done, there are calls to count.
    new Promise((resolve) => setTimeout(resolve, 3_000)),
  ])
  const { failed, failures, total } = await loop.stop()
  if (problem !== undefined)
    throw new Error(`${String(problem)}; of ${total} calls ${failed} failed: ${JSON.stringify(failures)}`, {
      cause: problem,
    })
  expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
  expect(total).toBeGreaterThan(5)
  // Where one took long, others may have shared its connection.
  expect(relay.sent.length).toBeGreaterThan(total / 2)
}

test('leaves of the caller and of the gateway', async () => {
  await calling(async () => {
    for (const [site, namespace, account] of [
      [west, NS, 'default'],
      [east, CONTROL_PLANE, 'portolan-gateway'],
    ] as const) {
      const before = await leafOf(site, namespace, account)
      await kubectl(site, '-n', namespace, 'delete', 'secret', IDENTITY_SECRET)
      await until('another leaf', async () => {
        const { code } = await site.kubectl(['-n', namespace, 'get', 'secret', IDENTITY_SECRET])
        if (code !== 0) return false
        const after = await leafOf(site, namespace, account)
        return after !== '' && after !== before
      })
      // Until kubelets have put it into the pods, and proxies have read it.
      await new Promise((resolve) => setTimeout(resolve, 5_000))
    }
  })
})

test.each([
  ['importer', west],
  ['exporter', east],
] as const)(
  'the root of the %s',
  async (_, site) => {
    const before = await rootsOf(site)
    expect(before).toHaveLength(1)
    const cli = join(ROOT, 'cli/main.ts')
    await calling(async () => {
      const said = await run(process.execPath, [cli, 'ca', 'roll', '--timeout', '240'], {
        env: { KUBECONFIG: await clusters.kubeconfig(site.name) },
      })
      expect(said).toContain('done: ')
    })
    const after = await rootsOf(site)
    expect(after).toHaveLength(1)
    expect(after).not.toEqual(before)
  },
  300_000,
)

/** As the administrator's, by a token for an hour in place of a certificate for a year. */
async function tokenKubeconfig(site: Site): Promise<string> {
  const name = 'rotation-hub'
  const account = { kind: 'ServiceAccount', name, namespace: NS }
  await apply(
    site,
    documents(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: NS } },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [account],
      },
    ),
  )
  const token = (await kubectl(site, '-n', NS, 'create', 'token', name, '--duration=1h')).trim()
  const admin = parse(await adminKubeconfig(site))
  return stringify({ ...admin, users: admin.users.map((user: Loose) => ({ name: user.name, user: { token } })) })
}

test('the credentials by which the hub manages both', async () => {
  const expiryOf = async ({ name }: Site) => (await get(east, 'clusters.flomesh.io', name)).status?.credentialsExpire
  const before = await Promise.all([east, west].map(expiryOf))
  await calling(async () => {
    await register(east, relay.host, tapped, await tokenKubeconfig(east))
    await register(west, west.address, gatewayPort, await tokenKubeconfig(west))
    await apply(east, documents(exported({ serviceAccountName: 'renewed' })))
    await until('west hears of a change', async () => {
      const { spec } = await get(west, '-n', NS, 'serviceimports.flomesh.io', NAME)
      return spec.serviceAccountName === 'renewed'
    })
    await until('the hub goes by the new ones', async () => {
      const after = await Promise.all([east, west].map(expiryOf))
      return after.every((each, index) => each !== undefined && each !== before[index])
    })
  })
})

test('the certificate of the webhook, and its root in both phases', async () => {
  const client = createClient(await connect({ kubeconfig: await clusters.kubeconfig(east.name) }))
  const secret = { namespace: CONTROL_PLANE, name: 'portolan-webhook-tls' }
  const stored = async () => must(await client.get<Secret>(SECRETS, secret))
  const store = async (authorities: readonly Authority[]) =>
    must(await client.replace(SECRETS, { ...(await stored()), data: writeAuthorities(authorities) }))
  const rootBorn = async (now: number) =>
    authorityOf(await issueRoot({ commonName: secret.name, now, lifeMs: DEFAULT_LIVES.rootMs }))
  // That of a cluster made just now would be younger than its successor below.
  const old = await rootBorn(Date.now() - 3 * DEFAULT_LIVES.settleMs)
  await store([old])
  const load = await loadAdmission(east, client, NS)
  const trusted = (count: number) =>
    until(`${count} roots are trusted`, async () => rootsIn(await load.bundle()).length === count)
  /** Twenty answers in a row: of two replicas, both. And the API server goes on asking. */
  const signedBy = async ({ pair }: Authority) => {
    const root = new X509Certificate(pair.cert)
    const before = load.applied()
    let good = 0
    let last: X509Certificate | undefined
    await until(
      'each replica shows a leaf of that root',
      () => {
        const leaf = load.leaf()
        if (leaf !== last) good = leaf?.verify(root.publicKey) ? good + 1 : 0
        last = leaf
        return good >= 20 && load.applied() >= before + 5
      },
      { every: 10 },
    )
  }

  await signedBy(old)
  load.count()
  // As the webhook makes it at two thirds of the old one's life; an hour later it signs. That hour is over in five seconds.
  const next = await rootBorn(Date.now() - DEFAULT_LIVES.settleMs + 5_000)
  await store([old, next])
  await trusted(2)
  await signedBy(next)
  // A week later, when the last leaf of the old one has expired.
  await store([next])
  await trusted(1)
  await signedBy(next)
  const failures = await load.stop()
  await client.close()
  expect(failures).toEqual([])
})
