/** The identity server against a real API server: what it writes, as others see it. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { identityKeys } from '../../api/identity.ts'
import { CA_SECRET, IDENTITY_CONFIGMAP, IDENTITY_SECRET } from '../../api/names.ts'
import { CONFIGMAPS, NAMESPACES, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources.ts'
import type { IdentityLives } from '../../certs/identity/controller.ts'
import { type IdentityOptions, runIdentity } from '../../certs/identity/main.ts'
import { type PublishedRoot, publishedRoots } from '../../certs/identity/published.ts'
import { type RootState, readRoots } from '../../certs/identity/root-secret.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { must, mustOrMissing } from '../../kube/failure.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { until } from '../lab/run.ts'

export const SYSTEM = 'portolan-system'
export const DOMAIN = 'east.portolan.local'

const HOUR = 3_600_000
export const LIVES: IdentityLives = { rootMs: 365 * 24 * HOUR, leafMs: 24 * HOUR, settleMs: 300_000 }

export interface Replica {
  /** All that has been logged. */
  readonly log: () => string
  readonly stop: () => Promise<void>
}

/** A pair as a pod would mount it. */
export interface Mounted {
  readonly certificate: X509Certificate
  readonly cert: string
  readonly key: string
}

export interface IdentityStage {
  readonly api: ApiServer
  readonly client: KubeClient
  readonly start: (options?: Partial<IdentityOptions>) => Replica
  readonly member: (namespace: string, ...accounts: readonly string[]) => Promise<void>
  readonly mounted: (namespace: string, account: string) => Promise<Mounted | undefined>
  /** Waits for a pair that fits together. */
  readonly identity: (namespace: string, account: string) => Promise<Mounted>
  readonly state: () => Promise<RootState>
  readonly published: () => Promise<{
    readonly trustDomain: string
    readonly number: number
    readonly ids: readonly string[]
    readonly pems: readonly string[]
    readonly roots: readonly PublishedRoot[]
  }>
  readonly stop: () => Promise<void>
}

export async function startStage(): Promise<IdentityStage> {
  const api = await startApiServer()
  const client = createClient(api.connection)
  must(await client.create(NAMESPACES, { metadata: { name: SYSTEM } }))
  for (const name of ['portolan-gateway', 'portolan-egress'])
    must(await client.create(SERVICE_ACCOUNTS, { metadata: { namespace: SYSTEM, name } }))
  const replicas: Replica[] = []

  const mounted = async (namespace: string, account: string): Promise<Mounted | undefined> => {
    const secret = mustOrMissing(await client.get(SECRETS, { namespace, name: IDENTITY_SECRET }))
    const keys = identityKeys(account)
    const text = (name: string) => Buffer.from(secret?.data?.[name] ?? '', 'base64').toString()
    if (secret?.data?.[keys.cert] === undefined) return undefined
    return { cert: text(keys.cert), key: text(keys.key), certificate: new X509Certificate(text(keys.cert)) }
  }

  return {
    api,
    client,
    start: (options = {}) => {
      let text = ''
      const sink = new Writable({
        write: (chunk, _, done) => {
          text += chunk
          done()
        },
      })
      const stop = new AbortController()
      const own = createClient(api.connection, { timeoutMs: 5_000 })
      const finished = runIdentity(
        {
          namespace: SYSTEM,
          identity: 'test',
          meshName: 'portolan',
          clusterKey: 'default/default/default/east',
          trustDomain: 'portolan.local',
          lease: 'portolan-identity',
          leaseSeconds: 3,
          lives: LIVES,
          healthPort: 0,
          metricsPort: 0,
          ...options,
        },
        own,
        pino({ level: 'debug' }, sink),
        stop.signal,
      )
      const replica = {
        log: () => text,
        stop: async () => {
          stop.abort()
          await finished
          await own.close()
        },
      }
      replicas.push(replica)
      return replica
    },
    member: async (namespace, ...accounts) => {
      const labels = { 'flomesh.io/monitored-by': 'portolan' }
      must(await client.apply(NAMESPACES, { metadata: { name: namespace, labels } as never }, { manager: 'test' }))
      for (const name of accounts) must(await client.create(SERVICE_ACCOUNTS, { metadata: { namespace, name } }))
    },
    mounted,
    identity: (namespace, account) =>
      until(`${namespace}/${account} has an identity`, async () => {
        const pair = await mounted(namespace, account)
        return pair?.certificate.checkPrivateKey(createPrivateKey(pair.key)) ? pair : undefined
      }),
    state: async () => readRoots(must(await client.get(SECRETS, { namespace: SYSTEM, name: CA_SECRET })), Date.now()),
    published: async () => {
      const found = must(await client.get(CONFIGMAPS, { namespace: SYSTEM, name: IDENTITY_CONFIGMAP }))
      const { data = {} } = found
      return {
        trustDomain: data['trustDomain'] ?? '',
        number: JSON.parse(data['bundle.json'] ?? '').sequence_number,
        ids: publishedRoots(found).map(({ fingerprint }) => fingerprint),
        pems: publishedRoots(found).map(({ der }) => new X509Certificate(Buffer.from(der, 'base64')).toString()),
        roots: JSON.parse(data['roots.json'] ?? '[]'),
      }
    },
    stop: async () => {
      await Promise.all(replicas.map((replica) => replica.stop()))
      await client.close()
      await api.stop()
    },
  }
}
