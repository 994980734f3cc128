import { expect, test } from 'vitest'
import { clusterIdentity } from '../../api/cluster-identity.ts'
import { formatProblem } from '../../api/diagnostics.ts'

const OWN = 'default/default/default/west'
const told = (data?: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { namespace: 'portolan-system', name: 'portolan-cluster' },
  ...(data === undefined ? {} : { data }),
})

test.each([
  ['no hub says anything', undefined, OWN],
  ['the hub says who it is', told({ clusterKey: 'eu/eu-1/shop/north' }), 'eu/eu-1/shop/north'],
  ['other keys play no part', told({ clusterKey: 'a/b/c/d', more: 'x' }), 'a/b/c/d'],
])('%s', (_, object, clusterKey) => {
  expect(clusterIdentity(object, OWN)).toEqual({ clusterKey, joined: object !== undefined, globalServices: false })
})

test.each([
  ['nobody', undefined, { joined: false, hub: undefined }],
  ['a hub', told({ clusterKey: OWN, hub: 'f00' }), { joined: true, hub: 'f00' }],
  ['one that does not name itself', told({ clusterKey: OWN }), { joined: true, hub: undefined }],
  ['one that names no cluster', told({ hub: 'f00' }), { joined: false, hub: undefined }],
])('whose member it is: of %s', (_, object, { joined, hub }) => {
  const identity = clusterIdentity(object, OWN)
  expect([identity.joined, identity.hub]).toEqual([joined, hub])
})

test.each([
  ['west.portolan.local', 'west.portolan.local'],
  ['West', undefined],
  ['', undefined],
])('its trust domain is the hub’s word, when it can be one: %s', (trustDomain, taken) => {
  expect(clusterIdentity(told({ clusterKey: OWN, trustDomain }), 'a/b/c/d').trustDomain).toBe(taken)
})

test.each([
  ['true', true],
  ['false', false],
  ['yes', false],
])('Services are shared by annotation only when the hub says so: %s', (globalServices, taken) => {
  expect(clusterIdentity(told({ clusterKey: OWN, globalServices }), OWN).globalServices).toBe(taken)
})

test.each([
  ['no data', told(), ''],
  ['no such key', told({ key: 'a/b/c/d' }), ''],
  ['three parts', told({ clusterKey: 'a/b/c' }), 'a/b/c'],
  ['a newline at its end', told({ clusterKey: 'a/b/c/d\n' }), 'a/b/c/d\n'],
  ['a name that no Cluster can have', told({ clusterKey: 'a/b/c/D' }), 'a/b/c/D'],
  ['too long', told({ clusterKey: `a/b/c/${'d'.repeat(250)}` }), `a/b/c/${'d'.repeat(250)}`],
])('malformed, so that its own counts: %s', (_, object, value) => {
  const { clusterKey, issue } = clusterIdentity(object, OWN)
  expect(clusterKey).toBe(OWN)
  expect(issue).toMatchObject({ code: 'ClusterIdentityMalformed', path: 'data.clusterKey', value })
  expect(issue && formatProblem(issue)).toContain(OWN)
})
