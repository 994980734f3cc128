import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type ClusterPlan, MAX_CLUSTERS, nameProblem, planCluster, planLab } from './plan.ts'

const name = fc.stringMatching(/^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$/)
const lab = fc.record({
  slots: fc.uniqueArray(fc.nat(99), { minLength: 1, maxLength: 3 }),
  nodes: fc.integer({ min: 1, max: 2 }),
})

const plans = fc
  .tuple(
    lab,
    fc.uniqueArray(fc.record({ name, index: fc.integer({ min: 1, max: MAX_CLUSTERS }) }), {
      minLength: 2,
      maxLength: 6,
      selector: (each) => each.name,
    }),
  )
  .filter(([, clusters]) => new Set(clusters.map((each) => each.index)).size === clusters.length)
  .map(([{ slots, nodes }, clusters]): readonly ClusterPlan[] =>
    slots.flatMap((slot) =>
      clusters.map((each) => planCluster(planLab(`/labs/${slot}`, slot), { ...each, nodes, sync: '1s' })),
    ),
  )

test('no two nodes of any two labs share an address, a directory or a name that the kernel knows', () => {
  fc.assert(
    fc.property(plans, (clusters) => {
      const nodes = clusters.flatMap((cluster) => cluster.nodes)
      for (const key of ['address', 'dir', 'namespace', 'cgroup'] as const)
        expect(new Set(nodes.map((node) => node[key])).size).toBe(nodes.length)
    }),
  )
})

test('in one lab links and pod ranges differ too, and links have names that the kernel takes', () => {
  fc.assert(
    fc.property(plans, (clusters) => {
      const nodes = clusters
        .filter((each) => each.dir.startsWith(clusters[0]?.dir.slice(0, 8) ?? ''))
        .flatMap((each) => each.nodes)
      const one = nodes.filter((node) => node.address.split('.')[2] === nodes[0]?.address.split('.')[2])
      for (const key of ['link', 'podCidr'] as const)
        expect(new Set(one.map((node) => node[key])).size).toBe(one.length)
      for (const { link } of one) expect(link.length).toBeLessThanOrEqual(15)
    }),
  )
})

test('names and addresses of a cluster', () => {
  const east = planCluster(planLab('/lab', 0), { name: 'east', index: 1, nodes: 2, sync: '1s' })
  expect(east.server).toBe('https://10.201.0.11:6443')
  expect(east.nodes.map(({ name, address, podCidr, namespace }) => ({ name, address, podCidr, namespace }))).toEqual([
    { name: 'east', address: '10.201.0.11', podCidr: '10.101.0.0/24', namespace: 'ptl-east' },
    { name: 'east-2', address: '10.201.0.111', podCidr: '10.101.1.0/24', namespace: 'ptl-east.2' },
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
