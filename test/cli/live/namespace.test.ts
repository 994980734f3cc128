/** `portolan namespace`, against a real API server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kubectl, SYSTEM } from '../../kube/compiler.ts'
import { namespace, pod } from '../../kube/objects.ts'
import { type Installed, installed } from './installed.ts'

let west: Installed

const bare = (name: string, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, ...metadata },
})

beforeAll(async () => {
  west = await installed()
  const onNode = pod('shop', 'agent', false)
  const excused = pod('shop', 'cron', false)
  await west.look.apply(
    bare('shop'),
    bare('orders'),
    bare('tight', { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } }),
    bare('foreign', { labels: { 'openservicemesh.io/monitored-by': 'osm' } }),
    bare('older', {
      labels: { 'openservicemesh.io/monitored-by': 'portolan' },
      annotations: { 'openservicemesh.io/sidecar-injection': 'enabled' },
    }),
    namespace('mesh'),
    pod('shop', 'web-1', false),
    pod('shop', 'web-2', false),
    { ...onNode, spec: { ...onNode.spec, hostNetwork: true } },
    { ...excused, metadata: { ...excused.metadata, annotations: { 'flomesh.io/sidecar-injection': 'disabled' } } },
    pod('mesh', 'caller', true),
    pod('mesh', 'early', false),
  )
})
afterAll(() => west?.api.stop())

const run = async (line: string) => {
  const { code, out, err } = await west.portolan(`namespace ${line}`)
  return `exit code ${code}\n${err}${out}`
}
const meta = async (name: string) => {
  const { labels = {}, annotations = {} } = JSON.parse(
    await kubectl(west.api, ['get', 'namespace', name, '-o', 'json']),
  ).metadata
  const { 'kubernetes.io/metadata.name': _, ...rest } = labels
  const { 'kubectl.kubernetes.io/last-applied-configuration': __, ...others } = annotations
  return { labels: rest, annotations: others }
}

// One after another, on the same namespaces.
describe('namespaces', () => {
  test('are listed with their pods', async () => {
    expect(await run('list')).toMatchInlineSnapshot(`
      "exit code 0
      NAMESPACE  INJECTION  WITH SIDECAR  WITHOUT  PODS WITHOUT
      mesh       enabled    1             1        early
      older      enabled    0             0        -
      "
    `)
    const { out } = await west.portolan('namespace list -o json')
    expect(JSON.parse(out).map((each: { namespace: string }) => each.namespace)).toEqual(['mesh', 'older'])
  })

  test('join, several at once, and pods that need a restart are named', async () => {
    expect(await run('add shop orders')).toMatchInlineSnapshot(`
      "exit code 0
      shop is now part of mesh portolan. 2 pods there run without a sidecar until made anew: web-1, web-2
        kubectl -n shop rollout restart deployment,statefulset,daemonset
      orders is now part of mesh portolan.
      "
    `)
    expect(await meta('shop')).toEqual({
      labels: { 'flomesh.io/monitored-by': 'portolan' },
      annotations: { 'flomesh.io/sidecar-injection': 'enabled' },
    })
  })

  test('that are in already stay in, and the older spelling gives way', async () => {
    expect(await run('add orders older')).toMatchInlineSnapshot(`
      "exit code 0
      orders was already part of mesh portolan.
      older is now part of mesh portolan.
      "
    `)
    expect(await meta('older')).toEqual(await meta('shop'))
  })

  test('that enforce a Pod Security level are told what it refuses, unless nothing is captured there', async () => {
    expect(await run('add tight')).toContain(
      'namespace tight enforces the Pod Security level "restricted", which refuses the capability NET_ADMIN',
    )
    await kubectl(west.api, ['annotate', 'namespace', 'tight', 'flomesh.io/interception=explicit'])
    expect(await run('add tight')).toBe('exit code 0\ntight was already part of mesh portolan.\n')
    await run('remove tight')
  })

  test('leave, whichever spelling made them members', async () => {
    expect(await run('remove mesh orders')).toMatchInlineSnapshot(`
      "exit code 0
      mesh has left mesh portolan. 1 pod there runs with a sidecar until made anew: caller
        kubectl -n mesh rollout restart deployment,statefulset,daemonset
      orders has left mesh portolan.
      "
    `)
    expect(await meta('orders')).toEqual({ labels: {}, annotations: {} })
    expect(await run('list')).toMatchInlineSnapshot(`
      "exit code 0
      NAMESPACE  INJECTION  WITH SIDECAR  WITHOUT  PODS WITHOUT
      mesh       has left   1             1        early
      older      enabled    0             0        -
      shop       enabled    0             4        agent, cron, web-1, web-2
      "
    `)
  })

  test('that were not in are left alone', async () => {
    const before = await kubectl(west.api, ['get', 'namespace', 'default', '-o', 'yaml'])
    expect(await run('remove default -o yaml')).toMatchInlineSnapshot(`
      "exit code 0
      - namespace: default
        member: false
        injection: unset
        withSidecar: []
        withoutSidecar: []
        exempt: []
        changed: false
        restart: []
        warnings: []
      "
    `)
    expect(await kubectl(west.api, ['get', 'namespace', 'default', '-o', 'yaml'])).toBe(before)
  })
})

describe('refused, before anything is changed', () => {
  test('a namespace that is not there, of another mesh, or of the system: all at once', async () => {
    expect(await run(`add default shpo foreign ${SYSTEM} kube-system`)).toMatchInlineSnapshot(`
      "exit code 2
      error: test: there is no namespace shpo (did you mean shop?). namespace foreign belongs to mesh osm; take it out there first: kubectl label namespace foreign openservicemesh.io/monitored-by-. namespace portolan-system cannot join: no pod of the system's own gets a sidecar; move what calls into another namespace. namespace kube-system cannot join: no pod of the system's own gets a sidecar; move what calls into another namespace
      "
    `)
    expect(await meta('default')).toEqual({ labels: {}, annotations: {} })
  })
  test('to be taken out of somebody else’s mesh', async () => {
    expect(await run('remove foreign')).toMatchInlineSnapshot(`
      "exit code 2
      error: test: namespace foreign belongs to mesh osm, not to portolan; take it out there
      "
    `)
  })
  test('no name at all', async () => {
    expect((await west.portolan('namespace add')).code).toBe(2)
  })
  test('where Portolan is not installed', async () => {
    const { code, err } = await west.portolan('namespace list --portolan-namespace elsewhere')
    expect({ code, err }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "err": "error: test: Portolan is not installed in namespace elsewhere; it is in namespace portolan-system: add --portolan-namespace portolan-system
      ",
      }
    `)
  })
  test('a context that the kubeconfig has not', async () => {
    const { code, err } = await west.portolan('namespace add default --context nope')
    expect({ code, err }).toMatchInlineSnapshot(`
      {
        "code": 2,
        "err": "error: the kubeconfig has no context nope; name one of its contexts: test
      ",
      }
    `)
  })
})
