/** What the real CoreDNS answers, with the chart's configuration: from mesh DNS, and from the cluster's own by way of it. */

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withForwarding } from '../../cli/corefile.ts'
import { compile } from '../../compiler/compile.ts'
import { dnsFiles } from '../../compiler/files.ts'
import type { Snapshot } from '../../compiler/snapshot.ts'
import * as build from '../compiler/build.ts'
import { Mount } from '../envoy/proxy.ts'
import { freePort } from '../lab/ports.ts'
import { until } from '../lab/run.ts'
import { derived, headless, slice, standard } from './build.ts'
import { ask, askForAll, lifeOf, type MeshDns, type RunningDns, startCoreDns, startMeshDns } from './coredns.ts'

const EGRESS = { ...build.mesh, egressNamespace: 'portolan-system' }
/** As the conformance suite has it. */
const HELLO = [
  { name: 'tcp', port: 42 },
  { name: 'udp', port: 42, protocol: 'UDP' },
] as const

const PARTS = {
  mesh: EGRESS,
  imports: [
    standard('shop/web', [...HELLO, { name: 'http', port: 80 }]),
    standard('shop/hello', HELLO),
    standard('shop/dual'),
    standard('shop/soon'),
    build.serviceImport('shop/ours', [{ cluster: 'east' }]),
    headless('shop/db'),
    headless('shop/nobody'),
  ],
  services: [
    derived('shop/web', '10.43.0.20'),
    derived('shop/hello', '10.43.0.21'),
    derived('shop/dual', '10.43.0.22', 'fd00:43::22'),
    derived('shop/ours', '10.43.0.23'),
  ],
  endpointSlices: [
    slice('shop/db', 'east', ['db-0@10.1.0.4', '10.1.0.5', '!db-2@10.1.0.6']),
    slice('shop/db', 'west', ['db-0@10.2.0.4']),
    slice('shop/db', 'north', ['db-0@fd00:1::7']),
    slice('shop/nobody', 'east', ['!10.1.0.7']),
  ],
} satisfies Partial<Snapshot>

const filesOf = (parts: Partial<Snapshot>) => dnsFiles(compile(build.snapshot(parts)), 'portolan-system').files
const CAPTURED = new Map(compile(build.snapshot(PARTS)).dns.map(({ name, address }) => [name, address]))
const VIP = (name: string) => CAPTURED.get(`${name}.shop.svc.clusterset.local`) ?? ''

const mount = new Mount()
let mesh: MeshDns
let own: RunningDns
/** Of the cluster's own DNS. */
let clusterPort: number

const CLUSTER_DNS = (port: number) => `cluster.local:${port} {
    hosts {
        10.43.0.30 web.shop.svc.cluster.local
    }
}
.:${port} {
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`

beforeAll(async () => {
  clusterPort = await freePort()
  mesh = await startMeshDns(mount.directory, clusterPort)
  const corefile = withForwarding(CLUSTER_DNS(clusterPort), {
    address: '127.0.0.1',
    port: mesh.cluster,
    clusterDomain: 'cluster.local',
  })
  own = await startCoreDns(corefile.ok ? corefile.text : corefile.why)
})
afterAll(async () => {
  await Promise.all([mesh?.stop(), own?.stop()])
  mount.remove()
})

/** As the kubelet would, and until both zones are read. */
const write = async ({ imports = [], services = [], ...parts }: Partial<Snapshot>) => {
  mark += 1
  const [key, name] = [`mark/m${mark}`, `m${mark}.mark.svc.clusterset.local`]
  const files = filesOf({
    ...parts,
    imports: [...imports, standard(key)],
    services: [...services, derived(key, '10.43.0.99')],
  })
  mount.swap(files)
  for (const port of [mesh.sidecars, mesh.cluster])
    await until('the zone is read', async () => (await ask(port, 'A', name))[0]?.includes('.') === true)
}
let mark = 0

test('before the compiler has written anything, mesh DNS runs, hands other names on, and says of ours that it does not know', async () => {
  expect(await ask(mesh.sidecars, 'A', 'web.shop.svc.cluster.local')).toEqual(['10.43.0.30'])
  expect(await ask(mesh.sidecars, 'A', 'foreign.example')).toEqual(['ENOTFOUND'])
  expect(await ask(mesh.sidecars, 'A', 'web.shop.svc.clusterset.local')).toEqual(['ESERVFAIL'])
  expect(await ask(mesh.cluster, 'A', 'web.shop.svc.clusterset.local')).toEqual(['ESERVFAIL'])
})

