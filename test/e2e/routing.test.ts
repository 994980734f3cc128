/** Where calls go, on real pods of two clusters: east exports, west imports. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import { curl, load } from './load.ts'
import {
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
import { sites } from './mesh.ts'
import { apply, exec, get, kubectl, rolledOut, type Site } from './site.ts'

const { east, west, gatewayPort } = sites()
const URL = 'http://httpbin.routing:8080'
const NS = 'routing'
const CLIENT = 'deploy/client'

/** Three services of east stand for three exporting clusters: an import does not care who is behind a gateway's path. */
const REMOTES = ['c1', 'c2', 'c3'].map((name) => ({
  clusterKey: clusterKey(name),
  host: east.address,
  port: gatewayPort,
  path: `/${NS}/${name}`,
}))

const whoAnswers = async () => (await curl(west, NS, CLIENT, `${URL}/`)).stdout.trim()
const untilAnswers = (who: RegExp) => until(`an answer like ${who}`, async () => who.test(await whoAnswers()))
const setPolicy = async (...args: Parameters<typeof policy> extends [string, string, ...infer R] ? R : never) => {
  await apply(west, documents(policy(NS, 'httpbin', ...args)))
  await kubectl(west, '-n', NS, 'wait', '--for=condition=Programmed', 'gtp/httpbin', '--timeout=150s')
}

beforeAll(async () => {
  await apply(
    east,
    documents(plainNamespace(NS), ...['c1', 'c2', 'c3'].flatMap((name) => app({ namespace: NS, name, says: name }))),
  )
  await apply(
    east,
    documents(
      ...['c1', 'c2', 'c3'].map((name) =>
        serviceExport(NS, name, { rules: [{ portNumber: 8080, path: `/${NS}/${name}`, pathType: 'Prefix' }] }),
      ),
    ),
  )
  await apply(west, documents(meshNamespace(NS), serviceImport(NS, 'httpbin', REMOTES), client(NS, 'client')))
  await Promise.all([rolledOut(east, NS, 'c1', 'c2', 'c3'), rolledOut(west, NS, 'client')])
})

afterAll(async () => {
  await Promise.all([east, west].map((site) => kubectl(site, 'delete', 'namespace', NS, '--wait=false')))
})

