/** The definitions of the standard's kinds that the chart brings take what the standard's own take, asked of a real API server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ApiServer, startApiServer } from '../kube/apiserver.ts'
import { CRDS } from '../kube/crds.ts'

let api: ApiServer

beforeAll(async () => {
  api = await startApiServer()
  await kubectl(['apply', ...CRDS])
  await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=120s'])
})
afterAll(() => api?.stop())

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await api.kubectl(args, input)
  if (code !== 0) throw new Error(stderr)
  return stdout
}

const condition = (more: object) => ({
  type: 'Conflict',
  status: 'True',
  reason: 'PortConflict,TypeConflict',
  message: '',
  lastTransitionTime: '2026-01-02T03:04:05Z',
  ...more,
})
const exported = (fields: object) => ({ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', ...fields })
const imported = (spec: object) => ({ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', spec })
const property = (fields: object) => ({ apiVersion: 'about.k8s.io/v1beta1', kind: 'ClusterProperty', ...fields })
const port = { port: 80 }

/** As the Go types of sigs.k8s.io/mcs-api v0.5.2 and its definitions allow them: bounds are few, and most fields any text. */
const TAKEN: readonly (readonly [what: string, object: object])[] = [
  ['an export without anything', exported({})],
  ['an export with an empty spec', exported({ spec: {} })],
  [
    'an export with labels and annotations that no Kubernetes object could have',
    exported({
      spec: { exportedLabels: { 'not a label': 'x y', '': '' }, exportedAnnotations: { a: 'b'.repeat(9999) } },
    }),
  ],
  ['an import without a spec', { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport' }],
  ['an import without ports', imported({ type: 'Headless', ports: [] })],
  [
    'an import with every field',
    imported({
      type: 'ClusterSetIP',
      ports: [
        { name: 'web', port: 80, protocol: 'TCP', appProtocol: 'kubernetes.io/h2c' },
        { name: 'web', port: 80, protocol: 'QUIC' },
        { port: 0 },
      ],
      ips: ['10.0.0.1', 'fd00::1'],
      ipFamilies: ['IPv4', 'IPv6'],
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10 } },
      internalTrafficPolicy: 'Local',
      trafficDistribution: 'PreferClose',
    }),
  ],
  ['a property', property({ spec: { value: 'east' } })],
  ['a property without a spec', property({})],
]

const REFUSED: readonly (readonly [what: string, object: object, why: RegExp])[] = [
  ['labels that are no text', exported({ spec: { exportedLabels: { tier: 1 } } }), /exportedLabels.tier/],
  ['a type that is none', imported({ type: 'LoadBalancer', ports: [port] }), /spec.type: Unsupported value/],
  ['no type and no ports', imported({}), /spec.type: Required value.*spec.ports: Required|spec.ports: Required/s],
  [
    'a port without a number',
    imported({ type: 'Headless', ports: [{ name: 'web' }] }),
    /spec.ports\[0\].port: Required/,
  ],
  ['three addresses', imported({ type: 'ClusterSetIP', ports: [], ips: ['a', 'b', 'c'] }), /must have at most 2 items/],
  ['a property without a value', property({ spec: { value: '' } }), /spec.value/],
]

const STATUSES: readonly (readonly [kind: 'svcex' | 'svcim', status: object, refused?: RegExp])[] = [
  ['svcex', {}],
  [
    'svcex',
    { conditions: [condition({}), condition({ type: 'example.com/Any', status: 'Unknown', observedGeneration: 0 })] },
  ],
  ['svcex', { conditions: [condition({}), condition({})] }, /Duplicate value/],
  ['svcex', { conditions: [condition({ reason: 'no conflict' })] }, /status.conditions\[0\].reason/],
  ['svcex', { conditions: [condition({ status: 'true' })] }, /status.conditions\[0\].status/],
  [
    'svcim',
    {
      clusters: [{ cluster: 'east' }, { cluster: 'west' }],
      conditions: [condition({ type: 'Ready', reason: 'Ready' })],
      endpointSliceObjects: 'Present',
    },
  ],
  ['svcim', { clusters: [{ cluster: 'east' }, { cluster: 'east' }] }, /Duplicate value/],
]

