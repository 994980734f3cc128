import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { nodeFiles } from './config.ts'
import { writePki } from './pki.ts'
import { planCluster, planLab } from './plan.ts'
import { run } from './run.ts'

const dir = mkdtempSync(join(tmpdir(), "portolan it's-"))
const cluster = planCluster(planLab(dir, 3), { name: 'east', index: 1, nodes: 2, sync: '60s' })
const [first, second = cluster.nodes[0]] = cluster.nodes
const tools = { bin: '/a b/bin', root: '/root', env: { PATH: "/it's/bin:/bin" }, pauseImage: 'pause:1', node: '/node' }
const files = (node: typeof first) => nodeFiles(cluster, node, tools)
const daemons = (node: typeof first) => [...files(node).keys()].filter((path) => path.startsWith('daemons/'))

beforeAll(() => writePki(cluster))
afterAll(() => rm(dir, { recursive: true }))

test('the first node runs the control plane, a further one only what runs pods', () => {
  expect(daemons(first)).toEqual([
    'daemons/first/containerd',
    'daemons/first/registry',
    'daemons/first/etcd',
    'daemons/first/kube-apiserver',
    'daemons/then/kube-controller-manager',
    'daemons/then/kube-scheduler',
    'daemons/then/kubelet',
    'daemons/then/kube-proxy',
  ])
  expect(daemons(second)).toEqual([
    'daemons/first/containerd',
    'daemons/first/registry',
    'daemons/then/kubelet',
    'daemons/then/kube-proxy',
  ])
})

test('daemons are started by scripts that survive odd paths', async () => {
  const script = files(first).get('daemons/first/etcd') ?? ''
  await run('sh', ['-n'], { input: script })
  const shown = await run('sh', ['-s'], { input: script.replace("exec '/a b/bin/etcd'", 'printf \'%s\\n\' "$PATH"') })
  expect(shown.split('\n')).toEqual(
    expect.arrayContaining(["/it's/bin:/bin", `--data-dir=${join(first.dir, 'var/etcd')}`]),
  )
})

test('the kubelet gets the syncFrequency that was asked for', () => {
  expect(parse(files(first).get('kubelet.yaml') ?? '')).toMatchObject({
    syncFrequency: '60s',
    cgroupRoot: '/ptl3-east',
  })
})

test('every certificate comes from its own authority and names what it serves', () => {
  const certificate = (name: string) => new X509Certificate(readFileSync(join(cluster.pki, `${name}.crt`)))
  const ca = certificate('ca')
  expect(certificate('apiserver').checkIssued(ca) && certificate('apiserver').verify(ca.publicKey)).toBe(true)
  expect(certificate('front-proxy').checkIssued(certificate('front-proxy-ca'))).toBe(true)
  expect(certificate('front-proxy').checkIssued(ca)).toBe(false)
  expect(certificate('apiserver').checkIP(first.address)).toBe(first.address)
  expect(certificate('apiserver').checkHost('kubernetes.default.svc')).toBe('kubernetes.default.svc')
  expect(certificate(`kubelet-${second.name}`).subject).toContain('CN=system:node:east-2')
  expect(certificate(`kubelet-server-${second.name}`).checkIP(second.address)).toBe(second.address)
})

test('the kubeconfig needs no other file', () => {
  const { clusters, users } = parse(readFileSync(cluster.kubeconfig, 'utf8'))
  expect(clusters[0].cluster.server).toBe('https://10.201.3.11:6443')
  expect(Object.keys(users[0].user).sort()).toEqual(['client-certificate-data', 'client-key-data'])
})