describe('names of the clusterset', () => {
  beforeAll(() => write(PARTS))

  const DB = '.db.shop.svc.clusterset.local'
  const to = (port: number, ...hosts: readonly string[]) => hosts.map((host) => `${port} ${host}`)

  // The same from everywhere, unless the second column differs.
  test.each<
    [type: 'A' | 'AAAA' | 'SRV' | 'TXT', name: string, direct: readonly string[], captured?: readonly string[]]
  >([
    ['A', 'web.shop', ['10.43.0.20'], [VIP('web')]],
    ['A', 'WEB.Shop', ['10.43.0.20'], [VIP('web')]],
    ['AAAA', 'web.shop', ['ENODATA']],
    ['A', 'dual.shop', ['10.43.0.22'], [VIP('dual')]],
    ['AAAA', 'dual.shop', ['fd00:43::22'], ['ENODATA']],
    ['A', 'ours.shop', ['10.43.0.23'], [VIP('ours')]],
    // Nothing stands in for it yet: its address would lead nowhere without a sidecar.
    ['A', 'soon.shop', ['ENOTFOUND'], [VIP('soon')]],
    ['SRV', 'hello.shop', to(42, 'hello.shop.svc.clusterset.local')],
    ['SRV', 'web.shop', to(42, 'web.shop.svc.clusterset.local').concat(to(80, 'web.shop.svc.clusterset.local'))],
    ['SRV', '_http._tcp.web.shop', to(80, 'web.shop.svc.clusterset.local')],
    ['SRV', '_udp._udp.web.shop', to(42, 'web.shop.svc.clusterset.local')],
    ['SRV', '_http._udp.web.shop', ['ENOTFOUND']],
    ['A', 'db.shop', ['10.1.0.4', '10.1.0.5', '10.2.0.4']],
    ['AAAA', 'db.shop', ['fd00:1::7']],
    ['A', 'db-0.east.db.shop', ['10.1.0.4']],
    ['A', '10-1-0-5.east.db.shop', ['10.1.0.5']],
    ['A', 'db-0.west.db.shop', ['10.2.0.4']],
    ['AAAA', 'db-0.north.db.shop', ['fd00:1::7']],
    ['A', 'db-0.north.db.shop', ['ENODATA']],
    ['A', 'db-2.east.db.shop', ['ENOTFOUND']],
    // No name stands for the pods of one cluster.
    ['A', 'east.db.shop', ['ENODATA']],
    ['A', 'east.web.shop', ['ENOTFOUND']],
    ['SRV', 'db.shop', to(5432, `10-1-0-5.east${DB}`, `db-0.east${DB}`, `db-0.north${DB}`, `db-0.west${DB}`)],
    ['SRV', '_pg._tcp.db.shop', to(5432, `10-1-0-5.east${DB}`, `db-0.east${DB}`, `db-0.north${DB}`, `db-0.west${DB}`)],
    ['A', 'nobody.shop', ['ENOTFOUND']],
    ['A', 'unknown.shop', ['ENOTFOUND']],
    ['A', '*.shop', ['ENOTFOUND']],
  ])('%s of %s', async (type, name, direct, captured = direct) => {
    const full = `${name}.svc.clusterset.local`
    expect(await ask(clusterPort, type, full)).toEqual(direct)
    expect(await ask(mesh.cluster, type, full)).toEqual(direct)
    expect(await ask(mesh.sidecars, type, full)).toEqual(captured)
  })

  test('tell the version of their schema, and may be kept for a few seconds', async () => {
    for (const port of [clusterPort, mesh.sidecars]) {
      expect(await ask(port, 'TXT', 'dns-version.clusterset.local')).toEqual(['1.0.0'])
      for (const seconds of await lifeOf(port, 'web.shop.svc.clusterset.local')) expect(seconds).toBeLessThanOrEqual(5)
    }
  })

  test('are found by their address: by pods with a sidecar, and not those of pods that have a name here', async () => {
    expect(await ask(mesh.sidecars, 'PTR', VIP('web'))).toEqual(['web.shop.svc.clusterset.local'])
    expect(await ask(mesh.sidecars, 'PTR', '10.1.0.4')).toEqual([`db-0.east${DB}`])
    expect(await ask(mesh.sidecars, 'PTR', 'fd00:1::7')).toEqual([`db-0.north${DB}`])
    expect(await ask(mesh.sidecars, 'PTR', '10.2.0.4')).toEqual(['ENOTFOUND'])
    expect(await ask(mesh.sidecars, 'PTR', '10.1.0.6')).toEqual(['ENOTFOUND'])
  })

  test('leave cluster.local to the cluster, except for what our own exports say', async () => {
    for (const port of [clusterPort, mesh.sidecars]) {
      expect(await ask(port, 'A', 'web.shop.svc.cluster.local')).toEqual(['10.43.0.30'])
      expect(await ask(port, 'A', 'hello.shop.svc.cluster.local')).not.toContain('127.0.0.2')
    }
    expect(await ask(mesh.sidecars, 'A', 'ours.shop.svc.cluster.local')).toEqual(['127.0.0.2'])
  })

  test('are all that the port for the cluster’s DNS knows: nothing goes in circles', async () => {
    expect(await ask(mesh.cluster, 'A', 'web.shop.svc.cluster.local')).toEqual(['EREFUSED'])
    expect(await ask(mesh.cluster, 'A', 'foreign.example')).toEqual(['EREFUSED'])
  })
})

