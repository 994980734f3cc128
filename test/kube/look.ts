/** What a test writes and reads with kubectl. */
import { parse } from 'yaml'
import type { Condition } from '../../api/meta.ts'
import { settles } from '../lab/run.ts'
import type { ApiServer } from './apiserver.ts'
import { kubectl } from './compiler.ts'

export interface Anything {
  readonly metadata: { readonly resourceVersion: string; readonly annotations?: Record<string, string> }
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: { readonly ips?: readonly string[] }
  readonly status?: { readonly conditions?: readonly Condition[] }
}

interface Table {
  readonly version: string
  readonly routes: readonly { readonly service: string; readonly policy: string }[]
}

/** Kinds of which the compiler writes some. */
const WRITTEN = [
  ...['configmap', 'gtp', 'sexp', 'simp', 'service', 'endpointslice'],
  ...['serviceexports.multicluster.x-k8s.io', 'serviceimports.multicluster.x-k8s.io', 'clusterproperties.about.k8s.io'],
].join()

export type Look = ReturnType<typeof lookAt>

export function lookAt(api: ApiServer) {
  const apply = (...objects: readonly object[]) =>
    kubectl(api, ['apply', '-f', '-'], objects.map((object) => JSON.stringify(object)).join('\n---\n'))

  async function get<T>(kind: string, namespace: string, name: string): Promise<T | undefined> {
    const { code, stdout } = await api.kubectl(['get', kind, '-n', namespace, name, '-o', 'yaml'])
    return code === 0 ? (parse(stdout) as T) : undefined
  }

  const routes = async (namespace: string) => (await get<Anything>('configmap', namespace, 'portolan-routes'))?.data

  const table = async (namespace: string) =>
    JSON.parse((await routes(namespace))?.['table.json'] ?? 'null') as Table | null

  const condition = async (kind: string, namespace: string, name: string, type: string) =>
    (await get<Anything>(kind, namespace, name))?.status?.conditions?.find((each) => each.type === type)

  /** resourceVersion of all that the compiler writes. */
  async function versions(): Promise<Readonly<Record<string, string>>> {
    const list = JSON.parse(await kubectl(api, ['get', WRITTEN, '-A', '-o', 'json'])) as {
      items: {
        apiVersion: string
        kind: string
        metadata: { namespace: string; name: string; resourceVersion: string; labels?: Record<string, string> }
      }[]
    }
    // Most Services and slices are nobody's but their users'.
    const isWritten = ({ kind, metadata: { labels } }: (typeof list.items)[number]) =>
      !['Service', 'EndpointSlice'].includes(kind) || labels?.['app.kubernetes.io/managed-by'] === 'portolan'
    return Object.fromEntries(
      list.items
        .filter(isWritten)
        .map(({ apiVersion, kind, metadata }) => [
          `${kind} of ${apiVersion} ${metadata.namespace}/${metadata.name}`,
          metadata.resourceVersion,
        ]),
    )
  }

  /** Waits until nothing has been written for a while. */
  const settled = () => settles('what is written', versions, { quiet: 1_000 })

  return { apply, get, routes, table, condition, versions, settled }
}
