/** The data of the Dapr walkthrough against what was published and against each other. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { MeshConfigSpecSchema } from '../../../api/mesh-config.ts'
import { DAPR } from '../../lab/dapr.ts'
import { IMAGE } from '../../lab/images.ts'
import { PASSWORD } from './install.ts'

const read = (...path: readonly string[]) => readFileSync(join(import.meta.dirname, ...path), 'utf8')
const objects = (text: string) => parseAllDocuments(text).map((document) => document.toJS())

test.each([
  ['export.yaml', '003-export-nodeapp.yaml'],
  ['policy.yaml', '003-policy-nodeapp.yaml'],
])('%s is the published %s', (name, published) => {
  expect(objects(read('printed', name))).toEqual(objects(read('../../golden/seeds', published)))
})

test('the app and the client ask for Dapr, and the app for a variable that the walkthrough fills in', () => {
  const deployments = ['nodeapp.yaml', 'curl.yaml']
    .flatMap((name) => objects(read('printed', name)))
    .filter(({ kind }) => kind === 'Deployment')
  expect(deployments.map(({ spec }) => spec.template.metadata.annotations['dapr.io/app-id'])).toEqual([
    'nodeapp',
    'curl',
  ])
  const variables = [...read('printed/nodeapp.yaml').matchAll(/\$\{(\w+)\}/g)].map(([, name]) => name)
  expect(variables).toEqual(['CLUSTER_NAME'])
})

test('the state store names the published address, which the walkthrough replaces, and the secret it makes', () => {
  const [{ spec, auth }] = objects(read('printed/component.yaml'))
  expect(spec.metadata).toEqual([
    { name: 'redisHost', value: '10.0.0.13:6379' },
    { name: 'redisPassword', secretKeyRef: { name: 'redis', key: 'redis-password' } },
  ])
  expect(auth).toEqual({ secretStore: 'kubernetes' })
  expect(PASSWORD).toBe('changeme')
})

test.each(['api-server.json', 'ports.json'])('the patch %s sets what a MeshConfig has', (name) => {
  const { spec } = JSON.parse(read('printed', name))
  const known = JSON.stringify(MeshConfigSpecSchema.properties.traffic)
  for (const field of Object.keys(spec.traffic)) expect(known).toContain(`"${field}"`)
})

test("Dapr's chart is given the lab's image for every part", () => {
  const values = parse(read('dapr.yaml'))
  const names = JSON.stringify(values).match(/docker\.io[^"]*/g)
  expect(new Set(names)).toEqual(new Set([IMAGE.dapr]))
  expect(names).toHaveLength(5)
  expect(read('../../lab/go-dapr/go.mod')).toContain(`github.com/dapr/dapr v${DAPR}\n`)
})
