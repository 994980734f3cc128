/** What Portolan's own accounts may not write although their roles let them, at a real API server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ROUTES_VERSION_ANNOTATION } from '../../api/names.ts'
import { derivedName } from '../../compiler/derived.ts'
import { memoryName } from '../../federation/controller/memory.ts'
import { documents, plainNamespace } from '../e2e/manifests.ts'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { kubectl, SYSTEM } from '../kube/compiler.ts'
import { until } from '../lab/run.ts'
import { parseManifests, render } from './helm.ts'

let api: ApiServer

const NS = 'shop'

/** As the roles give them; what they are is the matter of other tests. */
const ALL = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] }
const RBAC = 'rbac.authorization.k8s.io'

const secret = (name: string, type: string, namespace = SYSTEM) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { namespace, name, annotations: { 'kubernetes.io/service-account.name': 'default' } },
  type,
})
const service = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: NS, name },
  spec: { ports: [{ port: 80 }], ...spec },
})
const slice = (name: string, labels: object) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { namespace: NS, name, labels },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.9.9.9'] }],
  ports: [{ port: 80 }],
})
const of = (name: string) => ({ 'kubernetes.io/service-name': name })

beforeAll(async () => {
  api = await startApiServer()
  const names = ['compiler', 'federation', 'hub', 'identity', 'webhook'].map((each) => `portolan-${each}`)
  const subjects = [...names, 'other'].map((name) => ({ kind: 'ServiceAccount', namespace: SYSTEM, name }))
  const everything = { apiVersion: `${RBAC}/v1`, kind: 'ClusterRole', metadata: { name: 'everything' }, rules: [ALL] }
  await kubectl(api, ['apply', '-f', '-'], documents(plainNamespace(SYSTEM), plainNamespace(NS), everything))
  const limits = await render('--show-only', 'templates/limits.yaml')
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { namespace: NS, name: 'default' } }
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: NS, name: 'app', labels: { app: 'a' }, annotations: { mine: 'x' } },
    spec: { automountServiceAccountToken: false, containers: [{ name: 'app', image: 'good' }] },
  }
  await kubectl(
    api,
    ['apply', '-f', '-'],
    documents(
      {
        apiVersion: `${RBAC}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'everything' },
        subjects,
        roleRef: { apiGroup: RBAC, kind: 'ClusterRole', name: 'everything' },
      },
      account,
      service('theirs'),
      slice('theirs-1', of('theirs')),
      slice('derived-ours', of('derived-ours')),
      slice('copy', {}),
      secret('portolan-ca', 'Opaque'),
      pod,
      ...parseManifests(limits),
    ),
  )
  // Policies are read by the API server some moments after they are written.
  await until('the policies count', async () => {
    const tries = names.map((name) => as(name, ['create'], secret('x', 'kubernetes.io/basic-auth')))
    const slices = as('portolan-hub', ['create'], slice('x', of('theirs')))
    const pods = as('portolan-compiler', ['label', 'pod/app', '-n', NS, 'probe=1'])
    const all = await Promise.all([
      ...tries.filter((_, index) => [1, 3, 4].includes(index)),
      slices,
      pods,
      as('portolan-compiler', ['create'], service('x')),
    ])
    return all.every(({ code }) => code !== 0)
  })
})
afterAll(() => api?.stop())

const as = (account: string, [verb = '', ...args]: readonly string[], object?: object) => {
  const who = ['--as', `system:serviceaccount:${SYSTEM}:${account}`, '--dry-run=server']
  return api.kubectl([verb, ...args, ...who, ...(object === undefined ? [] : ['-f', '-'])], object && documents(object))
}

const TOKEN = 'kubernetes.io/service-account-token'
const patch = (kind: string, name: string, body: object) => ['patch', kind, name, '-n', NS, '-p', JSON.stringify(body)]

interface Try {
  readonly who: string
  readonly does: string
  readonly args?: readonly string[]
  readonly object?: object
}

const refused: readonly Try[] = [
  {
    who: 'identity',
    does: 'asks for a token of another account, anywhere',
    object: secret('portolan-identity', TOKEN, NS),
  },
  { who: 'webhook', does: 'asks for a token of another account', object: secret('any', TOKEN) },
  { who: 'federation', does: 'asks for a token of another account', object: secret('portolan-member-x', TOKEN) },
  { who: 'federation', does: 'writes a Secret that is no memory', object: secret('any', 'Opaque') },
  { who: 'federation', does: 'deletes the roots', args: ['delete', 'secret', 'portolan-ca', '-n', SYSTEM] },
  { who: 'hub', does: 'adds an endpoint to a Service', object: slice('more', of('theirs')) },
  { who: 'hub', does: 'changes an endpoint of a Service', args: patch('endpointslice', 'theirs-1', { endpoints: [] }) },
  {
    who: 'hub',
    does: 'makes an endpoint out of a copy',
    args: ['label', 'endpointslice', 'copy', '-n', NS, 'kubernetes.io/service-name=theirs'],
  },
  { who: 'hub', does: 'deletes endpoints', args: ['delete', 'endpointslice', 'theirs-1', '-n', NS] },
  { who: 'compiler', does: 'changes a Service', args: ['label', 'service', 'theirs', '-n', NS, 'a=b'] },
  { who: 'compiler', does: 'deletes a Service', args: ['delete', 'service', 'theirs', '-n', NS] },
  { who: 'compiler', does: 'makes a Service of other pods', object: service('derived-x', { selector: { app: 'a' } }) },
  {
    who: 'compiler',
    does: 'takes an address for itself',
    object: service('derived-x', { externalIPs: ['192.0.2.1'] }),
  },
  { who: 'compiler', does: 'adds an endpoint to a Service', object: slice('derived-x', of('theirs')) },
  { who: 'compiler', does: 'adds an endpoint to nothing', object: slice('derived-x', {}) },
  {
    who: 'compiler',
    does: 'gives a pod another image',
    args: patch('pod', 'app', { spec: { containers: [{ name: 'app', image: 'evil' }] } }),
  },
  {
    who: 'compiler',
    does: 'gives a pod another label',
    args: ['label', 'pod', 'app', '-n', NS, 'app=b', '--overwrite'],
  },
  {
    who: 'compiler',
    does: 'gives a pod another annotation',
    args: ['annotate', 'pod', 'app', '-n', NS, 'mine=y', '--overwrite'],
  },
]

const allowed: readonly Try[] = [
  { who: 'identity', does: 'writes certificates', object: secret('portolan-identity', 'Opaque', NS) },
  { who: 'webhook', does: 'writes its certificate', object: secret('portolan-webhook-tls', 'Opaque') },
  { who: 'federation', does: 'writes what it remembers', object: secret(memoryName('x'), 'Opaque') },
  { who: 'hub', does: 'copies endpoints', object: slice('copy-2', {}) },
  { who: 'hub', does: 'deletes copies', args: ['delete', 'endpointslice', 'copy', '-n', NS] },
  { who: 'compiler', does: 'makes a Service that stands in for an import', object: service(derivedName('shop/web')) },
  { who: 'compiler', does: 'gives it endpoints', object: slice('derived-x', of('derived-x')) },
  { who: 'compiler', does: 'takes them away', args: ['delete', 'endpointslice', 'derived-ours', '-n', NS] },
  {
    who: 'compiler',
    does: 'touches a pod',
    args: ['annotate', 'pod', 'app', '-n', NS, `${ROUTES_VERSION_ANNOTATION}=7`],
  },
]

describe('an account of Portolan that somebody has taken over', () => {
  test.concurrent.each(refused)('$who: cannot be one that $does', async ({ who, args = ['create'], object }) => {
    const { code, stderr } = await as(`portolan-${who}`, args, object)
    expect(stderr).toContain(`denied request: portolan-${who} `)
    expect(code).not.toBe(0)
  })

  test.concurrent.each(allowed)('$who: $does as ever', async ({ who, args = ['create'], object }) => {
    expect(await as(`portolan-${who}`, args, object)).toMatchObject({ code: 0 })
  })

  test.concurrent.each(refused)('nobody else is held back: $does', async ({ args = ['create'], object }) => {
    expect(await as('other', args, object)).toMatchObject({ code: 0 })
  })
})
