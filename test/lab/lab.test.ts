/** Two real clusters, and then what is left of them. */
import { spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CACHE, say } from './cache.ts'
import { inNode, killDaemon } from './exec.ts'
import { IMAGE } from './images.ts'
import { down, status, up } from './lab.ts'
import { findCluster, labProvider } from './lab-provider.ts'
import { lacks } from './preflight.ts'
import { tryRun, until } from './run.ts'
import { loadLab } from './state.ts'
import { ENVOY, KUBERNETES } from './toolchain.ts'
import { NO_TRACES, traces } from './traces.ts'

const missing = await lacks()
for (const line of missing) say(`SKIPPED: the lab's own tests: ${line}`)

/** In the cache, so that images are hard-linked as usual. */
const dir = missing.length > 0 ? '' : mkdtempSync(join(CACHE, 'lab-test-'))
const provider = labProvider(dir)

const kubectl = async (name: string, ...args: readonly string[]) => {
  const { code, stdout, stderr } = await provider.kubectl(name, args)
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

const APP = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: app }
spec:
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec:
      terminationGracePeriodSeconds: 2
      containers:
        - name: app
          image: ${IMAGE.demoApp}
          imagePullPolicy: IfNotPresent
          env: [{ name: CLUSTER, value: NAME }]
          readinessProbe: { httpGet: { path: /, port: 8080 }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: app }
spec:
  type: NodePort
  selector: { app: app }
  ports: [{ port: 80, targetPort: 8080, nodePort: 30080 }]
