import { Counter, Histogram, Registry } from 'prom-client'
import type { Verdict } from './answer.ts'

/** What the webhook counts. Labels take their values from fixed sets only: paths, outcomes, codes of the catalogue. */
export interface WebhookMetrics {
  readonly registry: Registry
  readonly decided: (verdict: Verdict, seconds: number) => void
  /** A request that got no AdmissionReview back. */
  readonly turnedAway: (status: number) => void
}

export const createMetrics = (registry = new Registry()): WebhookMetrics => {
  const decisions = new Counter({
    name: 'portolan_admission_decisions_total',
    help: 'Admission questions answered, by path, outcome and deciding reason.',
    labelNames: ['door', 'outcome', 'reason'] as const,
    registers: [registry],
  })
  const seconds = new Histogram({
    name: 'portolan_admission_seconds',
    help: 'Time from a parsed question to its answer.',
    labelNames: ['door'] as const,
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [registry],
  })
  const turnedAway = new Counter({
    name: 'portolan_admission_rejected_requests_total',
    help: 'HTTP requests answered without an AdmissionReview, by status.',
    labelNames: ['status'] as const,
    registers: [registry],
  })
  return {
    registry,
    decided: (verdict, taken) => {
      decisions.inc({ door: verdict.door, outcome: verdict.outcome, reason: verdict.codes[0] })
      seconds.observe({ door: verdict.door }, taken)
    },
    turnedAway: (status) => turnedAway.inc({ status }),
  }
}
