/** `portolan check`, on an API server with everything that the chart installs: a webhook and a compiler run in this process. */

import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClient } from '../../../kube/client.ts'
import { runWebhook } from '../../../webhook/main.ts'
import { parseManifests, render } from '../../chart/helm.ts'
import { slice } from '../../dns/build.ts'
import { kubectl, type Replica, SYSTEM, startReplica } from '../../kube/compiler.ts'
import { endpoints, exported, imported, namespace, pod, policy, service } from '../../kube/objects.ts'
import { freePorts } from '../../lab/ports.ts'
import { until } from '../../lab/run.ts'
import { type Installed, installed } from './installed.ts'

let west: Installed
let compiler: Replica
let webhook: Promise<void>
const stopping = new AbortController()

const run = (...args: readonly string[]) => kubectl(west.api, args)
const apply = (...objects: readonly object[]) => west.look.apply(...objects)

/** Nothing runs Deployments here: what is running says so itself. */
const nowReady = async (name: string, replicas: number) =>
  run(
    ...['patch', 'deployment', '-n', SYSTEM, name, '--subresource=status', '--type=merge', '-p'],
    JSON.stringify({ status: { replicas, readyReplicas: replicas } }),
  )

async function startWebhook(port: number): Promise<void> {
  const [healthPort = 0, metricsPort = 0] = await freePorts(2)
  const client = createClient(west.api.connection)
  webhook = runWebhook(
    {
      namespace: SYSTEM,
      service: 'portolan-webhook',
      extraNames: ['localhost'],
      meshName: 'portolan',
      clusterKey: 'default/default/default/west',
      clusterDomain: 'cluster.local',
      mtls: false,
      vipRange: '240.240.0.0/16',
      meshConfig: { namespace: SYSTEM, name: 'portolan-mesh-config' },
      dnsService: 'portolan-dns',
      secret: 'portolan-webhook-tls',
      webhookConfigs: ['portolan'],
      proxyImage: 'envoy',
      initImage: 'portolan',
      imagePullPolicy: 'IfNotPresent',
      port,
      healthPort,
      metricsPort,
    },
    client,
    pino({ level: 'silent' }),
    stopping.signal,
  ).finally(() => client.close())
  await until('the webhook is ready', async () => (await fetch(`http://127.0.0.1:${healthPort}/readyz`)).ok)
}

beforeAll(async () => {
  west = await installed()
  const [port = 0] = await freePorts(1)
  const manifests = parseManifests(
    await render(
      '--set',
      'cluster.name=west',
      '--set',
      'federation.enabled=false,identity.enabled=false,egress.enabled=false',
    ),
  )
  const wanted = /^(Deployment|Service|MeshConfig|.*WebhookConfiguration)$/
  await apply(
    ...manifests
      .filter(({ kind, metadata }) => wanted.test(kind) && metadata.annotations?.['helm.sh/hook'] !== 'test')
      .map((manifest) =>
        JSON.parse(
          JSON.stringify(manifest).replaceAll(
            /\{"service":\{[^}]*"path":"([^"]*)"[^}]*\}\}/g,
            (_, path) => `{"url":"https://localhost:${port}${path}"}`,
          ),
        ),
      ),
  )
  for (const name of ['webhook', 'compiler', 'dns', 'gateway']) await nowReady(`portolan-${name}`, 2)
  await startWebhook(port)
  compiler = await startReplica(west.api, { leaseSeconds: 15, patienceSeconds: 1 })
  await apply(
    namespace('shop'),
    service('shop', 'pay'),
    imported('shop', 'pay'),
    policy('shop', 'pay'),
    exported('shop', 'pay'),
    endpoints('shop', 'pay'),
  )
  await until('the compiler has written its tables', async () => (await west.look.table('shop'))?.routes.length === 1)
  await west.look.settled()
})
afterAll(async () => {
  await compiler?.stop()
  stopping.abort()
  await webhook
  await west?.api.stop()
})

const check = async () => {
  const { code, out, err } = await west.portolan('check')
  return `exit code ${code}\n${out}${err}`.replaceAll(/10\.43\.\d+\.\d+/g, 'CLUSTER-IP')
}
/** What is wrong, by code and object. */
const found = async () => {
  const { code, out } = await west.portolan('check -o json')
  const { checks } = JSON.parse(out) as {
    checks: { name: string; found: { code: string; level: string; object: { name: string } }[] }[]
  }
  return {
    code,
    found: checks.flatMap(({ name, found: all }) =>
      all.map((each) => `${name}: ${each.level} ${each.code} ${each.object.name}`),
    ),
  }
}

