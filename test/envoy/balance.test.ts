/** How two gateways of one cluster spread calls over pods, by each of the policies. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { LOAD_BALANCERS, type LoadBalancer } from '../../api/service-export.ts'
import { compile } from '../../compiler/compile.ts'
import { CALLER } from '../../compiler/render-envoy.ts'
import type { GatewayTable } from '../../compiler/tables.ts'
import * as build from '../compiler/build.ts'
import { freePort } from '../lab/ports.ts'
import { type Backend, startBackend, type Verdict } from './backend.ts'
import { type Answer, call, startLoad } from './call.ts'
import { countNames } from './sessions.ts'
import { type Gateway, startGateway } from './site.ts'

let port: number
/** The last one is not ready until a test says so. */
let pods: readonly Backend[]
let service: Backend
let gateways: readonly [Gateway, Gateway]

const FIRST = 3
const SERVICE = '127.92.1.1'

const table = (loadBalancer: LoadBalancer, ready = FIRST): GatewayTable =>
  compile(
    build.snapshot({
      services: [build.service('shop/web', { clusterIP: SERVICE, ports: [{ port }] })],
      endpointSlices: [
        build.pods(
          'shop/web',
          pods.slice(0, ready).map(({ host }) => host),
          port,
        ),
      ],
      exports: [build.serviceExport('shop/web', { rules: [{ portNumber: port, path: '/web' }], loadBalancer })],
    }),
  ).gateway

const swap = async (next: GatewayTable): Promise<void> => {
  await Promise.all(gateways.map((gateway) => gateway.swap(next)))
}

beforeAll(async () => {
  port = await freePort()
  pods = await Promise.all([1, 2, 3, 4].map((n) => startBackend(`pod ${n}`, `127.92.0.${n}`, port)))
  const first = table('RoundRobinLoadBalancer')
  service = await startBackend('service', SERVICE, port)
  gateways = [await startGateway(first, build.mesh.clusterKey), await startGateway(first, build.mesh.clusterKey)]
})
afterAll(async () => {
  await Promise.all([...gateways.map((gateway) => gateway.stop()), ...[...pods, service].map((app) => app.kill())])
})
afterEach(() => {
  for (const pod of pods) {
    pod.behaviour = () => 'answer'
    pod.seen.length = 0
  }
})

const to = (gateway: Gateway, caller?: string) => ({
  host: '127.0.0.1',
  port: gateway.port,
  path: '/web/x',
  ...(caller === undefined ? {} : { headers: { [CALLER]: caller } }),
})

const inTurn = async (count: number, one: (index: number) => Promise<Answer>): Promise<readonly Answer[]> => {
  const answers: Answer[] = []
  for (let index = 0; index < count; index++) answers.push(await one(index))
  return answers
}

const callers = Array.from({ length: 300 }, (_, index) => `10.${index % 7}.0.${index}`)

/** Which pod each caller meets. */
const placed = async (gateway: Gateway): Promise<ReadonlyMap<string, string>> => {
  const answers = await inTurn(callers.length, (index) => call(to(gateway, callers[index])))
  return new Map(callers.map((caller, index) => [caller, answers[index]?.seen?.name ?? 'nobody']))
}

const moved = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly string[] =>
  callers.filter((caller) => before.get(caller) !== after.get(caller))

/** The next request is answered only after `release`, all others at once. @returns the pod that has it */
const occupyOne = async (): Promise<{ readonly pod: string; readonly release: () => Promise<Answer> }> => {
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  let holder: string | undefined
  for (const pod of pods) {
    pod.behaviour = () => {
      if (holder !== undefined) return 'answer'
      holder = pod.name
      return promise
    }
  }
  const slow = call(to(gateways[0]))
  await expect.poll(() => holder).toBeDefined()
  const release = (): Promise<Answer> => {
    resolve('answer')
    return slow
  }
  return { pod: holder ?? '', release }
}

describe('RoundRobinLoadBalancer', () => {
  test('each pod in its turn, a busy one too', async () => {
    await swap(table('RoundRobinLoadBalancer'))
    const { release } = await occupyOne()
    expect(countNames(await inTurn(30, () => call(to(gateways[0]))))).toEqual({ 'pod 1': 10, 'pod 2': 10, 'pod 3': 10 })
    expect((await release()).status).toBe(200)
  })

  test('nobody is told of proxies, in headers or cookies', async () => {
    const { headers, seen } = await call(to(gateways[0], '10.0.0.1'))
    expect(headers).not.toHaveProperty('set-cookie')
    expect(seen?.headers).not.toHaveProperty(CALLER)
  })
})

