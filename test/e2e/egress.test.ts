/** Pods without a sidecar, in a namespace that is not of the mesh, call a service of another cluster. East is the hub too. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { derivedName } from '../../compiler/derived.ts'
import { chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'
import { load } from './load.ts'
import { client, clusterKey, documents, greeter, plainNamespace, policy, serviceExport } from './manifests.ts'
import { disband, memberOf } from './member.ts'
import { CONTROL_PLANE, sites } from './mesh.ts'
import { apply, exec, get, kubectl, rolledOut } from './site.ts'

const NS = 'plain'
const CLIENT = 'deploy/client'

const { east, west } = sites()
const clusters = await chooseProvider()

const called = (...command: readonly string[]) => exec(west, NS, CLIENT, 'curl', ...command)
const curl = (url: string, ...flags: readonly string[]) => called('curl', '-s', '-m', '5', ...flags, url)

const derived = derivedName(`${NS}/greeter`)
const NAME = `greeter.${NS}.svc.clusterset.local`
let address = ''

const route = (spec: object = {}) => {
  const plain = policy(NS, 'greeter', 'FailOver', [{ clusterKey: clusterKey('east') }])
  return apply(west, documents({ ...plain, spec: { ...plain.spec, ...spec } }))
}

beforeAll(async () => {
  await apply(east, documents(plainNamespace(NS), ...greeter(NS, 'east'), serviceExport(NS, 'greeter', {})))
  await apply(west, documents(plainNamespace(NS), client(NS, 'client')))
  await route()
  await apply(east, documents(await memberOf(clusters, east), await memberOf(clusters, west)))
  await Promise.all([rolledOut(east, NS, 'greeter'), rolledOut(west, NS, 'client')])
  await until('the import has a Service for pods without a sidecar', async () => {
    const { code, stdout } = await west.kubectl([
      '-n',
      NS,
      'get',
      'service',
      derived,
      '-o',
      'jsonpath={.spec.clusterIP}',
    ])
    address = stdout
    return code === 0 && address !== ''
  })
})

afterAll(async () => {
  await disband(east, [east, west])
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
})

describe('a pod without a sidecar', () => {
  test('calls it by HTTP and by streams, at the address of a Service of its own cluster', async () => {
    const pod = await get(west, '-n', NS, 'pods', '-l', 'app=client')
    expect(pod.items[0].spec.initContainers).toBeUndefined()
    await until('an answer', async () => (await curl(`http://${address}:8080/`)).stdout.includes('Hi, I am from east'))
    await until('a greeting', async () =>
      (await called('node', '/app/tcp.ts', address, '8082')).stdout.includes('east'),
    )
    expect((await curl(`http://${address}:8080/echo`)).stdout).toContain('sa/portolan-egress')
  })

  test('calls it by its name in the clusterset', async () => {
    await until('an answer', async () => (await curl(`http://${NAME}:8080/`)).stdout.includes('Hi, I am from east'))
  })

  test('loses no call while the pods of the egress are replaced', async () => {
    const calls = load(west, NS, CLIENT, `http://${address}:8080/status/200`, { rps: 20, seconds: 30 })
    await kubectl(west, '-n', CONTROL_PLANE, 'rollout', 'restart', 'deploy/portolan-egress')
    await rolledOut(west, CONTROL_PLANE, 'portolan-egress')
    const { failed, failures } = await calls
    expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
  })

  test('is refused a connection where a sidecar is asked for, and the policy says so', async () => {
    await route({ requireSidecar: true })
    await until('a refusal', async () => (await curl(`http://${address}:8080/`)).code === 7)
    expect((await curl(`http://${address}:8082/`)).code).toBe(7)
    const { status } = await get(west, '-n', NS, 'gtp', 'greeter')
    const accepted = status.conditions.find(({ type }: { type: string }) => type === 'Accepted')
    expect(accepted.message).toContain('pods without a sidecar are refused')
    // The address stays, for when it is allowed again.
    await route({ requireSidecar: false })
    await until('an answer', async () => (await curl(`http://${address}:8080/`)).stdout.includes('Hi, I am from east'))
  })

  test('finds nothing any more once nobody exports it', async () => {
    await kubectl(east, '-n', NS, 'delete', 'serviceexport', 'greeter')
    await until(
      'its Service is gone',
      async () => (await west.kubectl(['-n', NS, 'get', 'service', derived])).code !== 0,
    )
    const { items } = await get(west, '-n', NS, 'endpointslices', '-l', `kubernetes.io/service-name=${derived}`)
    expect(items).toEqual([])
  })
})