test('nothing is wrong', async () => {
  expect(await check()).toMatchInlineSnapshot(`
    "exit code 0
    test
      ✓ Kubernetes is new enough: v1.35.4
      ✓ the kinds are defined: 5 of 5, as this version needs them
      ✓ all parts are running: webhook 2/2, compiler 2/2, dns 2/2, gateway 2/2
      ✓ the API server knows the webhook: registered and trusted
      ✓ the webhook answers the API server: it refused a faulty export that was offered to it
      ✓ controllers have a leader: compiler replica
      ✓ mesh DNS has its address: CLUSTER-IP
      ✓ settings of the mesh are there: portolan-system/portolan-mesh-config
      ✓ namespaces of the mesh ask for sidecars: shop
      ✓ pods have the sidecars that they should: no pods with one
      ✓ the tables are those that compiling gives now: 1 namespace, gateway, names
      ✓ policies are in force and proxies run them: 1 policy
      ✓ exports are valid and agree with those of other clusters: 1 export, 1 import
      ✓ the range of imports belongs to nobody else: 240.240.0.0/16
      ✓ pods have addresses of the family that imports have: IPv4
      ✓ the cluster's DNS answers names of clusterset.local: not needed: pods without a sidecar have nothing to call there
      ✓ calls between clusters are authenticated: no: identity.enabled is false, they are plain HTTP
      ✓ proxies have what they need for TLS: not needed: identity.enabled is false
      ✓ the cluster has a name: default/default/default/west, its own
      ✓ the hub reaches all clusters: this cluster is no hub
      ✓ Services that are global by annotation: none
    21 checks: no errors, no warnings
    "
  `)
})

/** Part of the mesh, without a word of sidecars. */
const quiet = (labels = namespace('quiet').metadata.labels) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'quiet', labels },
})
const nodeWith = (podCIDR: string) => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node' },
  spec: { podCIDR, podCIDRs: [podCIDR] },
})
const cluster = (status: object) => async () => {
  await apply({
    apiVersion: 'flomesh.io/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'east' },
    spec: { gatewayHost: '10.9.0.1', gatewayPort: 80, kubeconfigSecretRef: { name: 'east' } },
  })
  await run(...['patch', 'cluster', 'east', '--subresource=status', '--type=merge', '-p'], JSON.stringify({ status }))
}
const removeCluster = () => run('delete', 'cluster', 'east')
const managed = (status: string, reason: string) => ({
  conditions: [{ type: 'Managed', status, reason, message: 'so it is.', lastTransitionTime: '2026-01-01T00:00:00Z' }],
})

/** What a hub would say of an export, for nobody plays it here. */
const hubSays = (targetClusters: readonly string[] | null, conditions: readonly object[]) => async () => {
  const pay = { apiVersion: 'flomesh.io/v1alpha1', kind: 'ServiceExport', metadata: { namespace: 'shop', name: 'pay' } }
  await run('patch', 'sexp', '-n', 'shop', 'pay', '--type=merge', '-p', JSON.stringify({ spec: { targetClusters } }))
  const status = { conditions: conditions.map((each) => ({ lastTransitionTime: '2026-01-01T00:00:00Z', ...each })) }
  const flags = ['--server-side', '--subresource=status', '--field-manager=hub', '-f', '-']
  await kubectl(west.api, ['apply', ...flags], JSON.stringify({ ...pay, status }))
}
const FOR_NOBODY = { type: 'Exported', status: 'False', reason: 'NoImporter', message: 'so it is.' }

const ready = () => west.look.condition('sexp', 'shop', 'pay', 'EndpointsReady')

const bareReady = () => west.look.condition('serviceexports.multicluster.x-k8s.io', 'shop', 'bare', 'EndpointsReady')

