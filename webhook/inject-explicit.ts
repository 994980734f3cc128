/** A sidecar without capture: containers are told of it in their environment. */

import type { Issue, ObjectRef } from '../api/issue.ts'
import { EXPLICIT_BOOTSTRAP, EXPLICIT_MTLS_BOOTSTRAP, EXPLICIT_PORT, METRICS_PORT } from '../api/names.ts'
import type { Container, Pod } from './decision.ts'
import { isRecord } from './validate-read.ts'

export interface EnvVar {
  readonly name: string
  readonly value: string
}

/** Lists of containers that a pod's author writes. */
export type ContainerList = 'containers' | 'initContainers'

/** What one container gets into its environment. */
export interface Environment {
  readonly list: ContainerList
  readonly index: number
  readonly container: string
  /** The container had none. */
  readonly created: boolean
  readonly variables: readonly EnvVar[]
}

/** Both spellings, as programs read one or the other. */
const PROXY_NAMES = ['http_proxy', 'HTTP_PROXY']
const EXCEPT_NAMES = ['no_proxy', 'NO_PROXY']
const PROXY = `http://127.0.0.1:${EXPLICIT_PORT}`
const EXCEPT = 'localhost,127.0.0.1,::1'

const ownNames = ({ env }: Container): readonly unknown[] =>
  Array.isArray(env) ? env.map((variable: unknown) => (isRecord(variable) ? variable['name'] : undefined)) : []

const hasOwn = (container: Container, names: readonly string[]): boolean =>
  ownNames(container).some((name) => names.some((each) => each === name))

const containersOf = ({ spec }: Pod) =>
  (['containers', 'initContainers'] as const).flatMap((list) =>
    (spec[list] ?? []).map((container, index) => ({ list, index, container })),
  )

/** A container that names a proxy of its own keeps it, and all that belongs to it. */
export const environments = (pod: Pod): readonly Environment[] =>
  containersOf(pod)
    .filter(({ container }) => !hasOwn(container, PROXY_NAMES))
    .map(({ list, index, container }) => {
      const set = (names: readonly string[], value: string) => names.map((name) => ({ name, value }))
      const except = hasOwn(container, EXCEPT_NAMES) ? [] : set(EXCEPT_NAMES, EXCEPT)
      const created = !Array.isArray(container['env'])
      return { list, index, container: container.name, created, variables: [...set(PROXY_NAMES, PROXY), ...except] }
    })

/** Containers whose calls to imports do not reach the sidecar. */
export const keptProxies = (pod: Pod, ref: ObjectRef): readonly Issue[] =>
  containersOf(pod)
    .filter(({ container }) => hasOwn(container, PROXY_NAMES))
    .map(({ list, index, container }) => ({
      code: 'ProxyKept',
      object: ref,
      path: `spec.${list}[${index}].env`,
      params: { container: container.name, proxy: PROXY },
    }))

/** The container with the variables behind its own. */
export const withEnvironment = (container: Container, { variables }: Pick<Environment, 'variables'>): Container => ({
  ...container,
  env: [...(Array.isArray(container['env']) ? container['env'] : []), ...variables],
})

export const explicitBootstrapFile = (mtls: boolean): string => (mtls ? EXPLICIT_MTLS_BOOTSTRAP : EXPLICIT_BOOTSTRAP)

/** A startup probe, since no init container waits for it; and the pod's address, as all who call are on the loopback. */
export const explicitProxy = (proxy: Container): Container => ({
  ...proxy,
  env: [
    ...(Array.isArray(proxy['env']) ? proxy['env'] : []),
    { name: 'POD_IP', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'status.podIP' } } },
  ],
  startupProbe: {
    httpGet: { path: '/ready', port: METRICS_PORT },
    periodSeconds: 1,
    failureThreshold: 60,
  },
})
