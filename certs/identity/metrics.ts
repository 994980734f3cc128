import { Counter, Gauge, Registry } from 'prom-client'

/** What the identity server counts. Labels are few and closed. */
export function createMetrics(registry = new Registry()) {
  const at = { registers: [registry] }
  return {
    registry,
    leading: new Gauge({ ...at, name: 'portolan_leading', help: '1 on the replica that writes.' }),
    roots: new Gauge({ ...at, name: 'portolan_identity_roots', help: 'Roots by phase.', labelNames: ['phase'] }),
    rootExpiry: new Gauge({
      ...at,
      name: 'portolan_identity_root_expiry_seconds',
      help: 'When the root that signs expires, in seconds since the epoch.',
    }),
    waitingFor: new Gauge({
      ...at,
      name: 'portolan_identity_roll_waits_for',
      help: 'Members that lack the root that is to sign next.',
    }),
    leaves: new Gauge({ ...at, name: 'portolan_identity_leaves', help: 'Service accounts that have an identity.' }),
    issued: new Counter({
      ...at,
      name: 'portolan_identity_issued_total',
      help: 'Leaves made, by why.',
      labelNames: ['why'],
    }),
    writes: new Counter({
      ...at,
      name: 'portolan_writes_total',
      help: 'Writes to the API server by action and result (ok, or the reason it failed for).',
      labelNames: ['action', 'result'],
    }),
    issues: new Gauge({ ...at, name: 'portolan_issues', help: 'Standing diagnostics by code.', labelNames: ['code'] }),
    informerEvents: new Counter({
      ...at,
      name: 'portolan_informer_events_total',
      help: 'What watches of the API server went through.',
      labelNames: ['resource', 'event'],
    }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>
