/** How the text of a setting is read. */
import ipaddr from 'ipaddr.js'
import { LOG_LEVELS } from '../api/mesh-config.ts'
import { INTERCEPTIONS, type Interception } from '../api/names.ts'

type Parsed<T> = { readonly value: T; readonly bad: readonly string[] }

/** `expected` and `form` complete the message about a bad value. */
export interface SettingType<T> {
  readonly expected: string
  readonly form: string
  readonly parse: (text: string) => Parsed<T>
}

export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
export const byNumber = (a: number, b: number): number => a - b

const items = (text: string): readonly string[] =>
  text.trim() === '' ? [] : text.split(',').map((item) => item.trim())

const listOf = <T>(read: (item: string) => T | undefined, order: (a: T, b: T) => number) => {
  return (text: string): Parsed<readonly T[]> => {
    const value: T[] = []
    const bad: string[] = []
    for (const item of items(text)) {
      const parsed = read(item)
      if (parsed === undefined) bad.push(item)
      else value.push(parsed)
    }
    return { value: [...new Set(value)].sort(order), bad }
  }
}

const oneOf =
  (accepts: (text: string) => boolean) =>
  (text: string): Parsed<string> => {
    const value = text.trim()
    return accepts(value) ? { value, bad: [] } : { value: '', bad: [text] }
  }

const port = (item: string): number | undefined => {
  const number = /^\d{1,5}$/.test(item) ? Number(item) : 0
  return number >= 1 && number <= 65535 ? number : undefined
}

const range = (item: string): string | undefined => {
  if (!ipaddr.isValidCIDR(item) || (!item.includes(':') && !/^\d+\.\d+\.\d+\.\d+\//.test(item))) return undefined
  const [address, bits] = ipaddr.parseCIDR(item)
  const family = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  return `${family.networkAddressFromCIDR(item)}/${bits}`
}

/** A name as the kernel takes it, in letters that iptables and a shell take literally. A plus at its end stands for any ending. */
export const INTERFACE = '^(?=.{1,15}$)[A-Za-z0-9_@.:-]+[+]?$'
const interfaceForm = new RegExp(INTERFACE)

const SCALE: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
}

/** Value of a Kubernetes quantity such as `100m` or `64Mi`; undefined when it is none, or not above zero. */
export const quantityValue = (text: string): number | undefined => {
  const match = /^(\d+(?:\.\d+)?)([a-zA-Z]{0,2})$/.exec(text)
  const scale = match === null ? undefined : SCALE[match[2] ?? '']
  const value = scale === undefined ? 0 : Number(match?.[1]) * scale
  return value > 0 ? value : undefined
}

export const PORTS: SettingType<readonly number[]> = {
  expected: 'a port between 1 and 65535',
  form: 'ports separated by commas, such as 6379,8201',
  parse: listOf(port, byNumber),
}

export const RANGES: SettingType<readonly string[]> = {
  expected: 'an address range in CIDR form',
  form: 'ranges separated by commas, such as 10.43.0.1/32,192.168.0.0/16',
  parse: listOf(range, byText),
}

export const INTERFACES: SettingType<readonly string[]> = {
  expected: 'the name of a network interface',
  form: 'names separated by commas, such as net1,tun+',
  parse: listOf((item) => (interfaceForm.test(item) ? item : undefined), byText),
}

export const LOG_LEVEL: SettingType<string> = {
  expected: 'a log level',
  form: `one of ${LOG_LEVELS.join(', ')}`,
  parse: oneOf((text) => LOG_LEVELS.some((level) => level === text)),
}

const isInterception = (text: string): text is Interception => INTERCEPTIONS.some((each) => each === text)

export const INTERCEPTION: SettingType<Interception> = {
  expected: 'a way of interception',
  form: `one of ${INTERCEPTIONS.join(', ')}`,
  parse: (text) => {
    const value = text.trim().toLowerCase()
    return isInterception(value) ? { value, bad: [] } : { value: INTERCEPTIONS[0], bad: [text] }
  },
}

export const quantityLike = (example: string): SettingType<string> => ({
  expected: 'a quantity above zero',
  form: `a quantity such as ${example}`,
  parse: oneOf((text) => quantityValue(text) !== undefined),
})
