import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { say } from './cache.ts'
import { IMAGE } from './images.ts'
import { kindConfig, kindProvider, reachableKubeconfig } from './kind.ts'
import { chooseProvider, engineAnswers } from './provider.ts'

const engine = await engineAnswers()
if (!engine) say('SKIPPED: clusters by kind: this machine lacks a Docker engine that answers, or kind')

test.each(['lab', 'kind'] as const)('CLUSTERS=%s decides', async (name) => {
  expect((await chooseProvider(name)).kind).toBe(name)
})

test('without it, kind where a Docker engine answers, else the lab', async () => {
  expect((await chooseProvider('')).kind).toBe(engine ? 'kind' : 'lab')
})

test('anything else is refused', async () => {
  await expect(chooseProvider('minikube')).rejects.toThrow('CLUSTERS=minikube: lab and kind are known')
})

test('kind gets the syncFrequency and a worker for each further node', () => {
  const config = parseAllDocuments(kindConfig({ sync: '60s', nodes: 3 }))[0]?.toJS()
  expect(config.nodes).toEqual([{ role: 'control-plane' }, { role: 'worker' }, { role: 'worker' }])
  expect(config.kubeadmConfigPatches.join()).toContain('syncFrequency: 60s')
})

test("kind's kubeconfig leads to the node's address, and its context is called as the cluster is", () => {
  const users = [{ name: 'kind-ptl-east', user: { 'client-key-data': 'a2V5' } }]
  const kubeconfig = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'kind-ptl-east', cluster: { server: 'https://ptl-east-control-plane:6443' } }],
    contexts: [{ name: 'kind-ptl-east', context: { cluster: 'kind-ptl-east', user: 'kind-ptl-east' } }],
    'current-context': 'kind-ptl-east',
    users,
  })
  const made = parseAllDocuments(reachableKubeconfig(kubeconfig, 'east', '172.18.0.2'))[0]?.toJS()
  expect(made).toEqual({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'east', cluster: { server: 'https://172.18.0.2:6443' } }],
    contexts: [{ name: 'east', context: { cluster: 'east', user: 'east' } }],
    'current-context': 'east',
    users: [{ name: 'east', user: { 'client-key-data': 'a2V5' } }],
  })
})

describe.skipIf(!engine)('clusters by kind', () => {
  const provider = kindProvider()
  const kubectl = async (...args: readonly string[]) => (await provider.kubectl('kind-test', args)).stdout.trim()

  beforeAll(() => provider.up(['kind-test']))
  afterAll(() => provider.down(['kind-test']))

  test('run, take images and have an address', async () => {
    expect(await provider.running()).toContain('kind-test')
    await provider.loadImage('kind-test', IMAGE.demoApp)
    await kubectl('run', 'app', `--image=${IMAGE.demoApp}`, '--image-pull-policy=Never')
    await kubectl('wait', '--for=condition=Ready', 'pod/app', '--timeout=60s')
    expect(await kubectl('exec', 'app', '--', 'curl', '-s', 'http://localhost:8080')).toBe('Hi, I am from nowhere!')
    expect(await provider.nodeAddress('kind-test')).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
  })

  test('freeze and thaw', async () => {
    await provider.freeze('kind-test', true)
    expect((await provider.kubectl('kind-test', ['get', 'nodes', '--request-timeout=2s'])).code).not.toBe(0)
    await provider.freeze('kind-test', false)
    expect((await provider.kubectl('kind-test', ['get', 'nodes'])).code).toBe(0)
  })
})
