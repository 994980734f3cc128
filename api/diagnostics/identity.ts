import type { Diagnostic } from '../issue.ts'

/** What the identity server has to say. */
export const IDENTITY = {
  IdentitySecretForeign: {
    level: 'error',
    sentence:
      'somebody else has a Secret of this name, so the service accounts of the namespace get no identity and pods with a sidecar do not start',
    fix: 'Delete the Secret or rename it; if it was ours, label it app.kubernetes.io/managed-by=portolan again',
  },
  CaSecretUnusable: {
    level: 'error',
    sentence:
      'the root that cert-manager is to keep here cannot be used: {why}; certificates go on by the root before, if there is one',
    fix: 'See what cert-manager says of the Certificate portolan-root',
  },
} as const satisfies Record<string, Diagnostic>