describe('finds what is wrong', () => {
  test.each<[string, () => Promise<unknown>, readonly string[], 0 | 1, () => Promise<unknown>]>([
    [
      'a part that is not running',
      () => nowReady('portolan-dns', 0),
      ['components: error ComponentDown portolan-dns'],
      1,
      () => nowReady('portolan-dns', 2),
    ],
    [
      'a part that runs by half',
      () => nowReady('portolan-gateway', 1),
      ['components: warning ComponentDegraded portolan-gateway'],
      0,
      () => nowReady('portolan-gateway', 2),
    ],
    [
      'a part that somebody has switched off',
      () => run('scale', 'deployment', '-n', SYSTEM, 'portolan-webhook', '--replicas=0'),
      ['components: error ComponentOff portolan-webhook'],
      1,
      () => run('scale', 'deployment', '-n', SYSTEM, 'portolan-webhook', '--replicas=2'),
    ],
    [
      'a hub that nobody leads',
      async () => {
        await apply(...parseManifests(await render('--show-only', 'templates/federation/deployment.yaml')))
        await nowReady('portolan-federation', 2)
      },
      ['leaders: error NobodyLeads portolan-federation'],
      1,
      () => run('delete', 'deployment', '-n', SYSTEM, 'portolan-federation'),
    ],
    [
      'an identity server that nobody leads',
      async () => {
        await apply(...parseManifests(await render('--show-only', 'templates/identity/deployment.yaml')))
        await nowReady('portolan-identity', 2)
      },
      ['leaders: error NobodyLeads portolan-identity'],
      1,
      () => run('delete', 'deployment', '-n', SYSTEM, 'portolan-identity'),
    ],
    [
      'a namespace that does not ask for sidecars',
      () => apply(quiet()),
      ['namespaces: warning NamespaceWithoutInjection quiet'],
      0,
      () => apply(quiet({})),
    ],
    [
      'a namespace that will refuse its pods for what capture takes',
      () => {
        const { metadata, ...rest } = namespace('quiet')
        const labels = { ...metadata.labels, 'pod-security.kubernetes.io/enforce': 'baseline' }
        return apply({ ...rest, metadata: { ...metadata, labels } })
      },
      ['namespaces: warning PodSecurityRefuses quiet'],
      0,
      () => apply(quiet({})),
    ],
    [
      'a pod that was there before its namespace joined',
      async () => {
        await apply(namespace('late', false))
        await apply(pod('late', 'without', false))
        await apply(namespace('late'))
      },
      ['sidecars: warning SidecarMissing without'],
      0,
      () => run('label', 'namespace', 'late', 'flomesh.io/monitored-by-'),
    ],
    [
      'an export without its Service',
      () => apply(exported('shop', 'gone')),
      ['services: warning ExportWithoutService gone'],
      0,
      () => run('delete', 'sexp', '-n', 'shop', 'gone'),
    ],
    [
      'an exporter without ready pods',
      async () => {
        await apply(endpoints('shop', 'pay', false))
        await until('the compiler says so', async () => (await ready())?.status === 'False')
      },
      ['services: warning NoReadyPods pay'],
      0,
      async () => {
        await apply(endpoints('shop', 'pay'))
        await until('the compiler takes it back', async () => (await ready())?.status === 'True')
      },
    ],
    [
      'an export for a cluster that is not there',
      hubSays(['eu/a/b/nobody'], [FOR_NOBODY]),
      ['services: warning NoImporter pay'],
      0,
      hubSays(null, []),
    ],
    ['an export while there is no other cluster: nothing', hubSays(null, [FOR_NOBODY]), [], 0, hubSays(null, [])],
    [
      'an exporter by the standard without ready pods',
      async () => {
        const standard = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport' }
        await apply(service('shop', 'bare'), { ...standard, metadata: { namespace: 'shop', name: 'bare' } })
        await until('the compiler says so', async () => (await bareReady())?.status === 'False')
      },
      ['services: warning NoReadyPods bare'],
      0,
      async () => {
        await run('delete', 'serviceexports.multicluster.x-k8s.io', '-n', 'shop', 'bare')
        await run('delete', 'service', '-n', 'shop', 'bare')
      },
    ],
    [
      'nodes in the range of imports',
      () => apply(nodeWith('240.240.16.0/24')),
      ['vip-range: error VipRangeTaken node'],
      1,
      () => run('delete', 'node', 'node'),
    ],
    [
      'a member that the hub does not reach',
      cluster(managed('False', 'Unreachable')),
      ['clusters: warning Unreachable east'],
      0,
      removeCluster,
    ],
    [
      'credentials that have expired',
      cluster({ credentialsExpire: '2020-01-01T00:00:00Z' }),
      ['clusters: error CredentialsExpired east'],
      1,
      removeCluster,
    ],
    [
      'names that pods without a sidecar do not resolve',
      () =>
        apply(
          { ...imported('shop', 'crowd'), spec: { type: 'Headless', doors: ['MCS'], ports: [] } },
          slice('shop/crowd', 'east', ['10.9.9.9']),
        ),
      ['cluster-dns: warning NamesNotForwarded coredns'],
      0,
      async () => {
        await run('delete', 'simp', '-n', 'shop', 'crowd')
        await run('delete', 'endpointslice', '-n', 'shop', 'crowd-east')
      },
    ],
    [
      'settings that are gone',
      () => run('delete', 'meshconfig', '-n', SYSTEM, '--all'),
      ['mesh-config: warning MeshConfigMissing portolan-mesh-config'],
      0,
      () =>
        apply({
          apiVersion: 'config.flomesh.io/v1alpha1',
          kind: 'MeshConfig',
          metadata: { namespace: SYSTEM, name: 'portolan-mesh-config' },
          spec: {},
        }),
    ],
    [
      'a definition of an older version',
      () =>
        run(
          ...['patch', 'crd', 'serviceimports.flomesh.io', '--type=json', '-p'],
          '[{"op":"remove","path":"/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/clusters"}]',
        ),
      ['definitions: warning DefinitionOutdated serviceimports.flomesh.io'],
      0,
      () => run('apply', '-f', 'charts/portolan/files/crds/flomesh.io_serviceimports.yaml'),
    ],
    [
      'a definition of the standard that serves an old version alone',
      () =>
        run(
          ...['patch', 'crd', 'clusterproperties.about.k8s.io', '--type=json', '-p'],
          '[{"op":"replace","path":"/spec/versions/1/served","value":false}]',
        ),
      ['definitions: warning DefinitionOfOthersOutdated clusterproperties.about.k8s.io'],
      0,
      () => run('apply', '-f', 'charts/portolan/files/crds-mcs/about.k8s.io_clusterproperties.yaml'),
    ],
    [
      'a definition of exports of the standard that serves v1alpha1 alone',
      () =>
        run(
          ...['patch', 'crd', 'serviceexports.multicluster.x-k8s.io', '--type=json', '-p'],
          '[{"op":"replace","path":"/spec/versions/1/served","value":false}]',
        ),
      ['definitions: warning DefinitionOfOthersReadOnly serviceexports.multicluster.x-k8s.io'],
      0,
      () => run('apply', '-f', 'charts/portolan/files/crds-mcs/multicluster.x-k8s.io_serviceexports.yaml'),
    ],
  ])('%s', async (_, breakIt, expected, code, mend) => {
    await breakIt()
    try {
      await expect.poll(found, { interval: 500 }).toEqual({ code, found: expected })
    } finally {
      await mend()
    }
  })
})

