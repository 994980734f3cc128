/** Connections that are not HTTP, on real pods: a PostgreSQL in each of two clusters, called by name from west. East is the hub too. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { IMAGE } from '../lab/images.ts'
import { chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'
import { client, clusterKey, documents, greeter, meshNamespace, policy, serviceExport } from './manifests.ts'
import { disband, memberOf } from './member.ts'
import { CONTROL_PLANE, sites } from './mesh.ts'
import { apply, exec, kubectl, rolledOut } from './site.ts'

const NS = 'tcp'
const CLIENT = 'deploy/client'

const { east, west } = sites()
const clusters = await chooseProvider()

const deployment = (name: string, container: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: NS },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 1,
        securityContext: { runAsNonRoot: true, runAsUser: 70 },
        containers: [{ name: 'main', image: IMAGE.postgres, ...container }],
      },
    },
  },
})

/** A database that says which cluster it is in. Its port is known by its name for what it is. */
const database = (cluster: string) => [
  deployment('db', {
    env: [{ name: 'CLUSTER', value: cluster }],
    readinessProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 },
  }),
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'db', namespace: NS },
    spec: { selector: { app: 'db' }, ports: [{ name: 'postgres', port: 5432 }] },
  },
]

/** Runs a shell's command in the client's pod. */
const inClient = (command: string) => exec(west, NS, CLIENT, 'main', 'sh', '-c', command)
const PSQL = 'PGCONNECT_TIMEOUT=5 psql -h db.tcp -U postgres -tA'
const WHERE = "select current_setting('cluster_name')"
/** Who answers each of so many connections, one after the other. */
const answers = async (connections: number): Promise<readonly string[]> => {
  const each = `${PSQL} -c "${WHERE}" || echo failed`
  const { stdout } = await inClient(`for i in $(seq ${connections}); do ${each}; done 2>&1`)
  return stdout.trim().split('\n')
}
const answering = (...names: readonly string[]) =>
  until(`answers of ${names.join(', ')}`, async () => [...new Set(await answers(4))].sort().join() === names.join())

const route = async (...args: Parameters<typeof policy> extends [string, string, ...infer R] ? R : never) => {
  await apply(west, documents(policy(NS, 'db', ...args)))
  await kubectl(west, '-n', NS, 'wait', '--for=condition=Programmed', 'gtp/db', '--timeout=150s')
}
const exportDb = (spec: object = {}) => apply(east, documents(serviceExport(NS, 'db', spec)))

beforeAll(async () => {
  for (const site of [east, west]) await clusters.loadImage(site.name, IMAGE.postgres)
  await apply(east, documents(meshNamespace(NS), ...database('east'), ...greeter(NS, 'east')))
  await exportDb()
  await apply(east, documents(serviceExport(NS, 'greeter', {})))
  await apply(
    west,
    documents(
      meshNamespace(NS),
      ...database('west'),
      deployment('client', { command: ['sleep', '365d'] }),
      client(NS, 'caller'),
      policy(NS, 'db', 'FailOver', [{ clusterKey: clusterKey('east') }]),
      policy(NS, 'greeter', 'FailOver', [{ clusterKey: clusterKey('east') }]),
    ),
  )
  await apply(east, documents(await memberOf(clusters, east), await memberOf(clusters, west)))
  await Promise.all([rolledOut(east, NS, 'db', 'greeter'), rolledOut(west, NS, 'db', 'client', 'caller')])
}, 400_000)

afterAll(async () => {
  await disband(east, [east, west])
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
})

describe('PostgreSQL', () => {
  test('is the local one while it is there', async () => {
    await answering('west')
  })

  test('fails over to another cluster, and back', async () => {
    await kubectl(west, '-n', NS, 'scale', 'deploy/db', '--replicas=0')
    await answering('east')
    expect(await answers(5)).toEqual(Array.from({ length: 5 }, () => 'east'))
    await kubectl(west, '-n', NS, 'scale', 'deploy/db', '--replicas=1')
    await rolledOut(west, NS, 'db')
    await answering('west')
  })

  test('is shared by weight, connection by connection', async () => {
    await route('ActiveActive', [
      { clusterKey: clusterKey('west'), weight: 50 },
      { clusterKey: clusterKey('east'), weight: 50 },
    ])
    await answering('east', 'west')
    const met = await answers(12)
    expect(met.filter((name) => name === 'east').length).toBe(6)
    expect(met.filter((name) => name === 'west').length).toBe(6)
  })

  test('takes a load of transactions in another cluster, none of them lost', async () => {
    await route('ActiveActive', [
      { clusterKey: clusterKey('west'), weight: 0 },
      { clusterKey: clusterKey('east'), weight: 1 },
    ])
    await answering('east')
    const made = await inClient('pgbench -h db.tcp -U postgres -i -q postgres 2>&1')
    expect(made.code, made.stdout).toBe(0)
    const { code, stdout } = await inClient('pgbench -h db.tcp -U postgres -n -c 4 -T 4 postgres 2>&1')
    expect(code, stdout).toBe(0)
    expect(stdout).toMatch(/number of failed transactions: 0 /)
  })

  test('keeps an open connection while policies change and clients are shut out; new ones are refused, and the log says why', async () => {
    // A session that does what it is told, for as long as somebody holds its input open.
    const [input, output] = ['/tmp/session', '/tmp/session.out']
    await inClient(
      `rm -f ${input} ${output}; mkfifo ${input}; sleep 600 > ${input} 2>&1 & ${PSQL} < ${input} > ${output} 2>&1 &`,
    )
    const ask = async (question: string, answer: string) => {
      await inClient(`echo "${question};" > ${input}`)
      await until(`"${answer}"`, async () => (await inClient(`cat ${output}`)).stdout.includes(answer))
    }
    await ask(WHERE, 'east')
    await exportDb({ allowedClients: [{ namespaces: ['others'] }] })
    await until('nobody is let in', async () => (await answers(1)).some((line) => line.includes('failed')))
    await route('FailOver', [{ clusterKey: clusterKey('east') }])
    await ask("select 'still here'", 'still here')
    expect((await inClient(`cat ${output}`)).stdout.trim().split('\n')).toEqual(['east', 'still here'])
    const log = await kubectl(
      east,
      '-n',
      CONTROL_PLANE,
      'logs',
      '-l',
      'app.kubernetes.io/component=gateway',
      '--tail=50',
    )
    expect(log).toContain('allowedClients of this export does not let in this client')
    await exportDb()
  })
})

describe('a service with a port of each kind', () => {
  test('speaks first at the one, and answers HTTP at the other', async () => {
    const called = (...command: readonly string[]) => exec(west, NS, 'deploy/caller', 'curl', ...command)
    await until('a greeting', async () => {
      const { stdout } = await called('node', '/app/tcp.ts', 'greeter.tcp', '8082')
      return stdout.includes('east')
    })
    expect((await called('curl', '-s', 'http://greeter.tcp:8080/')).stdout).toContain('Hi, I am from east')
  })

  test('is told by its status for what it is', async () => {
    const paths = await kubectl(east, '-n', NS, 'get', 'sexp', 'greeter', '-o', 'jsonpath={.status.paths}')
    expect(paths).toBe('/tcp/greeter/8080, 8082/TCP')
  })
})
