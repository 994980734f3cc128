/** The manifests of the walkthrough against what was published. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'

const read = (...path: readonly string[]) => readFileSync(join(import.meta.dirname, ...path), 'utf8')
const objects = (text: string) => parseAllDocuments(text).map((document) => document.toJS())
const filled = (name: string, values: Readonly<Record<string, string>>) =>
  objects(read('printed', name).replaceAll(/\$\{(\w+)\}/g, (_, variable: string) => values[variable] ?? ''))

test.each([
  ['export.yaml', '000-exports-cluster-1.yaml', { NAMESPACE_MESH: 'httpbin', CLUSTER_NAME: 'cluster-1' }],
  ['export.yaml', '000-exports-cluster-3.yaml', { NAMESPACE_MESH: 'httpbin', CLUSTER_NAME: 'cluster-3' }],
  ['failover.yaml', '000-policy-failover.yaml', {}],
  ['activeactive.yaml', '000-policy-activeactive.yaml', {}],
])('%s is %s with %j filled in', (name, published, values) => {
  expect(filled(name, values)).toEqual(objects(read('../golden/seeds', published)))
})

test('cluster.yaml is the published Cluster without its kubeconfig, which the session appends', () => {
  const [{ spec, ...rest }] = objects(read('../golden/seeds/000-cluster-1.yaml'))
  const [cluster] = filled('cluster.yaml', { CLUSTER_NAME: 'cluster-1', HOST_IP: '192.168.1.110', PORT: '81' })
  expect({ ...cluster, spec: { ...cluster.spec, kubeconfig: spec.kubeconfig } }).toEqual({ ...rest, spec })
})

test('the app says where it runs, and in two clusters that it is controlled by the mesh', () => {
  const says = (name: string) => {
    const [deployment] = filled(name, { CLUSTER_NAME: 'cluster-2' })
    return deployment.spec.template.spec.containers[0].command[2]
  }
  expect(says('httpbin.yaml')).toContain("new Message('Hi, I am from cluster-2!\\n')")
  expect(says('httpbin-mesh.yaml')).toContain("new Message('Hi, I am from cluster-2 and controlled by mesh!\\n')")
})