describe('as parts fall away', () => {
  test('no compiler: tables grow old, nobody leads', async () => {
    await compiler.stop()
    await apply(policy('shop', 'pay', 'ActiveActive'))
    expect(await found()).toEqual({
      code: 1,
      found: ['leaders: error NobodyLeads portolan-compiler', 'tables: warning TableOutdated portolan-routes'],
    })
    await run('delete', 'configmap', '-n', 'shop', 'portolan-routes')
    expect((await found()).found).toContain('tables: error TableMissing portolan-routes')
  })

  test('a webhook that does not answer, and then is not trusted, and not even known', async () => {
    stopping.abort()
    await webhook
    expect((await found()).found).toContain('webhook-answers: error WebhookSilent portolan-webhook')
    await run(
      ...['patch', 'validatingwebhookconfiguration', 'portolan', '--type=json', '-p'],
      '[{"op":"replace","path":"/webhooks/0/clientConfig/caBundle","value":""}]',
    )
    expect((await found()).found).toContain('webhook-registered: error WebhookNotTrusted portolan')
    await run('delete', 'mutatingwebhookconfiguration', 'portolan')
    expect((await found()).found).toContain('webhook-registered: error WebhookNotRegistered portolan')
  })

  test('a kind that is not defined', async () => {
    await run('delete', 'crd', 'globaltrafficpolicies.flomesh.io')
    const { code, found: all } = await found()
    expect(all).toContain('definitions: error DefinitionMissing globaltrafficpolicies.flomesh.io')
    // What depends on it could not be looked at, and the rest could.
    expect(all).toContain('tables: warning CheckImpossible portolan-routes')
    expect(code).toBe(1)
  })
})
