/**
 * Kubernetes' standard for services of several clusters, behaviour by behaviour as its conformance suite lists them, and
 * what that suite leaves out. Plain pods without a sidecar call by name; east is the hub and a member, west a member.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'
import { AFFINITY, FROM_EAST, HTTP, NS, service, WORLD } from './conformance-world.ts'
import { app, documents } from './manifests.ts'
import { disband, memberOf } from './member.ts'
import { sites } from './mesh.ts'
import { apply, exec, get, kubectl, type Loose, rolledOut, type Site } from './site.ts'
import {
  addresses,
  answering,
  CALLER,
  callers,
  clustersetName,
  condition,
  imported,
  mcsExport,
  said,
  services,
  slices,
  sourceOf,
  unexport,
} from './standard.ts'

const { east, west } = sites()
const both = [east, west] as const
/** Looks at both clusters at once. */
const everywhere = (look: (site: Site) => Promise<unknown>) => Promise.all(both.map(look))
const clusters = await chooseProvider()

const importOf = (site: Site, name: string) => imported(site, NS, name)
const imports = (site: Site, name: string) =>
  until(`${site.name} imports ${name}`, async () => (await importOf(site, name)) ?? false)
const importsNot = (site: Site, name: string) =>
  until(`${site.name} imports no ${name}`, async () => (await importOf(site, name)) === undefined)
const says = (site: Site, name: string, type: string, expected: string) =>
  until(
    `${type} of ${name} in ${site.name} is ${expected}`,
    async () => (await said(site, NS, name, type)) === expected,
  )
/** Portolan may name several conflicts at once. */
const conflicting = (site: Site, name: string, reason: string) =>
  until(`${name} in ${site.name} conflicts: ${reason}`, async () => {
    const found = await condition(site, NS, name, 'Conflict')
    return found?.status === 'True' && found.reason.split(',').includes(reason)
  })
const url = (name: string, port = 8080) => `http://${clustersetName(NS, name)}:${port}/`
const answered = (site: Site, name: string, by: readonly string[], port?: number) =>
  until(
    `${name} is answered in ${site.name} by ${by.join(' and ')}`,
    async () => (await answering(site, NS, url(name, port))).join() === by.join(),
    { every: 500 },
  )
const resolves = (site: Site, name: string, expected: readonly string[]) =>
  until(
    `${name} is ${expected.join(', ') || 'nothing'} in ${site.name}`,
    async () => (await addresses(site, NS, name)).join() === expected.toSorted().join(),
    { every: 500 },
  )

beforeAll(async () => {
  await Promise.all([
    apply(
      east,
      documents(
        ...WORLD.east.objects,
        ...WORLD.east.exports,
        await memberOf(clusters, east),
        await memberOf(clusters, west),
      ),
    ),
    apply(west, documents(...WORLD.west.objects)),
  ])
  // The oldest export decides, and ages are counted in seconds.
  await imports(west, 'lasting')
  await new Promise((resolve) => setTimeout(resolve, 1100))
  await apply(west, documents(...WORLD.west.exports))
  await rolledOut(east, NS, 'web', 'crowd', 'caller')
  await rolledOut(west, NS, 'web', 'caller')
  await kubectl(east, '-n', NS, 'rollout', 'status', 'statefulset/members', '--timeout=150s')
})

afterAll(async () => {
  await disband(east, both)
  await Promise.all(
    both.map((site) => kubectl(site, 'delete', 'namespace', NS, `${NS}-later`, '--ignore-not-found', '--wait=false')),
  )
})

describe('exports', () => {
  test('Required: a service that is not exported cannot be called through the clusterset', async () => {
    await everywhere(async (site) => {
      expect(await importOf(site, 'kept')).toBeUndefined()
      expect(await addresses(site, NS, clustersetName(NS, 'kept'))).toEqual([])
      expect(await answering(site, NS, url('kept'), 1)).toEqual(['nobody'])
    })
  })

  test('Required: an export of a Service of type ExternalName is invalid and imported nowhere', async () => {
    await says(east, 'outside', 'Valid', 'False InvalidServiceType')
    expect(await condition(east, NS, 'outside', 'Conflict')).toBeUndefined()
    await everywhere(async (site) => {
      expect(await importOf(site, 'outside')).toBeUndefined()
    })
  })

  test('an export whose Service is there is valid, without conflict, and ready', async () => {
    await says(east, 'web', 'Valid', 'True Valid')
    await says(east, 'web', 'Conflict', 'False NoConflicts')
    await until('web is exported', async () => (await condition(east, NS, 'web', 'Ready'))?.status === 'True')
  })
})

