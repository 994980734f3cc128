/**
 * The walkthrough of access control as it was published with FSM, step by step: west is its cluster-2, which calls, and
 * two services of east stand for its clusters 1 and 3. The manifests in `printed` are the published ones, word by word.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '../lab/run.ts'
import { curl } from './load.ts'
import {
  app,
  client,
  clusterKey,
  documents,
  meshNamespace,
  plainNamespace,
  serviceExport,
  serviceImport,
} from './manifests.ts'
import { CONTROL_PLANE, sites } from './mesh.ts'
import { apply, kubectl, rolledOut } from './site.ts'

const { east, west, gatewayPort } = sites()
const URL = 'http://httpbin.httpbin:8080/'
const EXPORTERS = ['cluster-1', 'cluster-3']

const printed = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8')
const account = (namespace: string, name: string) => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { namespace, name },
})

const permissive = (is: boolean) =>
  kubectl(
    west,
    ...['patch', 'meshconfig', 'portolan-mesh-config', '-n', CONTROL_PLANE],
    ...['-p', `{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":${is}}}}`, '--type=merge'],
  )

/** Who answers a dozen calls, or how they are refused. */
async function answers(deployment = 'deploy/curl') {
  const all = new Set<string>()
  for (let i = 0; i < 12; i++) all.add((await curl(west, 'curl', deployment, URL)).stdout.trim())
  return [...all].sort()
}

const untilAnswers = (what: string, wanted: readonly (string | RegExp)[], deployment?: string) =>
  until(what, async () => {
    const all = await answers(deployment)
    const fits = (each: string, by: string | RegExp) => (typeof by === 'string' ? each === by : by.test(each))
    return all.length === wanted.length && wanted.every((by) => all.some((each) => fits(each, by)))
  })

const hi = (name: string) => `Hi, I am from ${name}!`
const REFUSED = /^portolan: service account curl\/curl may not call httpbin\/httpbin: .*TrafficTarget/

beforeAll(async () => {
  await apply(
    east,
    documents(
      plainNamespace('httpbin'),
      ...EXPORTERS.flatMap((name) => [
        ...app({ namespace: 'httpbin', name, says: name }),
        serviceExport('httpbin', name, {
          serviceAccountName: 'httpbin',
          rules: [{ portNumber: 8080, path: `/${name}/httpbin-mesh`, pathType: 'Prefix' }],
        }),
      ]),
    ),
  )
  const remotes = EXPORTERS.map((name) => ({
    clusterKey: clusterKey(name),
    host: east.address,
    port: gatewayPort,
    path: `/${name}/httpbin-mesh`,
  }))
  const imported = serviceImport('httpbin', 'httpbin', remotes)
  await apply(west, documents(meshNamespace('httpbin'), meshNamespace('curl')))
  await apply(
    west,
    documents(
      account('curl', 'curl'),
      ...app({ namespace: 'httpbin', name: 'httpbin', says: 'cluster-2' }),
      { ...imported, spec: { ...imported.spec, serviceAccountName: 'httpbin' } },
      client('curl', 'curl', { spec: { serviceAccountName: 'curl' } }),
      client('curl', 'somebody-else'),
    ),
  )
  await kubectl(west, 'apply', '-n', 'httpbin', '-f', join(import.meta.dirname, '../demo/printed/activeactive.yaml'))
  await Promise.all([
    rolledOut(east, 'httpbin', ...EXPORTERS),
    rolledOut(west, 'httpbin', 'httpbin'),
    rolledOut(west, 'curl', 'curl', 'somebody-else'),
  ])
})
afterAll(async () => {
  await permissive(true)
  await kubectl(east, 'delete', 'namespace', 'httpbin', '--wait=false')
  await kubectl(west, 'delete', 'namespace', 'httpbin', 'curl', '--wait=false')
})

test('to begin with, all three clusters answer', async () => {
  await untilAnswers('all answer', [...EXPORTERS, 'cluster-2'].map(hi))
})

test('without permissive mode nobody may call: pods that run already are told so', async () => {
  await permissive(false)
  await untilAnswers('calls are refused', [REFUSED])
  expect((await curl(west, 'curl', 'deploy/curl', URL)).stdout).toContain('enablePermissiveTrafficPolicyMode')
})

test('a TrafficTarget for the service account here: this cluster answers, and no other', async () => {
  await apply(west, printed('printed/curl-to-httpbin.yaml'), '-n', 'httpbin')
  await untilAnswers('cluster-2 answers alone', [hi('cluster-2')])
  const said = await kubectl(
    west,
    'get',
    'serviceimport',
    'httpbin',
    '-n',
    'httpbin',
    '-o',
    'jsonpath={.status.callers}',
  )
  expect(said).toBe('west: curl/curl; cluster-1, cluster-3: nobody')
})

test('the import tells which service account the others export', async () => {
  const spec = await kubectl(west, 'get', 'serviceimports', 'httpbin', '-n', 'httpbin', '-o', 'jsonpath={.spec}')
  expect(JSON.parse(spec)).toMatchObject({ serviceAccountName: 'httpbin', type: 'ClusterSetIP' })
})

test('another one for that service account: all requests are successful, everywhere', async () => {
  await apply(west, printed('printed/curl-to-ext-httpbin.yaml'), '-n', 'httpbin')
  await untilAnswers('all answer', [...EXPORTERS, 'cluster-2'].map(hi))
})

test('a pod beside it that runs as another service account may not call', async () => {
  await untilAnswers('it is refused', [/^portolan: service account curl\/default may not call/], 'deploy/somebody-else')
})
