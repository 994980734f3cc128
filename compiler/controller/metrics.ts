import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What the compiler counts. Labels are few and closed: kinds, codes, reasons, never names of pods. */
export function createMetrics(registry = new Registry()) {
  const at = { registers: [registry] }
  return {
    registry,
    compileSeconds: new Histogram({
      ...at,
      name: 'portolan_compile_seconds',
      help: 'Time from snapshot to planned writes.',
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    }),
    writes: new Counter({
      ...at,
      name: 'portolan_writes_total',
      help: 'Writes to the API server by action and result (ok, or the reason it failed for).',
      labelNames: ['action', 'result'],
    }),
    routes: new Gauge({
      ...at,
      name: 'portolan_routes',
      help: 'Routed service-ports by namespace.',
      labelNames: ['namespace'],
    }),
    tableBytes: new Gauge({
      ...at,
      name: 'portolan_table_bytes',
      help: 'Size of the largest ConfigMap of each name.',
      labelNames: ['name'],
    }),
    issues: new Gauge({ ...at, name: 'portolan_issues', help: 'Standing diagnostics by code.', labelNames: ['code'] }),
    sidecarsMissing: new Gauge({
      ...at,
      name: 'portolan_sidecars_missing',
      help: 'Pods that should carry a sidecar and run without one, by namespace.',
      labelNames: ['namespace'],
    }),
    nudges: new Counter({
      ...at,
      name: 'portolan_nudges_total',
      help: 'Pods touched so that their kubelet renews files.',
    }),
    nudgesWaiting: new Gauge({ ...at, name: 'portolan_nudges_waiting', help: 'Pods that wait for their nudge.' }),
    leading: new Gauge({ ...at, name: 'portolan_leading', help: '1 on the replica that writes.' }),
    informerEvents: new Counter({
      ...at,
      name: 'portolan_informer_events_total',
      help: 'What watches of the API server went through.',
      labelNames: ['resource', 'event'],
    }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>
