import type { Diagnostic } from '../issue.ts'

/** What there is to say about Services that are shared among clusters by annotation. */
export const GLOBAL = {
  GlobalValueUnknown: {
    level: 'warning',
    sentence: '{value} is none of {known}, so {instead} holds, as if the annotation were not there',
    fix: 'Write one of {known}, or remove the annotation',
  },
  GlobalAnnotationIdle: {
    level: 'warning',
    sentence: 'the annotation has no effect, as the Service is not global',
    fix: 'Add annotation service.cilium.io/global: "true", or remove this one',
  },
} as const satisfies Record<string, Diagnostic>
