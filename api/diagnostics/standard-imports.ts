import type { Diagnostic } from '../issue.ts'

/** What is to be said of objects of the standard that a member makes. Codes that are its reasons are spelt as it spells them. */
export const STANDARD_IMPORTS = {
  ObjectTaken: {
    level: 'warning',
    sentence: 'it was not made by Portolan, which would make one of this name, so it is left as it is',
    fix: 'Delete it when nobody needs it: Portolan then makes its own',
  },
} as const satisfies Record<string, Diagnostic>
