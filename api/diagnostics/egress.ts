import type { Diagnostic } from '../issue.ts'

/** What is to be said of pods without a sidecar that call imports. */
export const EGRESS = {
  DerivedServiceForeign: {
    level: 'warning',
    sentence:
      'Service {name} of this namespace is not ours, although it has the name of the Service by which pods without a sidecar call this import, so they cannot',
    fix: 'Delete or rename that Service',
  },
  EgressFull: {
    level: 'warning',
    sentence:
      'the egress has no room for it: its ConfigMap holds {limit} kB, and services that are imported for longer take them, so pods without a sidecar are refused a connection',
    fix: 'Give the callers sidecars, import less, or let policies ask for a sidecar (requireSidecar: true) where nobody calls without one',
  },
  EgressPortsExhausted: {
    level: 'warning',
    sentence: 'no port of the egress is left for port {port}, so pods without a sidecar cannot call it',
    fix: 'Import less, or give the callers sidecars',
  },
  SidecarRequired: {
    level: 'info',
    sentence: 'pods without a sidecar are refused a connection to this service',
    fix: 'Set spec.requireSidecar to false to let them call it through the egress and by its identity',
  },
} as const satisfies Readonly<Record<string, Diagnostic>>
