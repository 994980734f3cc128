import type { Diagnostic } from '../issue.ts'

/** What is to be said of objects of the standard that a member makes. Codes that are its reasons are spelt as it spells them. */
export const STANDARD_IMPORTS = {
  ReadyAt: {
    level: 'info',
    sentence: 'it can be called at {addresses}',
    fix: 'Call {name}',
  },
  ReadyByPod: {
    level: 'info',
    sentence:
      '{name} answers the addresses of its pods, which callers in other clusters reach only where the clusters share a network',
    fix: 'Nothing to do where they do; else export a Service with a clusterIP',
  },
  AddressPending: {
    level: 'info',
    sentence: 'it has no address yet',
    fix: 'Wait a moment; if it stays so, ask portolan explain {service}',
  },
  NoPortCarried: {
    level: 'warning',
    sentence: 'no port is TCP, and only TCP is carried from cluster to cluster, so it cannot be called',
    fix: 'Export a Service that has a TCP port, or a headless one where the clusters share a network',
  },
  IPFamilyNotSupported: {
    level: 'warning',
    sentence: 'its Services have {families}, and this cluster has {own} alone, so it cannot be called',
    fix: 'Give the exported Services an IP family that this cluster has',
  },
  ObjectTaken: {
    level: 'warning',
    sentence: 'it was not made by Portolan, which would make one of this name, so it is left as it is',
    fix: 'Delete it when nobody needs it: Portolan then makes its own',
  },
} as const satisfies Record<string, Diagnostic>