`

describe.skipIf(missing.length > 0)('two clusters', () => {
  beforeAll(async () => {
    await provider.up(['one', 'two'], { sync: '1s' })
    await Promise.all(
      ['one', 'two'].map(async (name) => {
        await provider.loadImage(name, IMAGE.demoApp)
        await provider.kubectl(name, ['apply', '-f', '-'], APP.replace('NAME', name))
        await kubectl(name, 'rollout', 'status', 'deployment/app', '--timeout=150s')
      }),
    )
  })
  afterAll(() => down(null, dir))

  const inApp = (name: string, ...command: readonly string[]) => kubectl(name, 'exec', 'deploy/app', '--', ...command)

  test('are real: server and nodes say the version they were built from', async () => {
    for (const name of ['one', 'two']) {
      expect(JSON.parse(await kubectl(name, 'version', '-o', 'json')).serverVersion.gitVersion).toBe(`v${KUBERNETES}`)
      const node = await kubectl(name, 'get', 'node', name, '-o', 'jsonpath={.status.nodeInfo.kubeletVersion}')
      expect(node).toBe(`v${KUBERNETES}`)
    }
    expect(await provider.running()).toEqual(['one', 'two'])
  })

  test('up again is quick and starts nothing', async () => {
    const before = status(dir).map(({ name, processes }) => ({ name, processes }))
    await provider.up(['one', 'two'])
    expect(status(dir).map(({ name, processes }) => ({ name, processes }))).toEqual(before)
  })

  test('pods run images that no registry has, find Services by name, and have logs', async () => {
    expect(await inApp('one', 'curl', '-s', 'http://app.default')).toBe('Hi, I am from one!')
    expect(await kubectl('one', 'logs', 'deploy/app')).toContain('listening')
  })

  test('a pod reaches the other cluster by node address and node port', async () => {
    const address = await provider.nodeAddress('one')
    expect(await inApp('two', 'curl', '-s', `http://${address}:30080`)).toBe('Hi, I am from one!')
  })

  test('so does this machine, and pods reach this machine', async () => {
    const answer = await fetch(`http://${await provider.nodeAddress('two')}:30080`)
    expect(await answer.text()).toBe('Hi, I am from two!\n')
    const host = loadLab(dir)?.hostAddress ?? ''
    const server = createServer((socket) => socket.end('from the host\n'))
    await new Promise<void>((resolve) => server.listen(0, host, resolve))
    const { port } = server.address() as { port: number }
    expect(await inApp('one', 'node', '/app/tcp.ts', host, String(port))).toBe('from the host')
    server.close()
  })

  test('a process of the node reaches a Service: the way of the API server to a webhook', async () => {
    const ip = await kubectl('one', 'get', 'service', 'app', '-o', 'jsonpath={.spec.clusterIP}')
    const ask = `exec 3<>/dev/tcp/${ip}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`
    const { stdout } = await inNode(findCluster(dir, 'one').cluster.nodes[0], 'bash', '-c', ask)
    expect(stdout).toContain('Hi, I am from one!')
  })

  test('there is no way out, and that shows at once instead of after a timeout', async () => {
    // 7: could not connect; a time-out would be 28.
    const ask = ['exec', 'deploy/app', '--', 'curl', '-s', '--max-time', '10', 'http://192.0.2.1']
    expect((await provider.kubectl('one', ask)).code).toBe(7)
    expect(
      (await provider.kubectl('one', ['exec', 'deploy/app', '--', 'curl', '-s', 'http://foreign.example'])).code,
    ).toBe(6)
  })

  test('an image is loaded again only when it has changed', async () => {
    const { cluster } = findCluster(dir, 'one')
    const created = async () =>
      (await inNode(cluster.nodes[0], 'ctr', '-n', 'k8s.io', 'images', 'list', `name==${IMAGE.demoApp}`)).stdout
    const before = await created()
    await provider.loadImage('one', IMAGE.demoApp)
    expect(await created()).toBe(before)
    await expect(provider.loadImage('one', 'portolan.test/unknown:1')).rejects.toThrow(IMAGE.portolan)
  })

  test('the images of the product run: its command, Envoy, a shell with iptables', async () => {
    await provider.loadImage('one', IMAGE.portolan)
    const commands = {
      portolan: [IMAGE.portolan, 'node', '/opt/portolan/cli/main.ts', '--help'],
      envoy: [IMAGE.envoy, 'envoy', '--version'],
      init: [IMAGE.portolan, 'sh', '-ec', 'iptables-restore --version; ip6tables-restore --version; node --version'],
      coredns: [IMAGE.coredns, '/coredns', '-plugins'],
    }
    const containers = Object.entries(commands).map(([name, [image, ...command]]) => ({ name, image, command }))
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'images' },
      spec: { restartPolicy: 'Never', containers },
    }
    await provider.kubectl('one', ['apply', '-f', '-'], JSON.stringify(pod))
    await kubectl('one', 'wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/images', '--timeout=150s')
    const logs = (container: string) => kubectl('one', 'logs', 'images', '-c', container)
    expect(await logs('portolan')).toContain('webhook')
    expect(await logs('envoy')).toContain(`/${ENVOY}/`)
    expect(await logs('init')).toMatch(/iptables-restore v1.*\nip6tables-restore v1.*\nv24/)
    const plugins =
      'hosts file forward kubernetes reload health ready prometheus errors log cache rewrite template loop'
    expect((await logs('coredns')).split('\n')).toEqual(expect.arrayContaining(plugins.split(' ')))
  })

  test("images of Docker Hub's names are pulled from the node's registry, tag latest each time; others cannot be had", async () => {
    const { cluster } = findCluster(dir, 'one')
    const pull = (name: string, image: string, ...command: readonly string[]) =>
      kubectl('one', 'run', name, `--image=${image}`, '--restart=Never', '--command', '--', ...command)
    await pull('curl', 'curlimages/curl', 'curl', '--version')
    await pull('pipy', 'flomesh/pipy:latest', 'pipy', '-e', "pipy().listen(8080).serveHTTP(new Message('hello'))")
    await pull('nobody', 'curlimages/nobody:latest', 'true')
    await kubectl('one', 'wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/curl', '--timeout=150s')
    expect(await kubectl('one', 'logs', 'curl')).toMatch(/^curl \d/)
    await kubectl('one', 'wait', '--for=condition=Ready', 'pod/pipy', '--timeout=150s')
    const ip = await kubectl('one', 'get', 'pod', 'pipy', '-o', 'jsonpath={.status.podIP}')
    await until('pipy answers', async () => (await inApp('one', 'curl', '-s', `http://${ip}:8080`)) === 'hello')
    const pulled = await kubectl('one', 'get', 'pod', 'pipy', '-o', 'jsonpath={.spec.containers[0].imagePullPolicy}')
    expect(pulled).toBe('Always')
    const waiting = '{.status.containerStatuses[0].state.waiting.reason}'
    await kubectl('one', 'wait', `--for=jsonpath=${waiting}=ImagePullBackOff`, 'pod/nobody', '--timeout=150s')
    expect(await kubectl('one', 'get', 'events')).toContain('docker.io/curlimages/nobody:latest: not found')
    await killDaemon(cluster, 'node')
    await pull('again', 'flomesh/pipy:latest', 'true')
    await kubectl('one', 'wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/again', '--timeout=150s')
  })

  test('a daemon that dies comes back', async () => {
    await killDaemon(findCluster(dir, 'two').cluster, 'kube-scheduler')
    await killDaemon(findCluster(dir, 'two').cluster, 'kube-apiserver')
    await until(
      'the API server answers again',
      async () => (await provider.kubectl('two', ['get', 'nodes'])).code === 0,
    )
  })

  test('a partition cuts a cluster off, and ends', async () => {
    const url = `http://${await provider.nodeAddress('two')}:30080`
    const reachable = async () => (await tryRun('curl', ['-s', '-m', '1', url])).code === 0
    await provider.partition('two', true)
    expect(await reachable()).toBe(false)
    expect((await provider.kubectl('one', ['get', 'nodes'])).code).toBe(0)
    await provider.partition('two', false)
    await until('two answers again', reachable)
  })

  test('a frozen cluster takes connections and answers nothing, until it thaws', async () => {
    const url = `http://${await provider.nodeAddress('two')}:30080`
    const call = async () => await tryRun('curl', ['-s', '-m', '1', '-w', '%{time_connect}', '-o', '/dev/null', url])
    await provider.freeze('two', true)
    const frozen = await call()
    expect({ code: frozen.code, connected: Number(frozen.stdout) > 0 }).toEqual({ code: 28, connected: true })
    await provider.freeze('two', false)
    await until('two answers again', async () => (await call()).code === 0)
  })

  test('a killed cluster is dead, and down and up bring it back', async () => {
    await provider.kill('two')
    expect(status(dir).find(({ name }) => name === 'two')?.state).toBe('dead')
    await provider.down(['two'])
    expect(status(dir).map(({ name, state }) => ({ name, state }))).toEqual([{ name: 'one', state: 'up' }])
    await provider.up(['two'])
    expect(await provider.running()).toEqual(['one', 'two'])
  })
})

