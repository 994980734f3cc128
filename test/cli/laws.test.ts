import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { portolan } from './session.ts'

const COMMANDS = [['validate'], ['compile'], ['inject'], ['where', 'shop', 'api.shop:80']] as const
const NAMES = [
  'apiVersion',
  'kind',
  'metadata',
  'name',
  'namespace',
  'labels',
  'spec',
  'ports',
  'port',
  'template',
  'items',
]
const KINDS = [
  'Service',
  'EndpointSlice',
  'Namespace',
  'GlobalTrafficPolicy',
  'ServiceImport',
  'ServiceExport',
  'MeshConfig',
  'Pod',
  'Deployment',
  'CronJob',
  'List',
]

async function allAnswer(text: string): Promise<void> {
  for (const command of COMMANDS) {
    const { code } = await portolan([...command, '-f', '-'], { stdin: text })
    expect([0, 1]).toContain(code)
  }
}

test('any text has an answer', async () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('---', '- a', 'a: b', 'a: &x [*x]', '{', '<<: *y', '? [a]: b', '%TAG', '\t'),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), (lines) => allAnswer(lines.join('\n'))),
    { numRuns: 150 },
  )
})

test('any shape of an object has an answer', async () => {
  const anything = fc.object({ key: fc.constantFrom(...NAMES), maxDepth: 3, maxKeys: 4, withNullPrototype: false })
  const object = fc.record({
    apiVersion: fc.constantFrom(
      'v1',
      'flomesh.io/v1alpha1',
      'config.flomesh.io/v1alpha1',
      'apps/v1',
      'discovery.k8s.io/v1',
    ),
    kind: fc.constantFrom(...KINDS),
    metadata: fc.oneof(fc.constant({ name: 'api', namespace: 'shop' }), anything),
    spec: fc.oneof(anything, fc.constantFrom(null, 0, 'text')),
    endpoints: fc.option(fc.anything({ maxDepth: 2 }), { nil: undefined }),
    ports: fc.option(fc.anything({ maxDepth: 2 }), { nil: undefined }),
    items: fc.option(fc.array(anything, { maxLength: 3 }), { nil: undefined }),
  })
  const text = (value: unknown) => stringify(JSON.parse(JSON.stringify(value)))
  await fc.assert(
    fc.asyncProperty(object, (value) => allAnswer(text(value))),
    { numRuns: 400 },
  )
})

test('the order of files changes no byte of a table', async () => {
  const files = ['00-namespaces', 'imports', 'policies', 'services'].map((name) => `examples/west/${name}.yaml`)
  const compile = async (order: readonly string[]) =>
    (await portolan(['compile', ...order.flatMap((file) => ['-f', file]), '-o', 'json'])).out
  const expected = await compile(files)
  const orders = fc.shuffledSubarray(files, { minLength: files.length })
  await fc.assert(
    fc.asyncProperty(orders, async (order) => {
      expect(await compile(order)).toBe(expected)
    }),
    { numRuns: 10 },
  )
})
