/** What the webhook does to pods, seen on running ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import { curl } from './load.ts'
import {
  APP_IMAGE,
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
import { apply, exec, get, kubectl, type Loose, ready, refused, rolledOut } from './site.ts'

const { east, west, gatewayPort } = sites()
const NS = 'injection'
const OUTSIDE = 'injection-outside'
const DISABLED = 'injection-disabled'

const pod = (
  namespace: string,
  name: string,
  { annotations = {}, spec = {} }: { annotations?: object; spec?: object } = {},
) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, annotations },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [{ name: 'app', image: APP_IMAGE, command: ['sleep', '365d'] }],
    ...spec,
  },
})

const sidecars = (object: Loose): string[] =>
  (object.spec.initContainers ?? [])
    .map((container: Loose) => container.name)
    .filter((name: string) => name.startsWith('portolan-'))

beforeAll(async () => {
  await apply(
    east,
    documents(
      plainNamespace(NS),
      ...app({ namespace: NS, name: 'httpbin', says: 'east' }),
      serviceExport(NS, 'httpbin', { rules: [{ portNumber: 8080, path: `/${NS}/httpbin` }] }),
    ),
  )
  await apply(
    west,
    documents(
      meshNamespace(NS),
      plainNamespace(OUTSIDE),
      meshNamespace(DISABLED, { annotations: { 'flomesh.io/sidecar-injection': 'disabled' } }),
      serviceImport(NS, 'httpbin', [
        { clusterKey: clusterKey('east'), host: east.address, port: gatewayPort, path: `/${NS}/httpbin` },
      ]),
      policy(NS, 'httpbin', 'FailOver', [{ clusterKey: clusterKey('east') }]),
    ),
  )
  await rolledOut(east, NS, 'httpbin')
})

afterAll(async () => {
  await kubectl(east, 'delete', 'namespace', NS, '--wait=false')
  await Promise.all([NS, OUTSIDE, DISABLED].map((name) => kubectl(west, 'delete', 'namespace', name, '--wait=false')))
})

describe('who gets a sidecar', () => {
  const key = 'flomesh.io/sidecar-injection'
  const osm = 'openservicemesh.io/sidecar-injection'
  test.for<[string, string, { annotations?: object; spec?: object }, boolean]>([
    ['plain', NS, {}, true],
    ['enabled', NS, { annotations: { [key]: 'enabled' } }, true],
    ['disabled', NS, { annotations: { [key]: 'disabled' } }, false],
    ['disabled-osm', NS, { annotations: { [osm]: 'disabled' } }, false],
    ['first-spelling-wins', NS, { annotations: { [key]: 'enabled', [osm]: 'disabled' } }, true],
    ['host-network', NS, { spec: { hostNetwork: true } }, false],
    ['outside', OUTSIDE, {}, false],
    ['outside-enabled', OUTSIDE, { annotations: { [key]: 'enabled' } }, false],
    ['namespace-disabled', DISABLED, {}, false],
    ['pod-over-namespace', DISABLED, { annotations: { [key]: 'enabled' } }, true],
  ])('%s', async ([name, namespace, options, expected]) => {
    await apply(west, documents(pod(namespace, name, options)))
    const object = await get(west, '-n', namespace, 'pod', name)
    expect(sidecars(object)).toEqual(expected ? ['portolan-proxy', 'portolan-init'] : [])
    await kubectl(west, '-n', namespace, 'delete', 'pod', name, '--wait=false')
  })

  test('a bad value is refused; every problem is named', async () => {
    const message = await refused(
      west,
      documents(
        pod(NS, 'bad', {
          annotations: {
            [key]: 'perhaps',
            'flomesh.io/outbound-port-exclusion-list': '80,70000',
            'flomesh.io/outbound-ip-range-exclusion-list': '10.0.0.0/99',
          },
        }),
      ),
    )
    for (const part of ['bad', key, 'perhaps', 'enabled', '70000', '10.0.0.0/99']) expect(message).toContain(part)
  })

  test('a pod that comes with its sidecar is left as it is', async () => {
    await apply(west, documents(pod(NS, 'first')))
    const first = await get(west, '-n', NS, 'pod', 'first')
    const copy = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'second', namespace: NS, annotations: first.metadata.annotations },
      spec: { ...first.spec, nodeName: undefined },
    }
    delete copy.metadata.annotations['kubectl.kubernetes.io/last-applied-configuration']
    await apply(west, documents(copy))
    const second = await get(west, '-n', NS, 'pod', 'second')
    expect(second.spec.initContainers.map((c: Loose) => c.name)).toEqual(
      first.spec.initContainers.map((c: Loose) => c.name),
    )
    await kubectl(west, '-n', NS, 'delete', 'pod', 'first', 'second', '--wait=false')
  })
})

describe('an injected pod lives as it did', () => {
  test('a Job completes', async () => {
    await apply(
      west,
      documents({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: { name: 'once', namespace: NS },
        spec: {
          backoffLimit: 0,
          template: {
            spec: {
              restartPolicy: 'Never',
              containers: [
                { name: 'work', image: APP_IMAGE, command: ['curl', '-sf', 'http://httpbin.injection:8080/'] },
              ],
            },
          },
        },
      }),
    )
    await kubectl(west, '-n', NS, 'wait', '--for=condition=Complete', 'job/once', '--timeout=150s')
    expect(await kubectl(west, '-n', NS, 'logs', 'job/once')).toContain('Hi, I am from east!')
  })

  test("an app's own init container calls an import", async () => {
    await apply(
      west,
      documents(
        pod(NS, 'early', {
          spec: {
            initContainers: [
              {
                name: 'fetch',
                image: APP_IMAGE,
                command: ['curl', '-sf', 'http://httpbin.injection:8080/'],
              },
            ],
          },
        }),
      ),
    )
    await ready(west, NS, 'early')
    expect(await kubectl(west, '-n', NS, 'logs', 'early', '-c', 'fetch')).toContain('Hi, I am from east!')
  })

  test('probes, rollout, logs and exec go to the app', async () => {
    await apply(west, documents(...app({ namespace: NS, name: 'probed', says: 'west' })))
    await rolledOut(west, NS, 'probed')
    await kubectl(west, '-n', NS, 'rollout', 'restart', 'deploy/probed')
    await rolledOut(west, NS, 'probed')
    const [one] = (await get(west, '-n', NS, 'pod', '-l', 'app=probed')).items
    expect(sidecars(one)).toHaveLength(2)
    expect(
      (await west.kubectl(['-n', NS, 'exec', 'deploy/probed', '--', 'sh', '-c', 'echo $CLUSTER'])).stdout.trim(),
    ).toBe('west')
    expect((await west.kubectl(['-n', NS, 'logs', 'deploy/probed'])).code).toBe(0)
  })

  test('the proxy goes after the app: a call while shutting down still works', async () => {
    const script =
      'trap "curl -s -d goodbye http://httpbin.injection:8080/count; exit 0" TERM; while :; do sleep 0.2; done'
    const containers = [{ name: 'app', image: APP_IMAGE, command: ['sh', '-c', script] }]
    await apply(west, documents(pod(NS, 'leaving', { spec: { terminationGracePeriodSeconds: 10, containers } })))
    await ready(west, NS, 'leaving')
    await kubectl(west, '-n', NS, 'delete', 'pod', 'leaving')
    const { stdout } = await exec(east, NS, 'deploy/httpbin', 'app', 'curl', '-s', 'http://localhost:8080/count')
    expect(JSON.parse(stdout).bodies).toContain('goodbye')
  })
})

describe('the webhook is down', () => {
  test('the pod runs without a sidecar, and is reported within a minute', async () => {
    await kubectl(west, '-n', CONTROL_PLANE, 'scale', 'deploy/portolan-webhook', '--replicas=0')
    await until(
      'no webhook pod is left',
      async () =>
        (await get(west, '-n', CONTROL_PLANE, 'pod', '-l', 'app.kubernetes.io/component=webhook')).items.length === 0,
    )
    try {
      await apply(west, documents(pod(NS, 'missed')))
      await ready(west, NS, 'missed')
      expect(sidecars(await get(west, '-n', NS, 'pod', 'missed'))).toEqual([])
      const event = await until(
        'an event on the pod',
        async () => {
          const { items } = await get(
            west,
            '-n',
            NS,
            'events',
            '--field-selector',
            'involvedObject.name=missed,type=Warning',
          )
          return items.find((item: Loose) => /sidecar/i.test(item.message))
        },
        { timeout: 60_000 },
      )
      expect(event.message).toMatch(/restart|recreate|delete/i)
    } finally {
      await kubectl(west, '-n', CONTROL_PLANE, 'scale', 'deploy/portolan-webhook', '--replicas=2')
      await rolledOut(west, CONTROL_PLANE, 'portolan-webhook')
    }
  })
})

describe('traffic that is no import', () => {
  test('never enters the proxy: its counters stay where they were', async () => {
    await apply(
      west,
      documents(client(NS, 'watcher'), ...app({ namespace: OUTSIDE, name: 'plain', says: 'plain' }), {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'greeter', namespace: OUTSIDE },
        spec: { selector: { app: 'plain' }, ports: [{ port: 9000, targetPort: 8082 }] },
      }),
    )
    await Promise.all([rolledOut(west, NS, 'watcher'), rolledOut(west, OUTSIDE, 'plain')])
    const counters = async () => {
      const { stdout } = await curl(
        west,
        NS,
        'deploy/watcher',
        'http://127.0.0.1:15090/stats?filter=^(listener.outbound|http.outbound|cluster.out).*(cx_total|rq_total)$',
      )
      return stdout
    }
    const [target] = (await get(west, '-n', OUTSIDE, 'pod', '-l', 'app=plain')).items
    const before = await counters()
    const calls = [
      ['http://plain.injection-outside:8080/', 'Hi, I am from plain!'],
      [`http://${target.status.podIP}:8080/`, 'Hi, I am from plain!'],
      [`https://${target.status.hostIP}:10250/healthz`, ''],
      ['https://kubernetes.default/version', ''],
    ] as const
    for (const [url, answer] of calls) {
      const result = await curl(west, NS, 'deploy/watcher', '-k', url)
      expect(result.code, url).toBe(0)
      expect(result.stdout).toContain(answer)
    }
    const greeting = await exec(west, NS, 'deploy/watcher', 'curl', 'node', '/app/tcp.ts', `greeter.${OUTSIDE}`, '9000')
    expect(greeting.stdout).toContain('Hi, I am from plain!')
    expect(await counters()).toBe(before)
    expect(before).toContain('listener.outbound.downstream_cx_total: 0')
    const imported = await curl(west, NS, 'deploy/watcher', 'http://httpbin.injection:8080/')
    expect(imported.stdout).toContain('Hi, I am from east!')
    expect(await counters()).toContain('listener.outbound.downstream_cx_total: 1')
  })
})
