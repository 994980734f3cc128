/** `Programmed` says what proxies run: a real Envoy is asked, and the ConfigMap reaches it only when the test lets it. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  afterJudging,
  afterWriting,
  groupProxies,
  judge,
  NOTHING_PROGRAMMED,
  PROPAGATION_MS,
  readStats,
} from '../../compiler/controller/programmed.ts'
import { sidecarBootstrap } from '../../compiler/render-sidecar.ts'
import type { SidecarTable } from '../../compiler/tables.ts'
import { Mount, type RunningEnvoy, startEnvoy } from '../envoy/proxy.ts'
import { freePorts } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { CLUSTER_KEY, kubectl, type Replica, startInstalled, startReplica } from './compiler.ts'
import { type Look, lookAt } from './look.ts'
import { imported, namespace, pod, policy, service } from './objects.ts'

describe('judge', () => {
  const table = (
    ns: string,
    version: string,
    policies: Readonly<Record<string, 'FailOver' | 'ActiveActive'>>,
  ): SidecarTable => ({
    namespace: ns,
    version,
    tcpRange: '240.240.128.0/17',
    routes: Object.entries(policies).map(([name, lbType]) => ({
      service: name,
      vip: '240.240.0.1',
      port: 80,
      policy: lbType,
      backends: [],
    })),
  })
  const proxy = (name: string, version?: string, refused = 0) => ({
    namespace: 'shop',
    name,
    ...(version === undefined ? {} : { sample: { version, refused } }),
  })
  const v1 = afterWriting(NOTHING_PROGRAMMED, [table('shop', 'v1', { a: 'FailOver', b: 'FailOver' })], 0)
  /** Changes b alone. */
  const v2 = afterWriting(v1, [table('shop', 'v2', { a: 'FailOver', b: 'ActiveActive' })], 1_000)
  const LATE = 1_000 + PROPAGATION_MS

  test.each([
    ['not routed', 'c', v2, [proxy('p', 'v2')], 2_000, undefined],
    ['nobody is there', 'a', v2, [], 2_000, 'True NoProxies'],
    ['nobody was asked yet', 'a', v2, [proxy('p'), proxy('q')], 2_000, 'Unknown Propagating 2 unasked'],
    ['all run it', 'b', v2, [proxy('p', 'v2'), proxy('q', 'v2')], 2_000, 'True Programmed 2'],
    ['an older table that says the same will do', 'a', v2, [proxy('p', 'v1')], 2_000, 'True Programmed 1'],
    ['one is behind, and there is time', 'b', v2, [proxy('p', 'v2'), proxy('q', 'v1')], 2_000, 'Unknown Propagating 2'],
    [
      'one is behind, and time is over',
      'b',
      v2,
      [proxy('p', 'v2'), proxy('q', 'v1')],
      LATE,
      'False ProxyBehind 1 of 2 shop/q',
    ],
    [
      'nobody could be asked for long',
      'b',
      v2,
      [proxy('p'), proxy('q')],
      LATE,
      'Unknown ProxyUnreachable 2 of 2 shop/p, shop/q',
    ],
    ['one does not answer', 'b', v2, [proxy('p', 'v2'), proxy('q')], LATE, 'Unknown ProxyUnreachable 1 of 2 shop/q'],
    [
      'one does not answer, another is behind',
      'b',
      v2,
      [proxy('p', 'v1'), proxy('q')],
      LATE,
      'False ProxyBehind 0 of 2 shop/p, shop/q',
    ],
    ['one runs what nobody wrote', 'b', v2, [proxy('p', 'v0')], LATE, 'False ProxyBehind 0 of 1 shop/p'],
    ['one refuses', 'b', v2, [proxy('p', 'v2'), proxy('q', 'v1', 1)], 2_000, 'False ProxyRefuses 1 of 2 shop/q'],
    [
      'many are behind',
      'b',
      v2,
      ['s', 'r', 'q', 'p'].map((name) => proxy(name, 'v1')),
      LATE,
      'False ProxyBehind 0 of 4 shop/p, shop/q, shop/r and 1 more',
    ],
    [
      'one came after all had it',
      'b',
      afterJudging(v2, new Set(['b'])),
      [proxy('p', 'v2'), proxy('new')],
      2_000,
      'True Programmed 1',
    ],
    ['elsewhere does not count', 'b', v2, [{ ...proxy('p', 'v1'), namespace: 'other' }], LATE, 'True NoProxies'],
  ] as const)('%s', (_, name, written, proxies, now, expected) => {
    const verdict = judge(name, written, groupProxies(proxies), now)
    const { count, running, refusing, silent, pods } = verdict?.params ?? {}
    const some = running ?? refusing ?? silent
    const said = [verdict?.status, verdict?.code, some === undefined ? count : `${some} of ${count}`, pods]
    expect(verdict && [...said, verdict.unasked && 'unasked'].filter((part) => part !== undefined).join(' ')).toBe(
      expected,
    )
  })

  test('/stats', () => {
    expect(readStats('cluster_manager.cds.update_rejected: 2\ncluster_manager.cds.version_text: "ab12"\n')).toEqual({
      version: 'ab12',
      rejected: 2,
    })
    expect(readStats('cluster_manager.cds.update_rejected: 0\n')).toBeUndefined()
  })
})

