import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ClusterPlan, type Families, MAX_LABS, nameProblem, planCluster, planLab } from './plan.ts'

const clusters = fc
  .tuple(
    fc.uniqueArray(fc.stringMatching(/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/), { minLength: 1, maxLength: 6 }),
    fc.uniqueArray(fc.nat(MAX_LABS - 1), { minLength: 1, maxLength: 3 }),
    fc.integer({ min: 1, max: 2 }),
    fc.constantFrom<Families>([4], [6], [4, 6], [6, 4]),
  )
  .map(([names, slots, nodes, families]): readonly ClusterPlan[] =>
    slots.flatMap((slot) =>
      names.map((name, i) =>
        planCluster(planLab(`/labs/${slot}`, slot), { name, index: i + 1, nodes, sync: '1s', families }),
      ),
    ),
  )

const distinct = (values: readonly string[]) => expect(new Set(values).size).toBe(values.length)

test('no two nodes of any labs share an address, a directory or a name that the kernel knows', () => {
  fc.assert(
    fc.property(clusters, (all) => {
      const nodes = all.flatMap((cluster) => cluster.nodes)
      distinct(nodes.flatMap(({ addresses }) => addresses))
      for (const key of ['hardware', 'address', 'dir', 'namespace', 'cgroup'] as const)
        distinct(nodes.map((node) => node[key]))
    }),
  )
})

test('within a lab links and pod ranges differ too, and the kernel takes the names of links', () => {
  fc.assert(
    fc.property(clusters, (all) => {
      const nodes = all.flatMap((cluster) => cluster.nodes)
      const perLab = Map.groupBy(nodes, ({ dir }) => dir.split('/')[2])
      for (const lab of perLab.values()) {
        distinct(lab.map(({ link }) => link))
        distinct(lab.flatMap(({ podCidrs }) => podCidrs))
      }
      for (const { link } of nodes) expect(link.length).toBeLessThanOrEqual(15)
    }),
  )
})

test('names and addresses of a cluster', () => {
  const east = planCluster(planLab('/lab', 0), { name: 'east', index: 1, nodes: 2, sync: '1s' })
  expect(east.server).toBe('https://10.201.0.11:6443')
  expect(east.nodes.map(({ name, address, podCidrs, namespace }) => ({ name, address, podCidrs, namespace }))).toEqual([
    { name: 'east', address: '10.201.0.11', podCidrs: ['10.101.0.0/24'], namespace: 'ptl-east' },
    { name: 'east-2', address: '10.201.0.111', podCidrs: ['10.101.1.0/24'], namespace: 'ptl-east.2' },
  ])
  expect(planCluster(planLab('/lab', 7), { name: 'east', index: 3, nodes: 1, sync: '1s' }).nodes[0]).toMatchObject({
    address: '10.201.7.13',
    namespace: 'ptl7-east',
  })
})

test.each(['', 'East', '1st', 'a_b', 'a-', 'x'.repeat(21), '../etc'])('"%s" cannot be a cluster', (bad) => {
  expect(nameProblem(bad)).toContain(`cluster name "${bad}"`)
})

test.each(['a', 'east', 'c1', 'us-east-2'])('"%s" can', (good) => {
  expect(nameProblem(good)).toBeNull()
})