describe.skipIf(missing.length > 0)('without a trace', () => {
  afterAll(() => down(null, dir))

  const lab = () => {
    const found = loadLab(dir)
    if (found === null) throw new Error('no lab')
    return found
  }

  test('after a normal life, one of the clusters frozen, the other with two nodes', async () => {
    await Promise.all([up(['one'], { dir }), up(['pair'], { dir, nodes: 2 })])
    const nodes = await kubectl('pair', 'get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}')
    expect(nodes).toBe('pair pair-2')
    await provider.freeze('one', true)
    const alive = lab()
    expect(traces(alive).processes.length).toBeGreaterThan(20)
    await down(null, dir)
    expect(traces(alive)).toEqual(NO_TRACES)
    expect(loadLab(dir)).toBeNull()
  })

  const moments: Readonly<Record<string, () => boolean>> = {
    'a slot is taken': () => loadLab(dir) !== null,
    'a namespace is there': () => traces(lab()).namespaces.length > 1,
    'a cgroup is there': () => traces(lab()).cgroups.length > 0,
    'daemons run': () => traces(lab()).processes.some((line) => line.includes('etcd')),
    'the API server answers': () => traces(lab()).processes.some((line) => line.includes('kube-scheduler')),
  }
  test.each(Object.keys(moments))('after the starter was killed when %s', async (moment) => {
    await killStarter(['one', 'two'], moments[moment] ?? (() => true))
    const half = lab()
    await down(null, dir)
    expect(traces(half)).toEqual(NO_TRACES)
  })

  test('up after a killed start clears the wreck, keeps the rest and starts afresh', async () => {
    await up(['one'], { dir })
    await killStarter(['one', 'two'], () => traces(lab()).processes.filter((line) => line.includes('etcd')).length > 2)
    expect(status(dir).map(({ name, state }) => ({ name, state }))).toEqual([
      { name: 'one', state: 'up' },
      { name: 'two', state: 'starting or broken' },
    ])
    await up(['one', 'two'], { dir })
    expect(await provider.running()).toEqual(['one', 'two'])
  })
})

/** Starts clusters by a process of their own, which is killed as soon as `moment` has come. */
async function killStarter(names: readonly string[], moment: () => boolean): Promise<void> {
  const args = [join(import.meta.dirname, 'main.ts'), 'up', '--names', names.join(',')]
  const starter = spawn(process.execPath, args, { env: { ...process.env, PORTOLAN_LAB: dir }, stdio: 'ignore' })
  const signal = new Promise((resolve) => starter.once('exit', (_, signal) => resolve(signal)))
  await until('the moment', () => loadLab(dir) !== null && moment(), { every: 5 })
  starter.kill('SIGKILL')
  expect(await signal).toBe('SIGKILL')
}
