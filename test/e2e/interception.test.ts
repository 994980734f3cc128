/** Calls reach the sidecar without capture, in a namespace that takes none of the capabilities that capture needs. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { curl } from './load.ts'
import {
  APP_IMAGE,
  app,
  clusterKey,
  documents,
  meshNamespace,
  plainNamespace,
  policy,
  serviceExport,
  serviceImport,
} from './manifests.ts'
import { sites } from './mesh.ts'
import { apply, exec, get, kubectl, type Loose, refused, rolledOut } from './site.ts'

const { east, west, gatewayPort } = sites()
const TIGHT = 'tight'
const BESIDE = 'beside-tight'

/** What the Pod Security level "restricted" asks for, and no more. */
const caller = (name: string, annotations: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: TIGHT },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name }, annotations },
      spec: {
        terminationGracePeriodSeconds: 1,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [
          {
            name: 'curl',
            image: APP_IMAGE,
            command: ['sleep', '365d'],
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          },
        ],
      },
    },
  },
})

beforeAll(async () => {
  await apply(
    east,
    documents(
      plainNamespace(TIGHT),
      ...app({ namespace: TIGHT, name: 'httpbin', says: 'east' }),
      serviceExport(TIGHT, 'httpbin', { rules: [{ portNumber: 8080, path: `/${TIGHT}/httpbin` }] }),
    ),
  )
  await apply(
    west,
    documents(
      meshNamespace(TIGHT, {
        labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
        annotations: { 'flomesh.io/interception': 'explicit' },
      }),
      plainNamespace(BESIDE),
      ...app({ namespace: BESIDE, name: 'plain', says: 'plain' }),
      serviceImport(TIGHT, 'httpbin', [
        { clusterKey: clusterKey('east'), host: east.address, port: gatewayPort, path: `/${TIGHT}/httpbin` },
      ]),
      policy(TIGHT, 'httpbin', 'FailOver', [{ clusterKey: clusterKey('east') }]),
      caller('caller'),
    ),
  )
  await Promise.all([
    rolledOut(east, TIGHT, 'httpbin'),
    rolledOut(west, TIGHT, 'caller'),
    rolledOut(west, BESIDE, 'plain'),
  ])
})

afterAll(async () => {
  await kubectl(east, 'delete', 'namespace', TIGHT, '--wait=false')
  await Promise.all([TIGHT, BESIDE].map((name) => kubectl(west, 'delete', 'namespace', name, '--wait=false')))
})

test('a namespace that enforces "restricted" takes the pod with its sidecar', async () => {
  const [pod] = (await get(west, '-n', TIGHT, 'pod', '-l', 'app=caller')).items
  expect(pod.spec.initContainers.map((container: Loose) => container.name)).toEqual(['portolan-proxy'])
  expect(pod.spec.dnsPolicy).toBe('ClusterFirst')
})

test.each(['httpbin', 'httpbin.tight', 'httpbin.tight.svc.cluster.local', 'httpbin.tight.svc.clusterset.local'])(
  'calls to %s go to the other cluster',
  async (name) => {
    const { stdout, stderr } = await curl(west, TIGHT, 'deploy/caller', `http://${name}:8080/`)
    expect(stdout, stderr).toContain('Hi, I am from east!')
  },
)

test('what is no import is reached as ever', async () => {
  const calls = [
    ['http://plain.beside-tight:8080/', 'Hi, I am from plain!'],
    ['-kp -x http://127.0.0.1:15080 https://kubernetes.default/version', '"major"'],
    ['-k https://kubernetes.default/version', '"major"'],
  ] as const
  for (const [args, answer] of calls) {
    const { stdout, stderr } = await curl(west, TIGHT, 'deploy/caller', ...args.split(' '))
    expect(stdout, `${args}: ${stderr}`).toContain(answer)
  }
})

test('a program that knows nothing of proxies goes on by itself', async () => {
  const { stdout } = await curl(west, TIGHT, 'deploy/caller', '--noproxy', '*', 'http://plain.beside-tight:8080/')
  expect(stdout).toContain('Hi, I am from plain!')
  const { code } = await curl(west, TIGHT, 'deploy/caller', '--noproxy', '*', 'http://httpbin.tight:8080/')
  expect(code, 'the name is not known to the DNS of the cluster').toBe(6)
})

test('Node asks the proxy, when it is told to heed the environment', async () => {
  const program = "fetch('http://httpbin.tight:8080/').then((r) => r.text()).then(console.log)"
  const { stdout, stderr } = await exec(
    ...[west, TIGHT, 'deploy/caller', 'curl'],
    ...['env', 'NODE_USE_ENV_PROXY=1', 'node', '-e', program],
  )
  expect(stdout, stderr).toContain('Hi, I am from east!')
})

test('a pod that wants capture is told before it is refused', async () => {
  const { spec } = caller('captured')
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'captured', namespace: TIGHT, annotations: { 'flomesh.io/interception': 'iptables' } },
    spec: spec.template.spec,
  }
  const said = await refused(west, documents(pod))
  expect(said).toMatch(/Warning: .*which refuses the capability NET_ADMIN .*flomesh.io\/interception=explicit/)
  expect(said).toMatch(/violates PodSecurity "restricted/)
})
