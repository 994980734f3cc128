/** Rules for fields that several kinds have. */
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { CLUSTER_KEY, DNS_NAME, PATH_CHARACTERS } from '../api/fields.ts'
import { type At, type Finding, found, text } from './validate-read.ts'

const CLUSTER_KEY_FORM = new RegExp(CLUSTER_KEY)
const DNS_NAME_FORM = new RegExp(DNS_NAME)
const PATH_FORM = new RegExp(PATH_CHARACTERS)
const PATH_CHARACTER = new RegExp(PATH_CHARACTERS.replace('*$', '$'))

export function* clusterKeyRules(at: At): Iterable<Finding> {
  const key = text(at)
  if (key === undefined || CLUSTER_KEY_FORM.test(key)) return
  yield found('ClusterKeyMalformed', at, { suggestion: suggestedKey(key) })
}

/** Missing parts are `default`, as they are for a Cluster that does not set them. */
function suggestedKey(key: string): string {
  const parts = key.split('/').map((part) => part || 'default')
  const padded = [...Array<string>(4).fill('default'), ...parts].slice(-4)
  const suggestion = padded.join('/')
  return CLUSTER_KEY_FORM.test(suggestion) ? suggestion : 'default/default/default/cluster-1'
}

export function* pathRules(at: At): Iterable<Finding> {
  const path = text(at)
  if (path === undefined) return
  if (!path.startsWith('/')) yield found('PathWithoutSlash', at, { suggestion: normalized(path) })
  if (!PATH_FORM.test(path)) {
    const odd = [...new Set(path)].filter((character) => !PATH_CHARACTER.test(character))
    yield found('PathCharacters', at, { characters: odd.map((c) => JSON.stringify(c)).join(' ') })
  }
  if (hasEmptyOrDotSegment(path)) yield found('PathSegments', at, { suggestion: normalized(path) })
}

export function hasEmptyOrDotSegment(path: string): boolean {
  return path.includes('//') || /\/[.][.]?(\/|$)/.test(path)
}

/** The path as a proxy sees it: no empty and no dot segments, no slash at the end. */
export function normalized(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop()
    else if (segment !== '' && segment !== '.') kept.push(segment)
  }
  return `/${kept.join('/')}`
}

export function* gatewayHostRules(at: At): Iterable<Finding> {
  const host = text(at)
  if (host === undefined) return
  if (!isAddress(host) && !DNS_NAME_FORM.test(host)) yield found('GatewayHostMalformed', at)
  else {
    const what = unreachable(host)
    if (what !== undefined) yield found('GatewayHostUnreachable', at, { what })
  }
}

/** An IP address as the API server counts it: no zone, no IPv4 in IPv6's clothes. */
export function isAddress(host: string): boolean {
  return isIP(host) !== 0 && !host.includes('%') && !/^::ffff:[0-9a-f]+:[0-9a-f]+$/.test(shortest(host))
}

/** The one way to write an address; `::1.2.3.4` in hexadecimal, which ipaddr.js would take for an IPv4 address. */
function shortest(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : address
}

const SPECIAL: Readonly<Record<string, string>> = {
  broadcast: 'broadcast',
  linkLocal: 'link-local',
  loopback: 'loopback',
  multicast: 'multicast',
  unspecified: 'unspecified',
}

/** Why no other machine can reach this address or name; undefined when one might. */
export function unreachable(host: string): string | undefined {
  if (isIP(host) !== 0 && !host.includes('%')) return SPECIAL[ipaddr.process(shortest(host)).range()]
  return /^(.+[.])?localhost[.]?$/i.test(host) ? 'localhost' : undefined
}
