/** `portolan install`: helm's own arguments, and a release on a real API server without nodes, where nothing can be waited for. */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { helmArguments, hintAt, type InstallOptions } from '../../../cli/live/install.ts'
import { type ApiServer, startApiServer } from '../../kube/apiserver.ts'
import { kubectl } from '../../kube/compiler.ts'
import { tryRun } from '../../lab/run.ts'
import { binary } from '../../lab/toolchain.ts'
import { portolan } from '../session.ts'

const PLAIN: InstallOptions = {
  portolanNamespace: 'portolan-system',
  values: [],
  set: [],
  wait: true,
  timeout: '5m',
}
const HEAD = 'upgrade portolan CHART --install --namespace portolan-system --create-namespace --reset-then-reuse-values'
const TAIL = '--wait --timeout 5m'

test.each<[string, Partial<InstallOptions>, number | undefined, string]>([
  ['nothing in particular', {}, undefined, `${HEAD} ${TAIL}`],
  [
    'a cluster',
    { context: 'west', kubeconfig: 'k', clusterName: 'west', region: 'eu', zone: '1', group: 'shop' },
    undefined,
    `${HEAD} --kube-context west --kubeconfig k --set-json cluster.name="west" --set-json cluster.region="eu" --set-json cluster.zone="1" --set-json cluster.group="shop" ${TAIL}`,
  ],
  ['a hub', { hub: true }, undefined, `${HEAD} --set-json federation.enabled=true ${TAIL}`],
  ['a member', { hub: false }, undefined, `${HEAD} --set-json federation.enabled=false ${TAIL}`],
  [
    'a port on the only node',
    { gatewayHostPort: 81 },
    1,
    `${HEAD} --set-json gateway.service.type="ClusterIP" --set-json gateway.hostPort=81 --set-json gateway.replicas=1 ${TAIL}`,
  ],
  [
    'a port on many nodes',
    { gatewayHostPort: 81, gatewayType: 'NodePort' },
    7,
    `${HEAD} --set-json gateway.service.type="NodePort" --set-json gateway.hostPort=81 --set-json gateway.replicas=2 ${TAIL}`,
  ],
  [
    'values, one by one and in files, not waited for',
    { values: ['a.yaml', 'b.yaml'], set: ['dns.replicas=1'], gatewayPort: 8080, wait: false },
    undefined,
    `${HEAD} --values a.yaml --values b.yaml --set-json gateway.service.port=8080 --set dns.replicas=1`,
  ],
  [
    'a name that helm could take for a list',
    { clusterName: 'a,image.tag=b' },
    undefined,
    `${HEAD} --set-json cluster.name="a,image.tag=b" ${TAIL}`,
  ],
])('asks helm for %s', (_, options, nodes, expected) => {
  expect(helmArguments({ ...PLAIN, ...options }, 'CHART', nodes).join(' ')).toBe(expected)
})

test.each([
  ['resource Service/portolan-system/portolan-gateway not ready. status: InProgress\ncontext deadline exceeded', true],
  ["at '/cluster/name': 'a/b' does not match pattern", false],
])('says where to look when helm has waited in vain: %s', (said, hint) => {
  expect(hintAt(said, PLAIN)).toEqual(hint ? expect.stringContaining('--gateway-type NodePort') : '')
})