const place = (object: object, version?: string) => {
  const { apiVersion } = object as { apiVersion: string }
  return JSON.stringify({
    ...object,
    apiVersion: version === undefined ? apiVersion : `${apiVersion.split('/')[0]}/${version}`,
    metadata: { name: 'web', namespace: 'default' },
  })
}
const CREATE = ['create', '--dry-run=server', '--validate=strict', '-o', 'json', '-f', '-']

describe.for(['v1beta1', 'v1alpha1'])('as %s', (version) => {
  test.for(TAKEN)('%s is taken, and nothing of it is dropped', async ([, object]) => {
    const stored = JSON.parse(await kubectl(CREATE, place(object, version)))
    expect(stored).toMatchObject({ ...object, apiVersion: expect.stringContaining(version) })
  })

  test.for(REFUSED)('%s is refused', async ([, object, why]) => {
    await expect(kubectl(CREATE, place(object, version))).rejects.toThrow(why)
  })
})

describe('what became of it', () => {
  beforeAll(async () => {
    await kubectl(
      ['create', '-f', '-'],
      `${place(exported({}))}\n---\n${place(imported({ type: 'Headless', ports: [] }))}`,
    )
  })
  afterAll(() => kubectl(['delete', 'svcex,svcim', '--all']))

  test.for(STATUSES)('%s: %j', async ([kind, status, refused]) => {
    const args = [
      '--subresource=status',
      '--type=merge',
      '--dry-run=server',
      '-o',
      'json',
      '-p',
      JSON.stringify({ status }),
    ]
    const said = kubectl(['patch', kind, 'web', ...args])
    if (refused === undefined)
      expect(JSON.parse(await said)).toMatchObject(Object.keys(status).length === 0 ? {} : { status })
    else await expect(said).rejects.toThrow(refused)
  })
})

test('what is written in one version is read in the other, and its status is written apart', async () => {
  await kubectl(['create', '-f', '-'], place(exported({ spec: { exportedLabels: { tier: 'front' } } }), 'v1alpha1'))
  const status = { status: { conditions: [condition({})] } }
  await kubectl(['patch', 'svcex', 'web', '--subresource=status', '--type=merge', '-p', JSON.stringify(status)])
  const read = JSON.parse(await kubectl(['get', 'serviceexports.v1beta1.multicluster.x-k8s.io', 'web', '-o', 'json']))
  expect(read).toMatchObject({ spec: { exportedLabels: { tier: 'front' } }, ...status })
  const { status: definition } = JSON.parse(
    await kubectl(['get', 'crd', 'serviceexports.multicluster.x-k8s.io', '-o', 'json']),
  )
  expect(definition.storedVersions).toEqual(['v1beta1'])
})

test('kubectl has the short names and columns of the standard, and takes plain names for ours', async () => {
  await kubectl(['create', '-f', '-'], place(imported({ type: 'ClusterSetIP', ports: [port], ips: ['10.0.0.1'] })))
  await kubectl(['create', '-f', '-'], place(property({ spec: { value: 'east' } })))
  const shown = async (what: string) => (await kubectl(['get', what])).replaceAll(/ +\d+m?s$/gm, ' AGE')
  expect(await shown('svcexport')).toMatch(/^NAME +AGE\nweb +AGE\n$/)
  for (const name of ['svcim', 'svcimport'])
    expect(await shown(name)).toMatch(/^NAME +TYPE +IP +AGE\nweb +ClusterSetIP +\["10.0.0.1"\] AGE\n$/)
  expect(await shown('clusterproperties')).toMatch(/^NAME +VALUE +AGE\nweb +east AGE\n$/)
  expect((await api.kubectl(['get', 'serviceexports,serviceimports'])).stderr).toMatch(/No resources found/)
})
