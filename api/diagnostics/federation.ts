import type { Diagnostic } from '../issue.ts'

/** What merging the exports of several clusters has to say. A code is also the Reason of a status condition. */
export const FEDERATION = {
  NoConflicts: {
    level: 'info',
    sentence: 'exporting clusters agree about the service ({total} of {total})',
    fix: 'Nothing to do',
  },
  PortConflict: {
    level: 'warning',
    sentence:
      '{count} of {total} exporting clusters have other ports than {winner}, whose export is the oldest: {what}',
    fix: 'Give the Services and the rules of their exports the same ports; until then calls go to whoever serves a port',
  },
  TypeConflict: {
    level: 'warning',
    sentence:
      'in {winner}, whose export is the oldest, the Service is {type}, in {count} of {total} exporting clusters it is not; callers get one address for all of them in any case',
    fix: 'Make the Services all headless or none of them',
  },
  ServiceAccountConflict: {
    level: 'warning',
    sentence:
      'the import says service account {account} because {winner} does, whose export is the oldest; {count} of {total} exporting clusters say otherwise',
    fix: 'Set the same spec.serviceAccountName in all of them',
  },
  TargetClusterUnknown: {
    level: 'warning',
    sentence: 'no cluster has the key {value} (yet), so nobody imports the service by it',
    fix: 'Register the cluster, or correct the key',
  },
} as const satisfies Record<string, Diagnostic>
