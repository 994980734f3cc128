/** How long a policy takes to every pod that it concerns, and that it arrives without the nudge as well. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { client, clusterKey, documents, meshNamespace, policy, serviceImport } from './manifests.ts'
import { CONTROL_PLANE, helm, sites } from './mesh.ts'
import { propagate } from './propagation.ts'
import { apply, kubectl, rolledOut } from './site.ts'

const { east, west, gatewayPort } = sites()
const NS = 'propagation'
const targets = ['c1', 'c2'].map((name) => ({ clusterKey: clusterKey(name) }))

beforeAll(async () => {
  const remotes = targets.map(({ clusterKey }) => ({
    clusterKey,
    host: east.address,
    port: gatewayPort,
    path: '/nowhere',
  }))
  const clients = client(NS, 'client')
  await apply(
    west,
    documents(meshNamespace(NS), serviceImport(NS, 'httpbin', remotes), policy(NS, 'httpbin', 'FailOver', targets), {
      ...clients,
      spec: { ...clients.spec, replicas: 4 },
    }),
  )
  await rolledOut(west, NS, 'client')
})

afterAll(async () => {
  await helm('west', '--set', 'compiler.nudge=true')
  await kubectl(west, 'delete', 'namespace', NS, '--wait=false')
})

const round = (weight: number) =>
  propagate(
    west,
    NS,
    'app=client',
    documents(
      policy(
        NS,
        'httpbin',
        'ActiveActive',
        targets.map((target) => ({ ...target, weight })),
      ),
    ),
  )

test.for([true, false])('nudge %s: every proxy runs the new policy', async (nudge) => {
  await helm('west', '--set', `compiler.nudge=${nudge}`)
  await rolledOut(west, CONTROL_PLANE, 'portolan-compiler')
  for (let n = 0; n < 3; n++) {
    const seconds = await round((nudge ? 100 : 200) + n)
    console.log(
      `nudge ${nudge ? 'on' : 'off'}, kubelet sync 1s: policy applied → 4 of 4 proxies after ${seconds.map((s) => s.toFixed(2)).join(', ')} s`,
    )
    expect(seconds).toHaveLength(4)
  }
})