describe('imports', () => {
  test('Required: a ClusterIP Service is imported as ClusterSetIP into its namespace in every cluster', async () => {
    await everywhere(async (site) => {
      const { spec, status } = await until(`${site.name} knows who exports web`, async () => {
        const found = await importOf(site, 'web')
        return found?.status?.clusters?.length > 0 && found
      })
      expect(spec.type).toBe('ClusterSetIP')
      expect(status.clusters).toEqual([{ cluster: 'east' }])
    })
  })

  test('Required: an import of type ClusterSetIP has an address', async () => {
    await everywhere(async (site) => {
      const ips = await until(`web has an address in ${site.name}`, async () => (await importOf(site, 'web'))?.spec.ips)
      expect(ips[0]).toMatch(/^\d+\.\d+\.\d+\.\d+$/)
    })
  })

  test("Required: an import has the ports of the Service, those of no proxy's protocols included", async () => {
    const { spec } = await imports(west, 'web')
    expect(spec.ports).toEqual([HTTP, { name: 'talk', port: 8080, protocol: 'UDP' }])
    expect(spec.ipFamilies).toEqual(['IPv4'])
  })

  test.each([
    ['sessionAffinity', AFFINITY],
    ['internalTrafficPolicy', { internalTrafficPolicy: 'Cluster' }],
    ['trafficDistribution', { trafficDistribution: 'PreferClose' }],
  ])("Required: an import's %s is the Service's", async (_, expected) => {
    await everywhere(async (site) => {
      expect((await imports(site, 'web')).spec).toMatchObject(expected)
    })
  })

  test('Optional: labels and annotations that the export names are on the import, those of Service and export are not', async () => {
    await everywhere(async (site) => {
      const { metadata } = await imports(site, 'web')
      expect(metadata.labels).toMatchObject(FROM_EAST.exportedLabels ?? {})
      expect(metadata.annotations).toMatchObject(FROM_EAST.exportedAnnotations ?? {})
      expect({ ...metadata.labels, ...metadata.annotations }).not.toHaveProperty('of')
    })
  })

  test('Required: a headless Service is imported as Headless into every cluster, without an address', async () => {
    await everywhere(async (site) => {
      const { spec } = await imports(site, 'crowd')
      expect(spec.type).toBe('Headless')
      expect(spec.ips ?? []).toEqual([])
    })
  })

  test("Optional: every cluster has the exporter's EndpointSlices, with both labels, kept by no controller of Kubernetes", async () => {
    const [own] = (await get(east, '-n', NS, 'endpointslices', '-l', 'kubernetes.io/service-name=web')).items
    await everywhere(async (site) => {
      const [slice, ...others] = await until(`slices of web in ${site.name}`, async () => {
        const found = await slices(site, NS, 'web')
        return found[0]?.endpoints?.length > 0 && found
      })
      expect(others).toEqual([])
      expect(sourceOf(slice)).toBe('east')
      expect(slice.metadata.labels).toHaveProperty(
        ['endpointslice.kubernetes.io/managed-by'],
        expect.not.stringContaining('k8s.io'),
      )
      expect(slice.metadata.labels).not.toHaveProperty('kubernetes.io/service-name')
      expect(slice.addressType).toBe('IPv4')
      expect(slice.endpoints[0].addresses).toEqual(own.endpoints[0].addresses)
    })
  })
})

describe('exports of two clusters', () => {
  test('Required: ports are the union, each is served by the clusters that have it, and both are told', async () => {
    await everywhere(async (site) => {
      await conflicting(site, 'joined', 'PortConflict')
      const { spec } = await imports(site, 'joined')
      expect(spec.ports.map(({ name, port, protocol }: Loose) => `${name} ${port}/${protocol}`).sort()).toEqual([
        'http 8080/TCP',
        'more 4242/TCP',
        'signals 142/SCTP',
      ])
    })
  })

  test('Required: of two ports of one name the older export has the say, and both are told', async () => {
    await everywhere(async (site) => {
      await conflicting(site, 'disputed', 'PortConflict')
      expect((await imports(site, 'disputed')).spec.ports).toEqual([HTTP])
    })
  })

  test('Optional: of labels and annotations that differ the older export has the say, and both are told', async () => {
    await everywhere(async (site) => {
      await conflicting(site, 'labelled', 'LabelsConflict')
      await conflicting(site, 'labelled', 'AnnotationsConflict')
      const { metadata } = await imports(site, 'labelled')
      expect(metadata.labels).toMatchObject(FROM_EAST.exportedLabels ?? {})
      expect(metadata.annotations).toMatchObject(FROM_EAST.exportedAnnotations ?? {})
      expect(metadata.labels).not.toHaveProperty('shelf')
      expect(metadata.annotations).not.toHaveProperty('keeper')
    })
  })

  test('Required: where one is headless and one is not the older export has the say, and both are told', async () => {
    await everywhere(async (site) => {
      await conflicting(site, 'headed', 'TypeConflict')
      expect((await imports(site, 'headed')).spec.type).toBe('ClusterSetIP')
    })
  })

  test('those that are alike have no conflict, and the import names both clusters', async () => {
    await everywhere(async (site) => {
      await says(site, 'lasting', 'Conflict', 'False NoConflicts')
      await until(`${site.name} knows both exporters`, async () => {
        const { status } = await imports(site, 'lasting')
        return status?.clusters?.map(({ cluster }: Loose) => cluster).join() === 'east,west'
      })
    })
  })
})