describe('LeastWorkLoadBalancer', () => {
  test('a busy pod gets nothing while others are idle', async () => {
    await swap(table('LeastWorkLoadBalancer'))
    const { pod, release } = await occupyOne()
    const counts = countNames(await inTurn(30, () => call(to(gateways[0]))))
    expect(counts[pod]).toBeUndefined()
    expect(Object.keys(counts)).toHaveLength(FIRST - 1)
    expect((await release()).status).toBe(200)
    expect(Object.keys(countNames(await inTurn(30, () => call(to(gateways[0])))))).toContain(pod)
  })
})

describe('HashingLoadBalancer', () => {
  test('a caller meets one pod, at whichever gateway; many callers meet all pods alike', async () => {
    await swap(table('HashingLoadBalancer'))
    expect((await call(to(gateways[0], '10.0.0.1'))).seen?.headers).not.toHaveProperty(CALLER)
    const [one, other] = [await placed(gateways[0]), await placed(gateways[1])]
    expect(other).toEqual(one)
    for (const { name } of pods.slice(0, FIRST)) {
      const share = [...one.values()].filter((each) => each === name).length / callers.length
      expect(share).toBeGreaterThan(0.2)
      expect(share).toBeLessThan(0.47)
    }
  })

  test('without a sidecar, the caller is who connects', async () => {
    const names = new Set<string>()
    for (let last = 1; last <= 12; last++) {
      const from = `127.0.1.${last}`
      const answers = await inTurn(5, (index) => call({ ...to(gateways[index % 2 === 0 ? 0 : 1]), from }))
      const met = Object.keys(countNames(answers))
      expect(met).toHaveLength(1)
      for (const name of met) names.add(name)
    }
    expect(names.size).toBeGreaterThan(1)
  })

  test('another pod takes over its own share of callers and moves few others; its going moves hardly more', async () => {
    const before = await placed(gateways[0])
    await swap(table('HashingLoadBalancer', FIRST + 1))
    const after = await placed(gateways[0])
    const taken = [...after.values()].filter((name) => name === 'pod 4').length
    expect(taken / callers.length).toBeGreaterThan(0.13)
    expect(moved(before, after).length / callers.length).toBeLessThan(0.35)
    await swap(table('HashingLoadBalancer'))
    expect(await placed(gateways[0])).toEqual(before)
  })

  test('callers of a pod that dies go to others, and no call of theirs is lost', async () => {
    const [pod] = pods as readonly [Backend]
    const before = await placed(gateways[0])
    await pod.kill()
    await gateways[0].leaves(pod)
    const after = await placed(gateways[0])
    await pod.revive()
    expect([...after.values()]).not.toContain('nobody')
    const bereft = callers.filter((caller) => before.get(caller) === 'pod 1')
    expect(moved(before, after)).toEqual(expect.arrayContaining(bereft))
    expect(moved(before, after).length).toBeLessThan(bereft.length + callers.length * 0.15)
  })
})

describe('a table whose pods have all gone', () => {
  test.each(LOAD_BALANCERS)('%s: heals by the Service’s own address', async (loadBalancer) => {
    await swap(table(loadBalancer))
    await Promise.all(pods.map((pod) => pod.kill()))
    await expect.poll(async () => countNames([await call(to(gateways[0]))])).toEqual({ service: 1 })
    await Promise.all(pods.map((pod) => pod.revive()))
  })
})

describe('another policy, from one moment to the next', () => {
  const POLICIES: readonly LoadBalancer[] = ['LeastWorkLoadBalancer', 'HashingLoadBalancer', 'RoundRobinLoadBalancer']

  test('costs no call', async () => {
    await swap(table('RoundRobinLoadBalancer'))
    const load = startLoad(to(gateways[0]))
    for (let step = 0; step < 30; step++) await swap(table(POLICIES[step % POLICIES.length] ?? 'HashingLoadBalancer'))
    expect(Object.keys(await load.stop()).sort()).toEqual(['pod 1', 'pod 2', 'pod 3'])
  })

  test('leaves calls alone that are under way', async () => {
    const { release } = await occupyOne()
    for (const policy of POLICIES) await swap(table(policy))
    expect(await release()).toMatchObject({ status: 200 })
  })
})