describe('asked of a real Envoy', () => {
  let api: ApiServer
  let look: Look
  let compiler: Replica
  let envoy: RunningEnvoy
  const mount = new Mount()

  beforeAll(async () => {
    api = await startInstalled()
    look = lookAt(api)
    await look.apply(namespace('shop'), service('shop', 'pay'), imported('shop', 'pay'), policy('shop', 'pay'))
    const [adminPort = 0, metricsPort = 0, capturePort = 0] = await freePorts(3)
    compiler = await startReplica(api, { statsPort: metricsPort })
    await until('there is a table', async () => (await look.table('shop')) !== null)
    await deliver()
    const settings = {
      clusterKey: CLUSTER_KEY,
      directory: mount.directory,
      accessLog: false,
      adminPort,
      metricsPort,
      capturePort,
      tcpRange: '240.240.128.0/17',
    }
    envoy = await startEnvoy(sidecarBootstrap(settings), { adminPort, metricsPort })
  })
  afterEach(() => expect(compiler.log.filter(({ level }) => level >= 50)).toEqual([]))
  afterAll(async () => {
    await compiler?.stop()
    await envoy?.stop()
    mount.remove()
    await api?.stop()
  })

  /** What the kubelet does with a ConfigMap. */
  const deliver = async (change: (cds: string) => string = (cds) => cds) => {
    const data = (await look.routes('shop')) ?? {}
    mount.swap({ ...data, 'cds.json': change(data['cds.json'] ?? '') })
  }
  const programmed = () => look.condition('gtp', 'shop', 'pay', 'Programmed')
  const becomes = async (status: string, reason: string) => {
    let last: unknown
    await until(`Programmed is ${status} for ${reason}`, async () => {
      last = await programmed()
      const now = last as { status?: string; reason?: string } | undefined
      return now?.status === status && now.reason === reason
    }).catch((cause: unknown) => {
      throw new Error(JSON.stringify(last), { cause })
    })
  }
  const ready = (name: string, ip: string) =>
    kubectl(api, [
      'patch',
      'pod',
      '-n',
      'shop',
      name,
      '--subresource=status',
      '--type=merge',
      '-p',
      JSON.stringify({
        status: { phase: 'Running', podIP: ip, podIPs: [{ ip }], conditions: [{ type: 'Ready', status: 'True' }] },
      }),
    ])

  test('no pod, a pod that runs it, a change on its way, arrived, refused, healed', async () => {
    await becomes('True', 'NoProxies')

    await look.apply(pod('shop', 'caller', true))
    await ready('caller', '127.0.0.1')
    await becomes('True', 'Programmed')
    expect((await programmed())?.message).toContain('1 of 1 sidecars run it')

    await look.apply(policy('shop', 'pay', 'ActiveActive'))
    await becomes('Unknown', 'Propagating')
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(await programmed()).toMatchObject({ status: 'Unknown', observedGeneration: 2 })
    await deliver()
    await becomes('True', 'Programmed')

    await look.apply(policy('shop', 'pay', 'FailOver'))
    await becomes('Unknown', 'Propagating')
    await deliver((cds) => cds.replace('"connect_timeout":"1s"', '"connect_timeout":"-1s"'))
    await becomes('False', 'ProxyRefuses')
    expect((await programmed())?.message).toContain('shop/caller')
    await deliver()
    await becomes('True', 'Programmed')
  })

  test('a change of another service leaves the condition alone', async () => {
    const before = await look.get<{ metadata: { resourceVersion: string } }>('gtp', 'shop', 'pay')
    await look.apply(imported('shop', 'other'))
    await until('the table has it', async () =>
      (await look.table('shop'))?.routes.some(({ service }) => service === 'shop/other'),
    )
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    const after = await look.get<{ metadata: { resourceVersion: string } }>('gtp', 'shop', 'pay')
    expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion)
  })

  test('a pod that does not answer is not taken for one that runs it', async () => {
    await look.apply(pod('shop', 'mute', true))
    await ready('mute', '::1')
    await look.apply(policy('shop', 'pay', 'ActiveActive'))
    await becomes('Unknown', 'Propagating')
    await deliver()
    await new Promise((resolve) => setTimeout(resolve, 3_000))
    expect(await programmed()).toMatchObject({ status: 'Unknown', message: expect.stringContaining('2 sidecars') })
    await kubectl(api, ['delete', 'pod', '-n', 'shop', 'mute', '--force', '--grace-period=0'])
    await becomes('True', 'Programmed')
  })
})
