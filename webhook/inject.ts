import { INJECTION, type InjectionCode } from '../api/diagnostics/injection.ts'
import type { Issue, ObjectRef } from '../api/issue.ts'
import { STATUS_ANNOTATION } from '../api/names.ts'
import type { InjectRequest, InjectResult, RefusalCode } from './decision.ts'
import { environments, explicitProxy, keptProxies } from './inject-explicit.ts'
import { type Additions, toPatch, withAdditions } from './inject-patch.ts'
import { firstFinding, podRef, takenNames, takenPorts } from './inject-rules.ts'
import { resolveSettings, type Settings } from './inject-settings.ts'
import { chooseProxyUid, initContainer, meshDnsConfig, proxyContainer, volumesFor } from './inject-sidecar.ts'
import { podSecurity } from './pod-security.ts'
import { statusOf } from './uninject.ts'

const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container'

/**
 * Decides whether a pod gets a sidecar and builds it.
 *
 * Total and pure: the same request gives the same bytes, and the pod given is never changed. A refusal names everything
 * that is wrong at once.
 */
export const inject = (request: InjectRequest): InjectResult => {
  const { pod, namespace } = request
  const ref = podRef(pod, namespace.metadata.name)
  const finding = firstFinding(request, ref)
  if (finding?.outcome === 'skip') return untouched(request, [finding.issue])

  const { settings, issues } = resolveSettings(request, ref)
  const all: readonly Issue[] = [
    ...(finding === null ? [] : [finding.issue]),
    ...issues,
    ...takenNames(pod, ref),
    ...takenPorts(pod, ref, settings.interception),
    ...(settings.interception === 'explicit' ? keptProxies(pod, ref) : keptDnsPolicy(request, ref)),
    ...podSecurity(namespace, settings.interception),
  ]
  if (all.some(isError)) return untouched(request, all)

  const additions = additionsFor(request, settings)
  return {
    decision: { outcome: 'inject' },
    issues: all,
    patch: toPatch(pod, additions),
    pod: withAdditions(pod, additions),
  }
}

const isError = ({ code }: Issue): boolean => INJECTION[code as InjectionCode].level === 'error'

const untouched = ({ pod }: InjectRequest, issues: readonly Issue[]): InjectResult => {
  const refusal = issues.find(isError)
  const code = issues[0]?.code
  return {
    decision:
      refusal === undefined
        ? { outcome: 'skip', code: code as Extract<InjectResult['decision'], { outcome: 'skip' }>['code'] }
        : { outcome: 'refuse', code: refusal.code as RefusalCode },
    issues,
    patch: [],
    pod,
  }
}

/** The API server fills in ClusterFirst before it asks us, so any other policy is the author's own. */
const ownDnsPolicy = (policy: unknown): policy is string => typeof policy === 'string' && policy !== 'ClusterFirst'

const keptDnsPolicy = ({ pod, mesh }: InjectRequest, ref: ObjectRef): readonly Issue[] =>
  ownDnsPolicy(pod.spec.dnsPolicy)
    ? [
        {
          code: 'DnsPolicyKept',
          object: ref,
          path: 'spec.dnsPolicy',
          value: pod.spec.dnsPolicy,
          params: { nameserver: mesh.dns.nameserver },
        },
      ]
    : []

/** With capture: an init container with its rules, and names that lead to addresses of imports. */
const captured = ({ pod, namespace, mesh }: InjectRequest, settings: Settings, uid: number) => ({
  // The sidecar is first, so that the init container can wait for it, and the pod's own init containers can call imports.
  initContainers: [proxyContainer(mesh, settings, uid), initContainer(mesh, settings, uid)],
  environments: [],
  fields: ownDnsPolicy(pod.spec.dnsPolicy)
    ? {}
    : {
        dnsPolicy: 'None',
        dnsConfig: meshDnsConfig(mesh, namespace.metadata.name, pod.spec['dnsConfig'] ?? undefined),
      },
})

/** Without: whoever does not ask the proxy goes on as if there were none, by names of the cluster's own DNS. */
const told = ({ pod, mesh }: InjectRequest, settings: Settings, uid: number) => ({
  initContainers: [explicitProxy(proxyContainer(mesh, settings, uid))],
  environments: environments(pod),
  fields: {},
})

const additionsFor = (request: InjectRequest, settings: Settings): Additions => {
  const { pod, mesh, seed } = request
  const uid = chooseProxyUid(pod, seed)
  const setsDefault = pod.metadata.annotations?.[DEFAULT_CONTAINER] === undefined
  const first = pod.spec.containers[0]?.name ?? ''
  const defaults: Readonly<Record<string, string>> = setsDefault ? { [DEFAULT_CONTAINER]: first } : {}
  const { interception } = settings
  const parts = (interception === 'explicit' ? told : captured)(request, settings, uid)
  const status = statusOf(pod, { uid, annotations: Object.keys(defaults), ...parts, interception })
  return {
    annotations: { ...defaults, [STATUS_ANNOTATION]: JSON.stringify(status) },
    volumes: volumesFor(mesh, pod, interception),
    ...parts,
  }
}
