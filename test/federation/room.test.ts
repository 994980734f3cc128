/** What becomes of exports that an import has no room for: the youngest wait until there is some. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Cluster } from '../../api/cluster.ts'
import { API_VERSION } from '../../api/names.ts'
import type { Member } from '../../federation/constituent.ts'
import { merge } from '../../federation/merge.ts'
import { ROOM } from '../../federation/room.ts'
import * as build from '../compiler/build.ts'
import type { ApiServer } from '../kube/apiserver.ts'
import { kubectl, startInstalled } from '../kube/compiler.ts'

interface Shape {
  readonly clusters: number
  readonly ports: readonly number[]
  /** Letters that make names and paths long. */
  readonly filler?: string
}

const nameOf = (index: number, filler = '') => `c${String(index).padStart(4, '0')}${filler}`

/** Clusters that export the same service, each a second after the one before. */
const clusterset = ({ clusters, ports, filler = '' }: Shape) => {
  const indices = Array.from({ length: clusters }, (_, i) => i)
  const registered = indices.map(
    (i): Cluster => ({
      apiVersion: API_VERSION,
      kind: 'Cluster',
      metadata: { name: nameOf(i, filler) },
      spec: {
        region: 'default',
        zone: 'default',
        group: 'default',
        gatewayHost: `10.9.${i >> 8}.${i & 255}`,
        gatewayPort: 80,
        kubeconfig: 'x',
      },
    }),
  )
  const members = indices.map((i): Member => {
    const at = new Date(Date.UTC(2026, 0, 1, 0, 0, i)).toISOString().replace('.000Z', 'Z')
    const rules = ports.map((portNumber) => ({ portNumber, path: `/p${filler}/${portNumber}` }))
    return {
      cluster: nameOf(i, filler),
      services: [build.service('shop/pay', { ports: ports.map((port) => ({ name: `p${port}`, port })) })],
      exports: [build.serviceExport('shop/pay', { rules }, { creationTimestamp: at })],
    }
  })
  return { members, clusters: registered }
}

const merged = ({ members, clusters }: ReturnType<typeof clusterset>) => merge(members, clusters)
const numbers = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)
const endpointsOf = (federation: ReturnType<typeof merge>, member: number) =>
  federation.members[member]?.imports[0]?.spec.ports[0]?.endpoints ?? []
const full = ({ exports }: ReturnType<typeof merge>) =>
  exports.filter(({ issues }) => issues.some(({ code }) => code === 'ImportFull')).map(({ cluster }) => cluster)

describe('clusters of a port', () => {
  const set = clusterset({ clusters: ROOM.endpoints + 3, ports: [80] })
  const youngest = [0, 1, 2].map((i) => nameOf(ROOM.endpoints + i))

  test('the youngest are left out for all, and are told so; they import the others', () => {
    const federation = merged(set)
    expect(full(federation)).toEqual(youngest)
    expect(endpointsOf(federation, 0).length).toBe(ROOM.endpoints - 1)
    expect(endpointsOf(federation, ROOM.endpoints + 2).length).toBe(ROOM.endpoints)
    const last = federation.exports.at(-1)
    expect(last?.importers).toEqual([])
    expect(last?.issues.find(({ code }) => code === 'ImportFull')?.params).toEqual({
      ports: '80',
      room: '64 ports, 256 clusters a port, 900 kB',
    })
    // They agree with the others all the same.
    expect(
      federation.exports.flatMap(({ status }) => status.conditions).filter(({ reason }) => /Conflict$/.test(reason)),
    ).toEqual([])
  })

  test('one that goes makes room for the oldest of them', () => {
    const [, ...members] = set.members
    expect(full(merge(members, set.clusters))).toEqual(youngest.slice(1))
  })

  test('none is left out while there is room', () => {
    expect(full(merged(clusterset({ clusters: ROOM.endpoints, ports: [80] })))).toEqual([])
  })
})

test('ports: those of older exports stay, what is too much of a younger one is left out', () => {
  const { members, clusters } = clusterset({ clusters: 2, ports: numbers(1_000, 60) })
  const [first, second] = members
  const younger = clusterset({ clusters: 2, ports: numbers(1_050, 20) }).members[1]
  if (!first || !second || !younger) expect.unreachable()
  const federation = merge([first, younger], clusters)
  const west = federation.members[0]?.imports[0]?.spec.ports.map(({ port }) => port)
  // Of its own: 1050 to 1059 with the older one, 1060 to 1063 as long as there is room.
  expect(west).toEqual(numbers(1_050, 14))
  expect(
    federation.exports.map(({ issues }) => issues.find(({ code }) => code === 'ImportFull')?.params?.['ports']),
  ).toEqual([undefined, numbers(1_064, 6).join(', ')])
  expect(full(merge([first, second], clusters))).toEqual([])
})

describe('on an API server', () => {
  let api: ApiServer
  beforeAll(async () => {
    api = await startInstalled()
    await kubectl(api, ['create', 'namespace', 'shop'])
  })
  afterAll(() => api?.stop())

  const write = async (federation: ReturnType<typeof merge>) => {
    const [imported] = federation.members.at(-1)?.imports ?? []
    const text = JSON.stringify(imported)
    await kubectl(api, ['apply', '--server-side', '--force-conflicts', '-f', '-'], text)
    return text.length
  }

  test('it takes the import with the most clusters, and one with the most ports', async () => {
    await write(merged(clusterset({ clusters: ROOM.endpoints + 3, ports: [80] })))
    await write(merged(clusterset({ clusters: 2, ports: numbers(1_000, ROOM.ports) })))
  })

  test('it takes the largest, of which bytes are the limit', async () => {
    const federation = merged(clusterset({ clusters: 40, ports: numbers(1_000, 64), filler: 'x'.repeat(200) }))
    expect(full(federation).length).toBeGreaterThan(0)
    expect(await write(federation)).toBeGreaterThan(ROOM.bytes / 2)
  })

  test.each([
    ['cluster', ROOM.endpoints + 1, 1, 'spec.ports[0].endpoints: Too many'],
    ['port', 1, ROOM.ports + 1, 'spec.ports: Too many'],
  ])('it takes no %s more', async (_, clusters, ports, said) => {
    const endpoints = Array.from({ length: clusters }, (_, i) => ({
      clusterKey: build.clusterKey(nameOf(i)),
      target: { host: `10.9.${i >> 8}.${i & 255}`, port: 80, path: '/x' },
    }))
    const spec = { ports: numbers(1_000, ports).map((port) => ({ port, name: `p${port}`, endpoints })) }
    const object = {
      apiVersion: API_VERSION,
      kind: 'ServiceImport',
      metadata: { namespace: 'shop', name: 'much' },
      spec,
    }
    const { stderr } = await api.kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify(object))
    expect(stderr).toContain(said)
  })
})
