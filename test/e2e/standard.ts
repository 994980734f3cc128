/** Kubernetes' API for services of several clusters (KEP-1645), as tests write it and look at it. */
import { client, plainNamespace } from './manifests.ts'
import { exec, get, kubectl, type Loose, type Site } from './site.ts'

const GROUP = 'multicluster.x-k8s.io'
const SERVICE_NAME = 'multicluster.kubernetes.io/service-name'
export const SOURCE_CLUSTER = 'multicluster.kubernetes.io/source-cluster'
/** A Deployment of {@link callers}. */
export const CALLER = 'deploy/caller'

export interface Exported {
  readonly exportedLabels?: Readonly<Record<string, string>>
  readonly exportedAnnotations?: Readonly<Record<string, string>>
}

export const mcsExport = (namespace: string, name: string, spec?: Exported, version = 'v1beta1') => ({
  apiVersion: `${GROUP}/${version}`,
  kind: 'ServiceExport',
  metadata: { name, namespace, labels: { of: 'the-export' }, annotations: { of: 'the export' } },
  ...(spec ? { spec } : {}),
})

/** A namespace that is nothing to the mesh, with a pod to call from. */
export const callers = (namespace: string): readonly object[] => [
  plainNamespace(namespace),
  client(namespace, 'caller'),
]

export const imported = async (site: Site, namespace: string, name: string): Promise<Loose | undefined> => {
  const { items } = await get(
    site,
    '-n',
    namespace,
    `serviceimports.${GROUP}`,
    `--field-selector=metadata.name=${name}`,
  )
  return items[0]
}

export const condition = async (
  site: Site,
  namespace: string,
  name: string,
  type: string,
): Promise<Loose | undefined> =>
  (await get(site, '-n', namespace, `serviceexports.${GROUP}`, name)).status?.conditions?.find(
    (each: Loose) => each.type === type,
  )

/** `True PortConflict`, or nothing while the condition is not there. */
export const said = async (...of: Parameters<typeof condition>): Promise<string | undefined> => {
  const found = await condition(...of)
  return found && `${found.status} ${found.reason}`
}

export const unexport = (site: Site, namespace: string, name: string): Promise<string> =>
  kubectl(site, '-n', namespace, 'delete', `serviceexports.${GROUP}`, name)

/** EndpointSlices that carry the standard's label for this service, by source cluster. */
export const slices = async (site: Site, namespace: string, name: string): Promise<readonly Loose[]> => {
  const { items } = await get(site, '-n', namespace, 'endpointslices', '-l', `${SERVICE_NAME}=${name}`)
  return items.toSorted((a: Loose, b: Loose) => (sourceOf(a) < sourceOf(b) ? -1 : 1))
}
export const sourceOf = (slice: Loose): string => slice.metadata.labels[SOURCE_CLUSTER] ?? ''

export const clustersetName = (namespace: string, service: string): string =>
  `${service}.${namespace}.svc.clusterset.local`

/** What the caller's own resolver says; the name is not completed by a search list. */
const asked = async (site: Site, namespace: string, type: string, name: string): Promise<string> =>
  (await exec(site, namespace, CALLER, 'curl', 'nslookup', `-type=${type}`, `${name}.`)).stdout

/** Addresses of a name, sorted; none when there is no such name. */
export const addresses = async (site: Site, namespace: string, name: string): Promise<readonly string[]> =>
  [...(await asked(site, namespace, 'a', name)).matchAll(/Name:.*\s+Address:\s*(\S+)/g)]
    .map(([, address = '']) => address)
    .sort()

/** SRV records of a name as `port target`, sorted. */
export const services = async (site: Site, namespace: string, name: string): Promise<readonly string[]> =>
  [...(await asked(site, namespace, 'srv', name)).matchAll(/service = \d+ \d+ (\d+) (\S+)/g)]
    .map(([, port, target = '']) => `${port} ${target.replace(/\.$/, '')}`)
    .sort()

/** Which clusters answer so many calls, sorted; `nobody` for a call without an answer. */
export const answering = async (site: Site, namespace: string, url: string, calls = 12): Promise<readonly string[]> => {
  const each = `curl -s --max-time 5 ${url} || echo "from nobody"`
  const { stdout } = await exec(
    site,
    namespace,
    CALLER,
    'curl',
    'sh',
    '-c',
    `for i in $(seq ${calls}); do ${each}; done`,
  )
  return [...new Set(stdout.match(/(?<=from )\w+/g))].sort()
}
