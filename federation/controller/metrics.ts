import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What the hub counts. Labels are few: actions, codes, reasons, and names of Clusters. */
export function createMetrics(registry = new Registry()) {
  const at = { registers: [registry] }
  return {
    registry,
    mergeSeconds: new Histogram({
      ...at,
      name: 'portolan_merge_seconds',
      help: 'Time from what the members hold to what they should hold.',
      buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    }),
    writes: new Counter({
      ...at,
      name: 'portolan_writes_total',
      help: 'Writes to API servers by Cluster, action and result (ok, or the reason it failed for).',
      labelNames: ['cluster', 'action', 'result'],
    }),
    members: new Gauge({
      ...at,
      name: 'portolan_members',
      help: 'Clusters by reason of Managed.',
      labelNames: ['reason'],
    }),
    leaving: new Gauge({
      ...at,
      name: 'portolan_members_leaving',
      help: 'Members whose Cluster is gone, in which something of the hub is left.',
    }),
    lastContact: new Gauge({
      ...at,
      name: 'portolan_member_last_contact_seconds',
      help: 'When a member’s API server last answered, in seconds since 1970.',
      labelNames: ['cluster'],
    }),
    exports: new Gauge({
      ...at,
      name: 'portolan_exports',
      help: 'ServiceExports by Cluster.',
      labelNames: ['cluster'],
    }),
    imports: new Gauge({
      ...at,
      name: 'portolan_imports',
      help: 'ServiceImports that the hub keeps, by Cluster.',
      labelNames: ['cluster'],
    }),
    leading: new Gauge({ ...at, name: 'portolan_leading', help: '1 on the replica that writes.' }),
    informerEvents: new Counter({
      ...at,
      name: 'portolan_informer_events_total',
      help: 'What watches of API servers went through.',
      labelNames: ['resource', 'event'],
    }),
  }
}

export type Metrics = ReturnType<typeof createMetrics>