describe('no local Service', () => {
  test('without a policy the call is refused, as in the seeds: curl exit 7', async () => {
    expect((await curl(west, NS, CLIENT, `${URL}/`)).code).toBe(7)
  })

  test('FailOver goes to the targets; an equal share each', async () => {
    await setPolicy('FailOver', [{ clusterKey: clusterKey('c1') }, { clusterKey: clusterKey('c3') }])
    await untilAnswers(/c[13]/)
    const { failed, answers, total } = await load(west, NS, CLIENT, `${URL}/`, { rps: 100, seconds: 4 })
    expect(failed).toBe(0)
    expect(Object.keys(answers).sort()).toEqual(['Hi, I am from c1!', 'Hi, I am from c3!'])
    expect(answers['Hi, I am from c1!'] ?? 0).toBeGreaterThan(total * 0.45)
    expect(answers['Hi, I am from c3!'] ?? 0).toBeGreaterThan(total * 0.45)
  })

  test('FailOver with an order: the second is not called while the first answers', async () => {
    await setPolicy('FailOver', [
      { clusterKey: clusterKey('c3'), priority: 1 },
      { clusterKey: clusterKey('c2'), priority: 0 },
    ])
    await untilAnswers(/c2/)
    const { answers, total } = await load(west, NS, CLIENT, `${URL}/`, { rps: 50, seconds: 2 })
    expect(answers).toEqual({ 'Hi, I am from c2!': total })
  })

  test('ActiveActive shares 100:50:25', async () => {
    await setPolicy('ActiveActive', [
      { clusterKey: clusterKey('c1'), weight: 100 },
      { clusterKey: clusterKey('c2'), weight: 50 },
      { clusterKey: clusterKey('c3'), weight: 25 },
    ])
    await until('all three answer', async () => {
      const { answers } = await load(west, NS, CLIENT, `${URL}/`, { rps: 50, seconds: 1 })
      return Object.keys(answers).length === 3
    })
    const { failed, answers, total } = await load(west, NS, CLIENT, `${URL}/`, { rps: 140, seconds: 5 })
    expect(failed).toBe(0)
    const share = (name: string) => (answers[`Hi, I am from ${name}!`] ?? 0) / total
    expect(share('c1')).toBeCloseTo(100 / 175, 1)
    expect(share('c2')).toBeCloseTo(50 / 175, 1)
    expect(share('c3')).toBeCloseTo(25 / 175, 1)
  })

  test('weight 0 is drained', async () => {
    await setPolicy('ActiveActive', [
      { clusterKey: clusterKey('c1'), weight: 0 },
      { clusterKey: clusterKey('c2') },
      { clusterKey: clusterKey('c3') },
    ])
    await untilAnswers(/c[23]/)
    const { answers, failed } = await load(west, NS, CLIENT, `${URL}/`, { rps: 100, seconds: 3 })
    expect(failed).toBe(0)
    expect(Object.keys(answers).sort()).toEqual(['Hi, I am from c2!', 'Hi, I am from c3!'])
  })

  test('a target that exports nothing is named in status and does not hold the others up', async () => {
    await setPolicy('FailOver', [{ clusterKey: clusterKey('nowhere') }, { clusterKey: clusterKey('c1') }])
    await untilAnswers(/c1/)
    const { status } = await get(west, '-n', NS, 'gtp', 'httpbin')
    expect(status.targets).toEqual(
      expect.arrayContaining([expect.objectContaining({ clusterKey: clusterKey('nowhere'), readyEndpoints: 0 })]),
    )
  })
})

describe('what crosses', () => {
  beforeAll(() => setPolicy('FailOver', [{ clusterKey: clusterKey('c1') }]))

  test('path, query, method, body and Host arrive as a local caller would send them', async () => {
    const { stdout } = await curl(west, NS, CLIENT, '-X', 'PUT', '-d', 'hello', `${URL}/echo/a%20b?x=1&y=/z`)
    const echo = JSON.parse(stdout)
    expect(echo).toMatchObject({ method: 'PUT', path: '/echo/a%20b?x=1&y=/z', body: 'hello' })
    expect(echo.headers.host).toBe('httpbin.routing:8080')
  })

  test('a foreign Host to the import goes to the import', async () => {
    const { stdout } = await curl(west, NS, CLIENT, '-H', 'Host: elsewhere.example', `${URL}/`)
    expect(stdout).toContain('c1')
  })

  test('headers that steer the proxy cannot be set by a caller', async () => {
    const spoof = [
      'x-portolan-destination: 10.0.0.1:80',
      'x-portolan-target: /status/500',
      'x-portolan-authority: evil',
      'x-envoy-retry-on: 5xx',
    ]
    const { stdout } = await curl(west, NS, CLIENT, ...spoof.flatMap((header) => ['-H', header]), `${URL}/echo`)
    const echo = JSON.parse(stdout)
    expect(echo.path).toBe('/echo')
    expect(echo.headers.host).toBe('httpbin.routing:8080')
    expect(Object.keys(echo.headers).filter((name) => name.startsWith('x-portolan'))).toEqual([])
  })

  test('WebSocket through both hops', async () => {
    const result = await exec(west, NS, CLIENT, 'curl', 'node', '/app/ws.ts', 'ws://httpbin.routing:8080/ws', 'ping')
    expect(result.stdout.trim()).toBe('ping')
  })

  test('gRPC through both hops', async () => {
    await apply(
      east,
      documents(
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'grpc', namespace: NS },
          spec: {
            selector: { app: 'c1' },
            ports: [{ name: 'grpc', port: 9000, targetPort: 8081, appProtocol: 'kubernetes.io/h2c' }],
          },
        },
        serviceExport(NS, 'grpc', { rules: [{ portNumber: 9000, path: `/${NS}/grpc` }] }),
      ),
    )
    const remote = { clusterKey: clusterKey('c1'), host: east.address, port: gatewayPort, path: `/${NS}/grpc` }
    await apply(
      west,
      documents(
        serviceImport(NS, 'grpc', [remote], 9000),
        policy(NS, 'grpc', 'FailOver', [{ clusterKey: clusterKey('c1') }]),
      ),
    )
    const call = () => exec(west, NS, CLIENT, 'curl', 'node', '/app/grpc.ts', 'grpc.routing:9000', 'ping')
    const result = await until('an answer by gRPC', async () => {
      const answer = await call()
      return answer.code === 0 && answer
    })
    expect(result.stdout).toContain('ping')
    expect(result.stdout).toContain('c1')
  })
})

