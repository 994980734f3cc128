import type { DnsRecord } from './tables.ts'

/** A file for CoreDNS's plugin `hosts`: one name a line. */
export const hostsFile = (records: readonly DnsRecord[]): string =>
  records.map(({ name, address }) => `${address} ${name}\n`).join('')