test.each(['clusterset.local', 'cluster.local'])('%s is given to nobody as a whole', async (zone) => {
  for (const port of [mesh.sidecars, mesh.cluster])
    expect(await askForAll(port, zone)).toMatchObject({ code: expect.toSatisfy((code) => code !== 0), records: 0 })
})

describe('a change', () => {
  test('is read by itself: a pod that is no longer ready leaves, an import appears', async () => {
    const db = (...pods: readonly string[]) => ({
      mesh: EGRESS,
      imports: [headless('shop/db')],
      endpointSlices: [slice('shop/db', 'east', pods)],
    })
    await write(db('db-0@10.1.0.4', 'db-1@10.1.0.5'))
    expect(await ask(mesh.sidecars, 'A', 'db.shop.svc.clusterset.local')).toEqual(['10.1.0.4', '10.1.0.5'])
    await write(db('db-0@10.1.0.4', '!db-1@10.1.0.5'))
    expect(await ask(mesh.sidecars, 'A', 'db.shop.svc.clusterset.local')).toEqual(['10.1.0.4'])
    await write({ ...db(), imports: [] })
    expect(await ask(mesh.sidecars, 'A', 'db.shop.svc.clusterset.local')).toEqual(['ENOTFOUND'])
  })

  test('of the egress, which is no more, gives everybody the same address', async () => {
    await write({ imports: [standard('shop/web')] })
    const [address] = await ask(mesh.sidecars, 'A', 'web.shop.svc.clusterset.local')
    expect(address).toMatch(/^240\.240\./)
    expect(await ask(mesh.cluster, 'A', 'web.shop.svc.clusterset.local')).toEqual([address])
  })

  test('to what is no zone at all is not taken', async () => {
    await write({ imports: [standard('shop/web')] })
    const files = filesOf({ imports: [] })
    mount.swap({ ...files, 'sidecars.zone': `${files['sidecars.zone']}broken` })
    await until('it is refused', () => mesh.output().includes('Parsing zone'))
    expect((await ask(mesh.sidecars, 'A', 'web.shop.svc.clusterset.local'))[0]).toMatch(/^240\.240\./)
  })
})

test('no name or address that objects may carry makes a zone that is not read', async () => {
  const odd = fc.oneof(
    fc.string({ unit: 'grapheme-ascii', maxLength: 70 }),
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom('', '@', '*', '$INCLUDE /etc/passwd', 'in', 'a', 'srv', '80', '"', '(', ')', ';', '\\', '\n', '.'),
    fc.stringMatching(/^[a-z0-9-]{1,64}$/),
  )
  const address = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom('fe80::1%eth0', '::ffff:10.0.0.1', '::', '010.0.0.1', 'x'),
  )
  const port = fc.record({ name: odd, port: fc.integer({ min: -1, max: 70_000 }) })
  const one = fc.record({ namespace: odd, name: odd, cluster: odd, host: odd, address, port, ip: address })
  const many = fc.sample(one, { numRuns: 150, seed: 7 })
  const ordinary = many.map((each, index) => ({ ...each, namespace: 'shop', name: `db-${index}` }))
  const all = [...many, ...ordinary]
  await write({
    imports: all.map(({ namespace, name, port: each, ip }, index) => {
      const made = index % 2 === 0 ? headless('x/y') : standard('x/y', [each], { ips: [ip] })
      return { ...made, metadata: { namespace, name } }
    }),
    endpointSlices: all.flatMap(({ namespace, name, cluster, host, address: at, port: each }) => {
      const made = slice('x/y', cluster, [at], [each])
      const [endpoint] = made.endpoints
      if (endpoint === undefined) return []
      const labels = { ...made.metadata.labels, 'multicluster.kubernetes.io/service-name': name }
      return [{ ...made, metadata: { namespace, name, labels }, endpoints: [{ ...endpoint, hostname: host }] }]
    }),
  })
})