describe('a local Service beside the import', () => {
  beforeAll(async () => {
    await apply(west, documents(...app({ namespace: NS, name: 'httpbin', says: 'west' })))
    await rolledOut(west, NS, 'httpbin')
  })

  test('FailOver stays local', async () => {
    await setPolicy('FailOver', [{ clusterKey: clusterKey('c1') }])
    await untilAnswers(/west/)
    const { answers, total } = await load(west, NS, CLIENT, `${URL}/`, { rps: 50, seconds: 2 })
    expect(answers).toEqual({ 'Hi, I am from west!': total })
  })

  test('local pods killed under load: the target answers, nothing fails; and back', async () => {
    const running = load(west, NS, CLIENT, `${URL}/`, { rps: 100, seconds: 20 })
    await kubectl(west, '-n', NS, 'delete', 'pod', '-l', 'app=httpbin', '--force', '--grace-period=0')
    await kubectl(west, '-n', NS, 'scale', 'deploy/httpbin', '--replicas=0')
    await untilAnswers(/c1/)
    await kubectl(west, '-n', NS, 'scale', 'deploy/httpbin', '--replicas=1')
    await rolledOut(west, NS, 'httpbin')
    await untilAnswers(/west/)
    const { failed, failures, answers } = await running
    expect({ failed, failures }).toEqual({ failed: 0, failures: {} })
    expect(Object.keys(answers).sort()).toEqual(['Hi, I am from c1!', 'Hi, I am from west!'])
  })

  test('a POST is not sent again once an app has seen it', async () => {
    const posts = async (site: Site, target: string) =>
      JSON.parse((await exec(site, NS, target, 'app', 'curl', '-s', 'http://localhost:8080/count')).stdout).posts
    const before = await posts(east, 'deploy/c1')
    const { stdout } = await curl(
      west,
      NS,
      CLIENT,
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-d',
      'once',
      `${URL}/count/die`,
    )
    expect(stdout).toBe('503')
    expect(await posts(west, 'deploy/httpbin')).toBe(1)
    expect(await posts(east, 'deploy/c1')).toBe(before)
  })

  test('ActiveActive uses both, by weight', async () => {
    await setPolicy('ActiveActive', [{ clusterKey: clusterKey('c1') }, { clusterKey: clusterKey('west'), weight: 300 }])
    await until('both answer', async () => {
      const { answers } = await load(west, NS, CLIENT, `${URL}/`, { rps: 50, seconds: 1 })
      return Object.keys(answers).length === 2
    })
    const { answers, total, failed } = await load(west, NS, CLIENT, `${URL}/`, { rps: 100, seconds: 4 })
    expect(failed).toBe(0)
    expect((answers['Hi, I am from west!'] ?? 0) / total).toBeCloseTo(0.75, 1)
  })

  test('Locality with a local Service is its plain ClusterIP: the proxy is not met', async () => {
    await setPolicy('Locality')
    const address = (await get(west, '-n', NS, 'svc', 'httpbin')).spec.clusterIP
    await until(
      'the name is the ClusterIP',
      async () => (await curl(west, NS, CLIENT, '-w', '%{remote_ip}', '-o', '/dev/null', `${URL}/`)).stdout === address,
    )
  })
})
