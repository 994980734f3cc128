import type { Issue, ObjectRef } from '../api/issue.ts'
import {
  ADMIN_PORT,
  CAPTURE_PORT,
  EXPLICIT_PORT,
  IDENTITY_VOLUME,
  INIT_CONTAINER,
  INJECTION,
  type Interception,
  METRICS_PORT,
  MONITORED_BY,
  PROXY_CONTAINER,
  ROUTES_VOLUME,
  STATUS_ANNOTATION,
} from '../api/names.ts'
import type { InjectRequest, Pod, RefusalCode, SkipCode } from './decision.ts'
import { annotation, annotationPath } from './inject-settings.ts'

/** One rule's finding: why the pod is skipped or refused. Null passes the pod on to the next rule. */
export interface Finding {
  readonly outcome: 'skip' | 'refuse'
  readonly issue: Issue<SkipCode | RefusalCode>
}

type Rule = (request: InjectRequest, ref: ObjectRef) => Finding | null

const skip = (code: SkipCode, object: ObjectRef, path: string, value?: unknown, params?: Issue['params']): Finding => ({
  outcome: 'skip',
  issue: { code, object, path, ...(value === undefined ? {} : { value }), ...(params === undefined ? {} : { params }) },
})

const SYSTEM_NAMESPACES: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease']
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror'

const YES: readonly string[] = ['enabled', 'yes', 'true']
const NO: readonly string[] = ['disabled', 'no', 'false']

export const podRef = (pod: Pod, namespace: string): ObjectRef => ({
  kind: 'Pod',
  namespace,
  name: pod.metadata.name ?? pod.metadata.generateName ?? '',
})

const namespaceRef = (request: InjectRequest): ObjectRef => ({
  kind: 'Namespace',
  name: request.namespace.metadata.name,
})

export const alreadyInjected: Rule = ({ pod }, ref) => {
  const index = (pod.spec.initContainers ?? []).findIndex(({ name }) => name === PROXY_CONTAINER)
  return index < 0 ? null : skip('AlreadyInjected', ref, `spec.initContainers[${index}].name`, PROXY_CONTAINER)
}

// The kubelet would find the mirror unlike its manifest and recreate it without end.
export const mirrorPod: Rule = ({ pod }, ref) =>
  pod.metadata.annotations?.[MIRROR_ANNOTATION] === undefined
    ? null
    : skip('MirrorPod', ref, annotationPath(MIRROR_ANNOTATION))

export const systemNamespace: Rule = ({ namespace, mesh }, ref) => {
  const { name } = namespace.metadata
  return [...SYSTEM_NAMESPACES, mesh.ownNamespace].includes(name)
    ? skip('SystemNamespace', ref, 'metadata.namespace', name)
    : null
}

export const namespaceNotInMesh: Rule = (request) => {
  const { namespace, mesh } = request
  if (annotation(namespace.metadata.labels, MONITORED_BY)?.value === mesh.name) return null
  return skip('NamespaceNotInMesh', namespaceRef(request), 'metadata.labels', namespace.metadata.name, {
    mesh: mesh.name,
  })
}

export const hostNetwork: Rule = ({ pod }, ref) =>
  pod.spec.hostNetwork === true ? skip('HostNetwork', ref, 'spec.hostNetwork', true) : null

export const otherOperatingSystem: Rule = ({ pod }, ref) => {
  const { os, nodeSelector } = pod.spec as {
    os?: { name?: unknown } | null
    nodeSelector?: Record<string, unknown> | null
  }
  const found = [
    ['spec.os.name', os?.name],
    ['spec.nodeSelector[kubernetes.io/os]', nodeSelector?.['kubernetes.io/os']],
  ] as const
  const other = found.find(([, name]) => name !== undefined && name !== 'linux')
  return other === undefined ? null : skip('OtherOperatingSystem', ref, other[0], other[1])
}

export const noContainers: Rule = ({ pod }, ref) =>
  (pod.spec.containers ?? []).length === 0 ? skip('NoContainers', ref, 'spec.containers') : null

/** The pod's own word, else its namespace's, else no. */
export const notWanted: Rule = (request, ref) => {
  const { pod, namespace } = request
  const ofPod = annotation(pod.metadata.annotations, INJECTION)
  const said = ofPod ?? annotation(namespace.metadata.annotations, INJECTION)
  if (said === undefined) return skip('InjectionNotEnabled', ref, 'metadata.annotations')
  const object = ofPod === undefined ? namespaceRef(request) : ref
  const path = annotationPath(said.key)
  const value = said.value.trim().toLowerCase()
  if (YES.includes(value)) return null
  if (NO.includes(value)) return skip('InjectionDisabled', object, path, said.value)
  return { outcome: 'refuse', issue: { code: 'InjectionValueUnknown', object, path, value: said.value } }
}

/** In this order; the first that finds something decides. */
const RULES: readonly Rule[] = [
  alreadyInjected,
  mirrorPod,
  systemNamespace,
  namespaceNotInMesh,
  hostNetwork,
  otherOperatingSystem,
  noContainers,
  notWanted,
]

export const firstFinding = (request: InjectRequest, ref: ObjectRef): Finding | null => {
  for (const rule of RULES) {
    const finding = rule(request, ref)
    if (finding !== null) return finding
  }
  return null
}

/** Names that the additions need and the pod has taken: Kubernetes would refuse the pod with a message about ours. */
export const takenNames = (pod: Pod, ref: ObjectRef): readonly Issue[] => {
  const taken = (path: string, value: string): Issue => ({ code: 'ReservedNameTaken', object: ref, path, value })
  const names = (list: readonly { readonly name: string }[] | undefined, path: string, reserved: readonly string[]) =>
    (list ?? []).flatMap(({ name }, i) => (reserved.includes(name) ? [taken(`${path}[${i}].name`, name)] : []))
  const containers = [INIT_CONTAINER, PROXY_CONTAINER]
  return [
    ...(pod.metadata.annotations?.[STATUS_ANNOTATION] === undefined
      ? []
      : [taken(annotationPath(STATUS_ANNOTATION), STATUS_ANNOTATION)]),
    ...names(pod.spec.initContainers, 'spec.initContainers', containers),
    ...names(pod.spec.containers, 'spec.containers', containers),
    ...names(pod.spec.volumes, 'spec.volumes', [ROUTES_VOLUME, IDENTITY_VOLUME]),
  ]
}

/** Ports that both a container of the pod and the sidecar would listen on. */
export const takenPorts = (pod: Pod, ref: ObjectRef, interception: Interception): readonly Issue[] =>
  pod.spec.containers.flatMap((container, c) => {
    const ports = Array.isArray(container['ports']) ? container['ports'] : []
    return ports.flatMap((port: { containerPort?: unknown } | null, p) =>
      [ADMIN_PORT, interception === 'explicit' ? EXPLICIT_PORT : CAPTURE_PORT, METRICS_PORT].some(
        (own) => own === port?.containerPort,
      )
        ? [
            {
              code: 'SidecarPortTaken',
              object: ref,
              path: `spec.containers[${c}].ports[${p}].containerPort`,
              value: port?.containerPort,
            },
          ]
        : [],
    )
  })
