import { isComponent } from '../../compiler/controller/nudge.ts'
import { hasIdentity, hasSidecar, isOver, type MeshPod } from '../../compiler/controller/pods.ts'
import { PROPAGATION_MS } from '../../compiler/controller/programmed.ts'
import type { ServiceRoute, Tables } from '../../compiler/tables.ts'
import type { Result } from '../../kube/failure.ts'
import { inParallel } from '../../kube/pool.ts'
import type { Live } from './connect.ts'
import { askProxy } from './pods.ts'

/** A proxy, and what its administration answers when it is asked for the certificates in use. */
export interface ProxyTls {
  readonly pod: MeshPod
  readonly answer: Result<string>
}

/** Each is a way through the API server and a kubelet. */
const AT_ONCE = 8
/** Of sidecars; those of Portolan's own namespace, which serve everybody, are all asked. */
const MOST_SIDECARS = 50

/** What a proxy uses now for TLS: certificates that it could not read, or not check others by, are none. */
export const CERTIFICATES = '/certs'

export interface Pods {
  /** Those of Portolan's own namespace. */
  readonly own: readonly MeshPod[]
  /** Those of namespaces of the mesh. */
  readonly mesh: readonly MeshPod[]
}

/**
 * The ready proxies that speak TLS by what was compiled for them, those that were made last first, as they are the
 * likeliest to lack something. One that has just started is given the time that a kubelet takes.
 */
export function speakTls(
  { own, mesh }: Pods,
  { sidecars, egress }: Tables,
  namespace: string,
  now: Date,
): { readonly all: number; readonly asked: readonly MeshPod[] } {
  const calling = new Set(sidecars.filter(({ routes }) => callsByTls(routes)).map((table) => table.namespace))
  const since = (pod: MeshPod) => Date.parse(pod.metadata.creationTimestamp ?? '')
  const settled = (pods: readonly MeshPod[]) =>
    pods
      .filter((pod) => pod.ready && !isOver(pod) && hasIdentity(pod) && now.getTime() - since(pod) >= PROPAGATION_MS)
      .toSorted((a, b) => since(b) - since(a) || (nameOf(a) < nameOf(b) ? -1 : 1))
  const ours = settled(own).filter(
    (pod) =>
      isComponent(pod, namespace, 'gateway') ||
      (isComponent(pod, namespace, 'egress') && egress !== undefined && callsByTls(egress.routes)),
  )
  const others = settled(mesh).filter((pod) => hasSidecar(pod) && calling.has(pod.metadata.namespace ?? ''))
  return { all: ours.length + others.length, asked: [...ours, ...others.slice(0, MOST_SIDECARS)] }
}

const callsByTls = (routes: readonly ServiceRoute[]): boolean =>
  routes.some(({ backends }) => backends.some(({ tls }) => tls !== undefined))

const nameOf = ({ metadata }: MeshPod): string => `${metadata.namespace}/${metadata.name}`

export const askForCertificates = (cluster: Live, pods: readonly MeshPod[]): Promise<readonly ProxyTls[]> =>
  inParallel(pods, AT_ONCE, async (pod) => ({ pod, answer: await askProxy(cluster, pod, CERTIFICATES) }))

/** The certificate that a proxy shows others, RFC 3339. */
export interface Shown {
  readonly from: string
  readonly until: string
}

interface Listed {
  readonly certificates?: readonly {
    readonly ca_cert?: readonly unknown[]
    readonly cert_chain?: readonly { readonly valid_from: string; readonly expiration_time: string }[]
  }[]
}

/**
 * Reads `/certs`. Undefined where the proxy has no certificate to show together with roots to check others by: without
 * both it cuts every connection by TLS. Of several the last to run out, as those of connections that end are listed too.
 */
export function readCertificates(text: string): Shown | undefined {
  const { certificates = [] } = JSON.parse(text) as Listed
  return certificates
    .filter(({ ca_cert: roots = [] }) => roots.length > 0)
    .flatMap(({ cert_chain: chain = [] }) => chain.slice(0, 1))
    .map(({ valid_from: from, expiration_time: until }) => ({ from, until }))
    .toSorted((a, b) => Date.parse(a.until) - Date.parse(b.until))
    .at(-1)
}