describe('on a cluster', () => {
  let api: ApiServer
  let helm: string
  let dir: string

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'portolan-install-'))
    helm = await binary('helm')
    api = await startApiServer()
  })
  beforeEach(() => void vi.stubEnv('HELM', helm))
  afterAll(async () => {
    vi.unstubAllEnvs()
    await api?.stop()
    await rm(dir, { recursive: true, force: true })
  })

  const install = (...flags: readonly string[]) =>
    portolan(['install', '--kubeconfig', api.kubeconfig, '--no-wait', ...flags])
  const values = async () => {
    const args = ['get', 'values', 'portolan', '-n', 'portolan-system', '--kubeconfig', api.kubeconfig, '-o', 'json']
    return JSON.parse((await tryRun(helm, args)).stdout)
  }

  test('installs, and says how to go on', async () => {
    const { code, out, err } = await install('--cluster-name', 'west', '--region', 'eu', '--no-hub')
    expect(err).toBe('')
    expect(code).toBe(0)
    expect(out).toMatchInlineSnapshot(`
      "Portolan is installed in namespace portolan-system of test.

      Take a namespace into the mesh:
        portolan namespace add NAMESPACE --context test
      Register this cluster with a hub:
        portolan cluster join west --context test --hub-context HUB
      "
    `)
    expect(await values()).toEqual({ cluster: { name: 'west', region: 'eu' }, federation: { enabled: false } })
    expect(await kubectl(api, ['get', 'deployments', '-n', 'portolan-system', '-o', 'name'])).not.toContain(
      'federation',
    )
  })

  test('done again, changes what is said and nothing else', async () => {
    const told = JSON.stringify({ data: { clusterKey: 'eu/default/default/west', hub: 'x' } })
    await kubectl(api, ['create', 'configmap', '-n', 'portolan-system', 'portolan-cluster'])
    await kubectl(api, ['patch', 'configmap', '-n', 'portolan-system', 'portolan-cluster', '-p', told])
    const again = await install()
    expect(again.out).toMatch(/Its hub knows it as eu\/default\/default\/west\.\n$/)
    expect(again.out).not.toContain('cluster join')
    await kubectl(api, ['delete', 'configmap', '-n', 'portolan-system', 'portolan-cluster'])
    expect(await install('--hub', '--set', 'dns.replicas=3')).toMatchObject({ code: 0 })
    expect(await values()).toEqual({
      cluster: { name: 'west', region: 'eu' },
      federation: { enabled: true },
      dns: { replicas: 3 },
    })
    expect(await kubectl(api, ['get', 'deployments', '-n', 'portolan-system', '-o', 'name'])).toContain('federation')
  })

  test('notes say when imports have addresses of a family that the cluster lacks', async () => {
    const notes = async (...flags: readonly string[]) => {
      expect(await install(...flags)).toMatchObject({ code: 0 })
      return (await tryRun(helm, ['get', 'notes', 'portolan', '-n', 'portolan-system', '--kubeconfig', api.kubeconfig]))
        .stdout
    }
    expect(await notes('--set', 'vipRange=fd00:240:240::/112')).toMatch(
      /fd00:240:240::\/112, are of IPv6, and this cluster has IPv4 alone: .*--set vipRange=240.240.0.0\/16/s,
    )
    expect(await notes('--set', 'vipRange=240.241.0.0/16')).not.toContain('vipRange')
    await install('--set', 'vipRange=null')
  })

  test('finds what is wrong with a value', async () => {
    const { code, err } = await install('--cluster-name', 'a/b')
    expect(code).toBe(1)
    expect(err).toContain("at '/cluster/name': 'a/b' does not match pattern")
  })

  test.each<[string, readonly string[], RegExp]>([
    ['a chart that is not there', ['--chart', '/nowhere'], /helm could not install Portolan: .*\/nowhere.*not found/],
    ['values that are not there', ['-f', '/nowhere.yaml'], /helm could not install Portolan: .*\/nowhere\.yaml/],
  ])('finds %s', async (_, flags, message) => {
    const { code, err } = await install(...flags)
    expect(code).toBe(1)
    expect(err).toMatch(message)
  })

  test.each<[string, readonly string[], string]>([
    [
      'an unknown type of Service',
      ['--gateway-type', 'ExternalName'],
      'Allowed choices are LoadBalancer, NodePort, ClusterIP',
    ],
    ['a port that is none', ['--gateway-port', 'http'], 'Write a port, 1 to 65535.'],
    ['an unknown context', ['--context', 'nope'], 'the kubeconfig has no context nope; name one of its contexts: test'],
  ])('refuses %s', async (_, flags, message) => {
    const { code, err } = await install(...flags)
    expect(code).toBe(2)
    expect(err).toContain(message)
  })

  test('says that helm is missing', async () => {
    vi.stubEnv('HELM', join(dir, 'helm'))
    expect(await install()).toEqual({
      code: 2,
      out: '',
      err: `error: ${join(dir, 'helm')} cannot be run; install Helm 3.14 or newer, or name it in the variable HELM\n`,
    })
  })

  test('says that helm is too old', async () => {
    const old = join(dir, 'old-helm')
    await writeFile(old, '#!/bin/sh\necho v3.9.4\n')
    await chmod(old, 0o755)
    vi.stubEnv('HELM', old)
    expect(await install()).toMatchObject({ code: 2, err: `error: ${old} is v3.9.4; install Helm 3.14 or newer\n` })
  })

  test('says that the API server does not answer', async () => {
    await api.kill()
    const { code, err } = await install()
    expect(code).toBe(2)
    expect(err).toMatch(/^error: test: cannot get \/version: .*; check that the cluster is up/)
  })
})
