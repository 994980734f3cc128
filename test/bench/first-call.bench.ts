/**
 * `node test/bench/first-call.bench.ts`: from an export in one cluster to the first good call from a pod of another, and
 * which step takes how long. Two clusters of a lab of their own, kubelets at their default of one look per minute; the
 * hub is the exporter's.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeObject } from '../../api/meta.ts'
import { DNS_CONFIGMAP, ROUTES_CONFIGMAP } from '../../api/names.ts'
import { CONFIGMAPS, type ConfigMap, SERVICE_EXPORTS, SERVICE_IMPORTS } from '../../api/resources.ts'
import { createClient, type KubeClient, type Scope } from '../../kube/client.ts'
import { connect } from '../../kube/connection.ts'
import { must } from '../../kube/failure.ts'
import type { Resource } from '../../kube/object.ts'
import { app, client, documents, meshNamespace, plainNamespace, policy } from '../e2e/manifests.ts'
import { CONTROL_PLANE, describeSites, installMesh, SITES_VARIABLE, sites } from '../e2e/mesh.ts'
import { apply, kubectl, rolledOut, type Site } from '../e2e/site.ts'
import { CACHE } from '../lab/cache.ts'
import { chooseProvider } from '../lab/provider.ts'
import { until } from '../lab/run.ts'

const NS = 'bench'
const NAMES = ['east', 'west']
const SAMPLES = 20
const nameOf = (n: number) => `first-${n}`

/** Calls until one is answered with 200, and prints when that was. */
const CALLER = `
  const url = process.argv[1]
  console.log('calling')
  for (;;) {
    const answer = await fetch(url, { signal: AbortSignal.timeout(1000) }).catch(() => undefined)
    await answer?.text()
    if (answer?.status === 200) break
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  console.log(Date.now())`

/** Milliseconds since the epoch at which the first good call from the pod had its answer. */
async function firstCall(
  west: Site,
  name: string,
): Promise<{ readonly calling: Promise<unknown>; readonly at: Promise<number> }> {
  const args = ['-n', NS, 'exec', 'deploy/client', '-c', 'curl', '--', 'node', '--input-type=module', '-e', CALLER]
  const child = spawn(west.kubectlPath, [...args, `http://${name}.${NS}:8080/`], {
    env: { ...process.env, ...west.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString()
  })
  const calling = until('the caller calls', () => output.includes('calling'), { every: 10 })
  return { calling, at: once(child, 'close').then(() => Number(output.trim().split('\n').at(-1))) }
}

/** When an object was first seen that is as `found` says. */
async function seen<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource<T>,
  scope: Scope,
  found: (object: T) => boolean,
): Promise<{ readonly at: Promise<number> }> {
  const { resourceVersion } = must(await kube.list(resource, scope))
  const signal = AbortSignal.timeout(60_000)
  const events = must(await kube.watch(resource, { ...scope, resourceVersion, timeoutSeconds: 60, signal }))
  const wait = async () => {
    for await (const event of events)
      if ((event.type === 'ADDED' || event.type === 'MODIFIED') && found(event.object)) return Date.now()
    throw new Error(`the watch of ${resource.plural} ended before anything was found`)
  }
  return { at: wait() }
}

const quantile = (values: readonly number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(q * values.length))] ?? Number.NaN

process.env['PORTOLAN_LAB'] ??= join(CACHE, 'lab-bench')
const clusters = await chooseProvider()
await clusters.up(NAMES, { sync: '1m' })
await installMesh(clusters, NAMES)
process.env[SITES_VARIABLE] = await describeSites(clusters, NAMES)
try {
  const { east, west, gatewayPort } = sites()
  const all = Array.from({ length: SAMPLES + 1 }, (_, n) => nameOf(n))
  const [deployment, service] = app({ namespace: NS, name: 'app', says: 'east' })
  await apply(
    east,
    documents(
      plainNamespace(NS),
      ...[deployment ?? {}],
      ...all.map((name) => ({ ...service, metadata: { namespace: NS, name } })),
    ),
  )
  await apply(
    west,
    documents(meshNamespace(NS), ...all.map((name) => policy(NS, name, 'ActiveActive')), client(NS, 'client')),
  )
  for (const site of [east, west]) {
    const kubeconfig = await readFile(await clusters.kubeconfig(site.name), 'utf8')
    const spec = { gatewayHost: site.address, gatewayPort, kubeconfig }
    await apply(
      east,
      documents({ apiVersion: 'flomesh.io/v1alpha1', kind: 'Cluster', metadata: { name: site.name }, spec }),
    )
  }
  await kubectl(east, 'wait', '--for=condition=Managed', 'clusters.flomesh.io', '--all', '--timeout=60s')
  await rolledOut(east, NS, 'app')
  await rolledOut(west, NS, 'client')
  const kubeOf = async (site: Site) => createClient(await connect({ kubeconfig: site.env['KUBECONFIG'] ?? '' }))
  const [exporter, importer] = [await kubeOf(east), await kubeOf(west)]
  const table = (namespace: string, name: string): Scope => ({ namespace, fieldSelector: `metadata.name=${name}` })
  const holds = (service: string) => (map: ConfigMap) => JSON.stringify(map.data ?? {}).includes(service)

  const samples: Record<string, number[]> = {}
  // The first is for warming up.
  for (const [n, name] of all.entries()) {
    const call = await firstCall(west, name)
    await call.calling
    const steps = {
      'import written': await seen(
        importer,
        SERVICE_IMPORTS,
        { namespace: NS },
        ({ metadata }) => metadata.name === name,
      ),
      'routing table written': await seen(importer, CONFIGMAPS, table(NS, ROUTES_CONFIGMAP), holds(`${NS}/${name}`)),
      'name written': await seen(importer, CONFIGMAPS, table(CONTROL_PLANE, DNS_CONFIGMAP), holds(`${name}.${NS}.`)),
      'first good call': call,
    }
    const start = Date.now()
    must(
      await exporter.create(SERVICE_EXPORTS, {
        metadata: { namespace: NS, name },
        spec: { rules: [{ portNumber: 8080, path: `/${name}` }] },
      }),
    )
    for (const [step, { at }] of Object.entries(steps)) {
      const seconds = ((await at) - start) / 1000
      if (n > 0) samples[step] = [...(samples[step] ?? []), seconds]
    }
  }
  console.log(`\n| export applied → …, ${SAMPLES} times | p50 s | p99 s |\n|---|---|---|`)
  for (const [step, values] of Object.entries(samples))
    console.log(`| ${step} | ${quantile(values, 0.5).toFixed(2)} | ${quantile(values, 0.99).toFixed(2)} |`)
  await Promise.all([exporter.close(), importer.close()])
} finally {
  await clusters.down(NAMES)
}