describe('names', () => {
  test("Optional: the clusterset name of a ClusterIP Service is the import's address", async () => {
    await everywhere(async (site) =>
      resolves(site, clustersetName(NS, 'web'), (await imports(site, 'web')).spec.ips.slice(0, 1)),
    )
  })

  test('Optional: its SRV record has port and name, once for TCP and UDP of one number', async () => {
    const name = clustersetName(NS, 'web')
    await everywhere((site) =>
      until(`SRV of ${name} in ${site.name}`, async () => {
        const found = await services(site, NS, name)
        return found.length > 0 && found.join() === `8080 ${name}`
      }),
    )
  })

  test("Optional: the name of the cluster's own domain is the local Service as before, and none elsewhere", async () => {
    const local = `web.${NS}.svc.cluster.local`
    const { spec } = await get(east, '-n', NS, 'service', 'web')
    expect(await addresses(east, NS, local)).toEqual([spec.clusterIP])
    expect(await addresses(west, NS, local)).toEqual([])
  })

  const podsOf = async (name: string): Promise<ReadonlyMap<string, string>> => {
    const { items } = await get(east, '-n', NS, 'pods', '-l', `app=${name}`)
    return new Map(items.map(({ metadata, status }: Loose) => [metadata.name, status.podIP]))
  }

  test('Optional: the clusterset name of a headless Service is the addresses of its ready pods', async () => {
    const ready = [...(await podsOf('crowd')).values()]
    expect(ready).toHaveLength(2)
    await everywhere(async (site) => {
      await resolves(site, clustersetName(NS, 'crowd'), ready)
    })
  })

  test('Optional: pods of a headless StatefulSet have names of their own, with the cluster in them', async () => {
    const pods = await podsOf('members')
    expect([...pods.keys()].sort()).toEqual(['members-0', 'members-1'])
    await everywhere(async (site) => {
      for (const [pod, ip] of pods) await resolves(site, `${pod}.east.${clustersetName(NS, 'members')}`, [ip])
      expect(await addresses(site, NS, `members-2.east.${clustersetName(NS, 'members')}`)).toEqual([])
      expect(await addresses(site, NS, `members-0.west.${clustersetName(NS, 'members')}`)).toEqual([])
    })
  })

  test('Optional: SRV records of a headless Service lead to each ready pod', async () => {
    const name = clustersetName(NS, 'crowd')
    const hosts = [...(await podsOf('crowd')).values()].map((ip) => ip.replaceAll('.', '-'))
    const expected = hosts.map((host) => `8080 ${host}.east.${name}`).sort()
    await everywhere((site) =>
      until(`SRV of ${name} in ${site.name}`, async () => {
        return (await services(site, NS, name)).join() === expected.join()
      }),
    )
  })
})

describe('connections from pods without a sidecar', () => {
  test('Optional: an exported Service answers in every cluster by its clusterset name', async () => {
    await everywhere(async (site) => {
      await answered(site, 'web', ['east'])
    })
  })

  test('Optional: so does one that does not speak HTTP', async () => {
    await everywhere((site) =>
      until(`the greeter is heard in ${site.name}`, async () => {
        const said = `echo hi | nc -w 5 ${clustersetName(NS, 'greeter')} 42`
        const { stdout } = await exec(site, NS, CALLER, 'curl', 'sh', '-c', said)
        return stdout.includes('I am from east')
      }),
    )
  })

  test('Optional: of a Service that two clusters have, only the one that exports it is called', async () => {
    await everywhere(async (site) => {
      await answered(site, 'chosen', ['east'])
    })
  })

  test('Optional: of a port whose number is disputed, only clusters that have that number are called', async () => {
    await everywhere(async (site) => {
      await answered(site, 'disputed', ['east'])
      expect(await answering(site, NS, url('disputed', 4242), 1)).toEqual(['nobody'])
    })
  })

  test('Optional: of ports that not all have, each is called where it is', async () => {
    await everywhere(async (site) => {
      await answered(site, 'joined', ['east', 'west'])
      await answered(site, 'joined', ['west'], 4242)
    })
  })

  test('a Service that both export is answered by both, also to pods of exporting clusters', async () => {
    await everywhere(async (site) => {
      await answered(site, 'lasting', ['east', 'west'])
    })
  })
})

