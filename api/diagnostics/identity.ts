import type { Diagnostic } from '../issue.ts'

/** What the identity server has to say. */
export const IDENTITY = {
  IdentitySecretForeign: {
    level: 'error',
    sentence:
      'somebody else has a Secret of this name, so the service accounts of the namespace get no identity and pods with a sidecar do not start',
    fix: 'Delete the Secret or rename it; if it was ours, label it app.kubernetes.io/managed-by=portolan again',
  },
} as const satisfies Record<string, Diagnostic>
