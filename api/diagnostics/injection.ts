import type { Diagnostic } from '../issue.ts'

/** What can be said about a pod at injection: the outcome, what a refusal is for, and warnings. */
export const INJECTION = {
  Injected: {
    level: 'info',
    sentence: 'the pod gets its sidecar',
    fix: 'Nothing to do',
  },
  NotACreation: {
    level: 'info',
    sentence: 'a pod gets its sidecar when it is created, not by {operation}',
    fix: 'Nothing to do',
  },
  AlreadyInjected: {
    level: 'info',
    sentence: 'the pod already has a container {value}',
    fix: 'Nothing to do',
  },
  MirrorPod: {
    level: 'info',
    sentence: 'a mirror of a static pod cannot be changed from here',
    fix: 'Run the workload as a Deployment or DaemonSet to have it in the mesh',
  },
  SystemNamespace: {
    level: 'info',
    sentence: 'pods of namespace {value} are never given a sidecar',
    fix: 'Run the workload in a namespace of its own',
  },
  NamespaceNotInMesh: {
    level: 'info',
    sentence: 'namespace {value} is not part of mesh {mesh}',
    fix: 'Label it: kubectl label namespace {value} flomesh.io/monitored-by={mesh}',
  },
  HostNetwork: {
    level: 'info',
    sentence: 'the pod uses the network of its node, where a capture rule would hit every process',
    fix: 'Remove spec.hostNetwork to have the pod in the mesh',
  },
  OtherOperatingSystem: {
    level: 'info',
    sentence: 'the pod runs on {value}, the sidecar only on linux',
    fix: 'Call imports from a Linux pod',
  },
  NoContainers: {
    level: 'info',
    sentence: 'the pod has no containers',
    fix: 'Give it at least one container',
  },
  InjectionDisabled: {
    level: 'info',
    sentence: 'the annotation says {value}',
    fix: 'Set it to enabled to have the pod in the mesh',
  },
  InjectionNotEnabled: {
    level: 'info',
    sentence: 'neither the pod nor its namespace asks for a sidecar',
    fix: 'Annotate one of them: flomesh.io/sidecar-injection=enabled',
  },
  InjectionValueUnknown: {
    level: 'error',
    sentence: '{value} is neither enabled nor disabled',
    fix: 'Write enabled or disabled, or remove the annotation',
  },
  SettingInvalid: {
    level: 'error',
    sentence: '{value} is not {expected}',
    fix: 'Write {form}, or remove the setting',
  },
  RequestExceedsLimit: {
    level: 'error',
    sentence: 'the sidecar requests {value} of {resource}, more than its limit of {limit}',
    fix: 'Lower the request or raise the limit',
  },
  ReservedNameTaken: {
    level: 'error',
    sentence: '{value} is a name that injection needs for itself',
    fix: 'Rename or remove it',
  },
  SettingUnknown: {
    level: 'warning',
    sentence: '{value} is no setting of the sidecar and has no effect',
    fix: 'Correct the name or remove the annotation; known are {known}',
  },
  ImportsExcluded: {
    level: 'warning',
    sentence:
      '{value} takes in addresses of imports, which come from {vipRange}: calls to those bypass the sidecar of new pods and fail',
    fix: 'Remove it, or write ranges that leave {vipRange} out',
  },
  ImportsNotIncluded: {
    level: 'warning',
    sentence:
      'the list leaves out addresses of imports, which come from {vipRange}: calls to those bypass the sidecar of new pods and fail',
    fix: 'Add {vipRange}, or remove the list: nothing but calls to imports is ever captured',
  },
  NothingInboundCaptured: {
    level: 'warning',
    sentence: 'the list has no effect: the sidecar captures nothing that comes into a pod',
    fix: 'Nothing to do; remove it if no other mesh reads it',
  },
  SidecarPortTaken: {
    level: 'warning',
    sentence: 'port {value} is one that the sidecar listens on',
    fix: 'Use another port, or one of the two will fail to start',
  },
  DnsPolicyKept: {
    level: 'warning',
    sentence: 'the pod keeps its own dnsPolicy {value}, so names of imports do not resolve in it',
    fix: 'Remove spec.dnsPolicy, or query mesh DNS at {nameserver}',
  },
  ProxyKept: {
    level: 'warning',
    sentence:
      'container {container} keeps the HTTP proxy that it names itself, so its calls to imports do not reach the sidecar',
    fix: 'Remove http_proxy and HTTP_PROXY from its environment, or have that proxy pass calls to imports on to {proxy}',
  },
  PodSecurityRefuses: {
    level: 'warning',
    sentence:
      'namespace {namespace} enforces the Pod Security level {value}, which refuses the capability NET_ADMIN of the init container, and with it the pod',
    fix: 'Annotate the namespace flomesh.io/interception=explicit, which needs no capability, or label it pod-security.kubernetes.io/enforce=privileged',
  },
  PodSecurityComplains: {
    level: 'info',
    sentence:
      'the Pod Security mode {mode} reports what level {value} refuses, and pods with a sidecar have the capability NET_ADMIN in their init container',
    fix: 'Annotate the namespace flomesh.io/interception=explicit, which needs no capability, before the level is enforced',
  },
  SidecarMissing: {
    level: 'warning',
    sentence:
      'the pod should carry a sidecar and runs without one: it was created while the webhook could not be asked',
    fix: 'Delete the pod, so that it is created anew; if it comes back without, look whether the webhook is ready',
  },
} as const satisfies Record<string, Diagnostic>

export type InjectionCode = keyof typeof INJECTION
