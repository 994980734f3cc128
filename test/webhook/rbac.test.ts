/** The webhook's rights: enough, and each of them needed. */

import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll } from 'vitest'
import { MUTATING, VALIDATING } from '../../certs/publish.ts'
import { createClient, type KubeClient } from '../../kube/client.ts'
import { mustOrMissing } from '../../kube/failure.ts'
import { runWebhook } from '../../webhook/main.ts'
import { render } from '../chart/helm.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { CLUSTER_KEY, kubectl, SYSTEM } from '../kube/compiler.ts'
import { CRDS } from '../kube/crds.ts'
import {
  type Audit,
  connectionAs,
  createAudit,
  createHolder,
  describeRights,
  type Expectation,
  type Holder,
  type Right,
  rightsOf,
  textOf,
} from '../kube/rights.ts'
import { freePorts } from '../lab/ports.ts'

const RIGHTS = rightsOf(await render('--show-only', 'templates/webhook/rbac.yaml'), 'portolan-webhook')
const SECRET = { namespace: SYSTEM, name: 'portolan-webhook-tls' }
const CONFIGURATIONS = [MUTATING, VALIDATING]

let dir: string
let audit: Audit
let api: ApiServer
let client: KubeClient
/** Replicas linger for their callers' sake: nobody waits for that here. */
const leaving: Promise<unknown>[] = []

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'portolan-rights-'))
  audit = await createAudit(dir, 'webhook')
  api = await startApiServer({ args: audit.args })
  client = createClient(api.connection)
  await kubectl(api, ['apply', ...CRDS])
  await kubectl(api, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
  await kubectl(api, ['create', 'namespace', SYSTEM])
  const manifests = await render('--show-only', 'templates/webhook/admission.yaml', '-s', 'templates/dns/service.yaml')
  await kubectl(api, ['apply', '-f', '-'], manifests)
})
afterAll(async () => {
  await Promise.all(leaving)
  await client?.close()
  await api?.stop()
  await rm(dir, { recursive: true, force: true })
})

interface World {
  readonly holder: Holder
  readonly port: number
  readonly healthPort: number
}

const ready = async ({ healthPort }: World) => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok
const READY: Expectation<World> = { name: 'becomes ready', holds: ready }

/** A pod in a namespace that no watch has told of. */
async function injects({ port }: World): Promise<boolean> {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'early', namespace: 'unheard' },
    spec: { containers: [] },
  }
  const review = {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'early',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      namespace: 'unheard',
      name: 'early',
      object: pod,
    },
  }
  return new Promise((resolve, reject) => {
    const options = { method: 'POST', rejectUnauthorized: false, headers: { 'content-type': 'application/json' } }
    const call = request(`https://127.0.0.1:${port}/inject`, options, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    call.on('error', reject)
    call.end(JSON.stringify(review))
  })
}

const BY_RIGHT: Readonly<Record<string, Expectation<World>>> = {
  'get namespaces': { name: 'decides about a pod whose namespace is new to it', holds: injects },
  'get secrets portolan-webhook-tls': READY,
  'create secrets': {
    ...READY,
    name: 'becomes ready as the first',
    arrange: () => kubectl(api, ['delete', 'secret', '-n', SYSTEM, SECRET.name, '--ignore-not-found']),
  },
  'update secrets portolan-webhook-tls': {
    ...READY,
    name: 'becomes ready although somebody has emptied its Secret',
    arrange: async () => {
      await kubectl(api, ['delete', 'secret', '-n', SYSTEM, SECRET.name, '--ignore-not-found'])
      await kubectl(api, ['create', 'secret', 'generic', '-n', SYSTEM, SECRET.name])
    },
  },
  ...Object.fromEntries(
    CONFIGURATIONS.flatMap((resource) => {
      const distrusted: Expectation<World> = {
        name: `makes the API server trust it (${resource.plural})`,
        arrange: async () => {
          const found = mustOrMissing(await client.get(resource, { name: 'portolan' }))
          const body = (found?.webhooks ?? []).map((_, index) => ({
            op: 'remove',
            path: `/webhooks/${index}/clientConfig/caBundle`,
          }))
          // Refused when there is none yet, which is just as good.
          await client.patch(resource, { name: 'portolan' }, { type: 'json', body })
        },
        holds: async () => {
          const found = mustOrMissing(await client.get(resource, { name: 'portolan' }))
          return found?.webhooks?.every(({ clientConfig }) => clientConfig?.caBundle !== undefined) ?? false
        },
      }
      const right = (verb: string) => `${verb} ${resource.plural}.${resource.group} portolan`
      return [
        [right('get'), distrusted],
        [right('patch'), distrusted],
      ]
    }),
  ),
}

function expectationOf(right: Right): Expectation<World> {
  const named = BY_RIGHT[textOf(right)]
  if (named !== undefined) return named
  if (right.verb === 'list') return READY
  if (right.verb === 'watch')
    return {
      name: `is told of changes of ${[right.resource, right.name].filter(Boolean).join(' ')}`,
      holds: ({ holder }) => audit.watches(holder.user, right),
    }
  throw new Error(`nothing is expected of ${textOf(right)}`)
}

let made = 0

async function trial(expectation: Expectation<World>, rights: readonly Right[]) {
  const holder = await createHolder(client, api.connection, SYSTEM, `webhook-${++made}`, rights)
  const [port = 0, healthPort = 0, metricsPort = 0] = await freePorts(3)
  const world = { holder, port, healthPort }
  const start = async () => {
    const stop = new AbortController()
    const own = createClient(connectionAs(holder, api.connection), { timeoutMs: 5_000 })
    const finished = runWebhook(
      {
        namespace: SYSTEM,
        service: 'portolan-webhook',
        meshName: 'portolan',
        clusterKey: CLUSTER_KEY,
        meshConfig: { namespace: SYSTEM, name: 'portolan-mesh-config' },
        proxyImage: 'envoy:1',
        initImage: 'portolan:1',
        imagePullPolicy: 'IfNotPresent',
        dnsService: 'portolan-dns',
        clusterDomain: 'cluster.local',
        mtls: false,
        vipRange: '240.240.0.0/16',
        secret: SECRET.name,
        webhookConfigs: ['portolan'],
        port,
        healthPort,
        metricsPort,
      },
      own,
      pino({ level: 'silent' }),
      stop.signal,
    )
    return async () => {
      stop.abort()
      leaving.push(finished)
      await own.close()
    }
  }
  return { expectation, audit, holder, world, start }
}

describeRights('the webhook', RIGHTS, expectationOf, trial)