describe('what changes', () => {
  test('Required: an export that goes takes import, slices and name with it in every cluster', async () => {
    await unexport(east, NS, 'web')
    await everywhere(async (site) => {
      await importsNot(site, 'web')
      await until(`${site.name} has no slice of web`, async () => (await slices(site, NS, 'web')).length === 0)
      await resolves(site, clustersetName(NS, 'web'), [])
    })
    await unexport(east, NS, 'crowd')
    await everywhere(async (site) => {
      await importsNot(site, 'crowd')
    })
  })

  test('Required: an import stays as long as one cluster exports, and no longer', async () => {
    const { spec } = await imports(west, 'lasting')
    await unexport(east, NS, 'lasting')
    await everywhere(async (site) => {
      await answered(site, 'lasting', ['west'])
    })
    expect((await imports(west, 'lasting')).spec.ips).toEqual(spec.ips)
    await unexport(west, NS, 'lasting')
    await everywhere(async (site) => {
      await importsNot(site, 'lasting')
    })
  })

  test('a conflict clears when the export goes that differed', async () => {
    await unexport(west, NS, 'joined')
    await says(east, 'joined', 'Conflict', 'False NoConflicts')
    await unexport(east, NS, 'disputed')
    await says(west, 'disputed', 'Conflict', 'False NoConflicts')
    await answered(east, 'disputed', ['west'], 4242)
  })

  test('an export whose Service is deleted says so, its import goes, and both come back with the Service', async () => {
    await kubectl(east, '-n', NS, 'delete', 'service', 'chosen')
    await says(east, 'chosen', 'Valid', 'False NoService')
    await everywhere(async (site) => {
      await importsNot(site, 'chosen')
    })
    await apply(east, documents(service('chosen')))
    await says(east, 'chosen', 'Valid', 'True Valid')
    await everywhere(async (site) => {
      await imports(site, 'chosen')
    })
  })

  test('a namespace that comes later gets the imports of its name, and none is made for them', async () => {
    const later = `${NS}-later`
    const there = { ...service('web'), metadata: { name: 'web', namespace: later } }
    const deployment = app({ namespace: later, name: 'web', says: 'east' }).slice(0, 1)
    await apply(east, documents(...callers(later), ...deployment, there, mcsExport(later, 'web')))
    await until('east imports it', async () => (await imported(east, later, 'web')) !== undefined)
    expect((await west.kubectl(['get', 'namespace', later])).code).not.toBe(0)
    await apply(west, documents(...callers(later)))
    await until('west imports it', async () => (await imported(west, later, 'web')) !== undefined)
    await rolledOut(west, later, 'caller')
    const name = `http://${clustersetName(later, 'web')}:8080/`
    await until('it is called', async () => (await answering(west, later, name, 3)).join() === 'east', { every: 500 })
  })

  test('a cluster that is lost keeps its place in imports until it is deregistered, and calls go past it', async () => {
    await everywhere(async (site) => {
      await apply(site, documents(service('lasting'), mcsExport(NS, 'lasting')))
    })
    await answered(east, 'lasting', ['east', 'west'])
    await clusters.partition('west', true)
    try {
      await answered(east, 'lasting', ['east'])
      expect((await importOf(east, 'lasting'))?.status.clusters).toEqual([{ cluster: 'east' }, { cluster: 'west' }])
      await kubectl(east, 'delete', 'clusters.flomesh.io', 'west')
      await until('west is no exporter any more', async () => {
        const { status } = await imports(east, 'lasting')
        return status.clusters.length === 1 && (await slices(east, NS, 'lasting')).map(sourceOf).join() === 'east'
      })
    } finally {
      await clusters.partition('west', false)
    }
    await until('west, back again, drops what it imported', async () => {
      return (await importOf(west, 'lasting')) === undefined
    })
  })
})
