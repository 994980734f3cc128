import fc from 'fast-check'
import jsonpatch from 'fast-json-patch'
import { expect, test } from 'vitest'
import { answer, type Door, type Sources } from '../../webhook/answer.ts'
import { cases, MESH } from './cases.ts'
import { review } from './running.ts'

const namespace = cases.find(({ name }) => name === 'plain')?.request.namespace
const sources: Sources = { mesh: () => MESH, namespace: async () => namespace, world: () => ({}) }

const aboutPod = (name: string) => {
  const request = cases.find((one) => one.name === name)?.request
  return review({ namespace: 'shop', object: request?.pod })
}

const about = (kind: string, spec: object, group = 'flomesh.io') =>
  review({
    kind: { group, version: 'v1alpha1', kind },
    namespace: 'shop',
    object: { apiVersion: `${group}/v1alpha1`, kind, metadata: { name: 'cart', namespace: 'shop' }, spec },
  })

/** Good questions of every kind, with as many fields as there are. */
const QUESTIONS: readonly (readonly [Door, string, object])[] = [
  ['inject', 'Pod', aboutPod('from-a-replica-set')],
  ['inject', 'Pod with DNS', aboutPod('own-dns-config')],
  [
    'mutate',
    'ServiceExport',
    about('ServiceExport', {
      serviceAccountName: '*',
      rules: [{ portNumber: 80, path: '/cart', pathType: 'Prefix' }],
      pathRewrite: { from: '^/cart', to: '/' },
      targetClusters: ['a/b/c/d'],
    }),
  ],
  [
    'validate',
    'GlobalTrafficPolicy',
    about('GlobalTrafficPolicy', { lbType: 'FailOver', targets: [{ clusterKey: 'a/b/c/d', weight: 1, priority: 1 }] }),
  ],
  [
    'mutate',
    'Cluster',
    about('Cluster', {
      gatewayHost: '192.0.2.1',
      gatewayPort: 80,
      kubeconfig: 'a: b',
      kubeconfigSecretRef: { name: 'k' },
    }),
  ],
  [
    'validate',
    'ServiceImport',
    about('ServiceImport', {
      ips: ['240.240.0.1'],
      ports: [
        { name: 'http', port: 80, endpoints: [{ clusterKey: 'a/b/c/d', target: { host: 'h', port: 80, path: '/p' } }] },
      ],
    }),
  ],
  [
    'mutate',
    'MeshConfig',
    about(
      'MeshConfig',
      {
        sidecar: { logLevel: 'info', resources: { requests: { cpu: '10m' }, limits: { cpu: '1' } } },
        traffic: { outboundIPRangeExclusionList: ['192.0.2.0/24'], outboundPortExclusionList: [1] },
      },
      'config.flomesh.io',
    ),
  ],
]

/** Every JSON pointer in a value but the first. */
const pointers = (value: unknown, at = ''): string[] =>
  typeof value !== 'object' || value === null
    ? [at]
    : [
        ...(at === '' ? [] : [at]),
        ...Object.entries(value).flatMap(([key, child]) => pointers(child, `${at}/${escaped(key)}`)),
      ]

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

/** Anything that JSON can say, and what has tripped programs before: names of Object's own, an alias without its anchor. */
const value = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    '',
    'toString',
    '__proto__',
    [null],
    [[]],
    { toString: {} },
    { length: -1 },
    1e308,
    -0,
    '*a',
    '&a [*a]',
  ),
)

test.each(QUESTIONS)('/%s about a %s with anything in place of one part is answered', async (door, _kind, good) => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...pointers(good)), value, async (path, odd) => {
      const body = structuredClone(good)
      jsonpatch.applyOperation(body, { op: 'replace', path, value: odd })
      const result = await answer(door, JSON.parse(JSON.stringify(body)), sources)
      expect([200, 400]).toContain(result.status)
      JSON.stringify(result)
    }),
    { numRuns: 400 },
  )
})
