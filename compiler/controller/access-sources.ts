import type { Service } from '../../api/core.ts'
import type { Code } from '../../api/diagnostics.ts'
import type { Issue } from '../../api/issue.ts'
import type { KubeObject } from '../../api/meta.ts'
import { HTTP_ROUTE_GROUPS, TCP_ROUTES, TRAFFIC_TARGETS } from '../../api/resources.ts'
import type { KubeClient } from '../../kube/client.ts'
import type { Failure } from '../../kube/failure.ts'
import { type Informer, type InformerEvent, startInformer } from '../../kube/informer.ts'
import type { Resource } from '../../kube/object.ts'
import { accountsOf } from '../accounts.ts'
import type { Access } from '../traffic-targets.ts'
import type { MeshPod } from './pods.ts'

export interface AccessSourceOptions {
  readonly client: KubeClient
  readonly observe: (source: string, event: InformerEvent) => void
  readonly onInput: () => void
}

/** What decides who may call whom. Nothing of it is read while the mesh is permissive: the kinds need not be there. */
export interface AccessSources {
  /** Starts and stops reading. */
  readonly follow: (restricted: boolean) => void
  /** Names of what has not been listed yet, and may be there. */
  readonly missing: () => readonly string[]
  /** Nothing while the mesh is permissive. The same value for as long as nothing in it changes. */
  readonly access: (services: readonly Service[], pods: readonly MeshPod[]) => Access | undefined
  /** Of a TrafficTarget. */
  readonly uidOf: (object: Issue['object']) => string | undefined
  /** Kinds that are not there, or may not be read. */
  readonly issues: (about: Issue['object']) => readonly Issue<Code>[]
  readonly stop: () => Promise<unknown>
}

interface Followed<T extends KubeObject> {
  readonly kind: string
  readonly name: string
  readonly informer: Informer<T>
  failure: Failure | undefined
}

export function createAccessSources({ client, observe, onInput }: AccessSourceOptions): AccessSources {
  let followed: ReturnType<typeof start> | undefined
  let last: { readonly parts: readonly unknown[]; readonly access: Access } | undefined
  const stopping: Promise<unknown>[] = []

  function one<T extends KubeObject>(resource: Resource<T>): Followed<T> {
    const name = resource.plural
    const informer = startInformer<T>({
      client,
      resource,
      observe: (event) => {
        observe(name, event)
        const before = entry.failure?.reason
        if (event.type === 'listed' || event.type === 'watching') entry.failure = undefined
        else if (event.type === 'failed' && isAbsence(event.failure)) entry.failure = event.failure
        if (entry.failure?.reason !== before) onInput()
      },
    })
    const entry: Followed<T> = { kind: resource.kind, name, informer, failure: undefined }
    informer.onChange(onInput)
    return entry
  }

  const start = () => ({
    targets: one(TRAFFIC_TARGETS),
    httpGroups: one(HTTP_ROUTE_GROUPS),
    tcpRoutes: one(TCP_ROUTES),
  })

  const all = () => Object.values(followed ?? {})
  const listOf = <T extends KubeObject>({ informer, failure }: Followed<T>): readonly T[] =>
    failure === undefined ? informer.list() : []

  function unfollow() {
    stopping.push(...all().map(({ informer }) => informer.stop()))
    followed = undefined
    last = undefined
  }

  return {
    follow: (restricted) => {
      if (restricted) followed ??= start()
      else if (followed !== undefined) unfollow()
    },
    missing: () =>
      all()
        .filter(({ informer, failure }) => failure === undefined && !informer.hasSynced())
        .map(({ name }) => name),
    access: (services, pods) => {
      if (followed === undefined) return undefined
      const accounts = accountsOf(services, pods)
      const stores = all().map(({ informer, failure }) => (failure === undefined ? informer.store() : failure))
      const parts = [JSON.stringify([...accounts]), ...stores]
      if (last === undefined || parts.some((part, index) => part !== last?.parts[index])) {
        const { targets, httpGroups, tcpRoutes } = followed
        const lists = { targets: listOf(targets), httpGroups: listOf(httpGroups), tcpRoutes: listOf(tcpRoutes) }
        last = { parts, access: { ...lists, accounts } }
      }
      return last.access
    },
    uidOf: ({ kind, namespace, name }) =>
      kind === 'TrafficTarget' ? followed?.targets.informer.get(namespace, name)?.metadata.uid : undefined,
    issues: (about) => {
      const absent = all().filter(({ failure }) => failure !== undefined)
      if (absent.length === 0) return []
      const params = { kinds: absent.map(({ kind }) => kind).join(', '), why: absent[0]?.failure?.message ?? '' }
      return [
        { code: 'SmiKindsMissing', object: about, path: 'spec.traffic.enablePermissiveTrafficPolicyMode', params },
      ]
    },
    stop: () => {
      unfollow()
      return Promise.all(stopping)
    },
  }
}

/** The kind is not there, or is not for us to see. */
const isAbsence = ({ reason }: Failure): boolean => reason === 'NotFound' || reason === 'Forbidden'
