/** Field schemas that several kinds share, each with the rules that the API server itself can check. */
import { Type } from 'typebox'

/** A check in CEL that the API server runs with or without our webhook. `self` is the value the schema describes. */
export interface CelRule {
  readonly rule: string
  /** What is wrong and what to do about it. The API server puts the field in front, and the value of a plain field. */
  readonly message: string
  /** CEL that yields the message, where it has to name the value itself; `message` stands in when it fails. */
  readonly messageExpression?: string
  readonly reason?: 'FieldValueInvalid' | 'FieldValueRequired'
  /** Field below `self` that the problem is reported at. */
  readonly fieldPath?: string
}

/** Schema option that carries CEL rules. */
export function cel(...rules: readonly CelRule[]): { 'x-kubernetes-validations': readonly CelRule[] } {
  return { 'x-kubernetes-validations': rules }
}

/** One of the first three parts of a clusterKey. */
export const KEY_PART = '[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?'
/** The last part is a Cluster's metadata.name. */
const KEY_NAME = '[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?'
export const CLUSTER_KEY = `^(${KEY_PART}/){3}${KEY_NAME}$`
/** Characters of a path that mean the same to every proxy, encoded or not. As ranges: a short rule costs the API server less. */
export const PATH_CHARACTERS = String.raw`^[!$&-)+-;=@\w~]*$`

export const CLUSTER_KEY_MAX = 255

export function clusterKey(description: string) {
  return Type.String({
    description,
    minLength: 1,
    maxLength: CLUSTER_KEY_MAX,
    ...cel({
      rule: `self.matches('${CLUSTER_KEY}')`,
      message: 'is not a cluster key; write region/zone/group/name, for example default/default/default/cluster-1',
    }),
  })
}

/** One name of letters, digits and dashes in which `*` stands for any of them, as many as there are. */
const NAME_PATTERN = '[a-z0-9*]([-a-z0-9*]*[a-z0-9*])?'
const KEY_PART_PATTERN = '[A-Za-z0-9*]([-A-Za-z0-9_.*]*[A-Za-z0-9*])?'
const DOTTED_PATTERN = `${NAME_PATTERN}([.]${NAME_PATTERN})*`

/** What patterns of each sort look like, and what to do about one that matches nothing. */
export const CLIENT_PATTERNS = {
  clusters: {
    form: `^(${KEY_PART_PATTERN}/${KEY_PART_PATTERN}/${KEY_PART_PATTERN}/)?${DOTTED_PATTERN}$`,
    longest: CLUSTER_KEY_MAX,
    remedy: 'write the name of a cluster or its whole key region/zone/group/name, with * for any letters of a part',
  },
  namespaces: {
    form: `^${NAME_PATTERN}$`,
    longest: 63,
    remedy: 'write the name of a namespace, with * for any letters of it',
  },
  serviceAccounts: {
    form: `^${DOTTED_PATTERN}$`,
    longest: 253,
    remedy:
      'write the name of a service account alone, with * for any letters of it; its namespace goes into namespaces',
  },
} as const

/** Patterns of one sort that names of callers are held against. */
export function clientPatterns(sort: keyof typeof CLIENT_PATTERNS, description: string) {
  const { form, longest, remedy } = CLIENT_PATTERNS[sort]
  return Type.Array(
    Type.String({
      description: 'A name, or a pattern of names.',
      minLength: 1,
      maxLength: longest,
      ...cel({
        rule: `self.matches('${form}') && !self.contains('**')`,
        message: `matches nothing; ${remedy}`,
      }),
    }),
    {
      description,
      maxItems: 32,
      'x-kubernetes-list-type': 'set',
      ...cel({
        rule: 'size(self) > 0',
        message: 'an empty list lets nobody in; remove the field to let in any, or list who may call',
      }),
    },
  )
}

export function port(description: string) {
  return Type.Integer({ description, minimum: 1, maximum: 65535, format: 'int32' })
}

/** What a status says elsewhere, once more for a printer column: of a list, those show the first entry alone. */
export function inALine(what: string) {
  return Type.String({ description: `${what}, in a line for \`kubectl get\`; default/default/default/ is left out.` })
}

/** A path that a gateway can match without ambiguity. */
export function gatewayPath(description: string) {
  return Type.String({
    description,
    minLength: 1,
    maxLength: 256,
    ...cel(
      {
        rule: "self.startsWith('/')",
        message: 'does not start with a slash; put / in front',
      },
      {
        rule: `self.matches(r'${PATH_CHARACTERS}')`,
        message:
          "a path is made of letters, digits, / and -._~!$&'()+,;=:@ and matches literally; leave out query, fragment, escapes and wildcards",
      },
      {
        rule: "!self.contains('//') && !self.matches('/[.][.]?(/|$)')",
        message: 'proxies rewrite empty and dot segments, so they never match; write the path without them',
      },
    ),
  })
}

/** Where a gateway can be reached: never an address that means the caller's own machine. */
export function gatewayHost(description: string) {
  return Type.String({
    description,
    minLength: 1,
    maxLength: 253,
    ...cel(
      {
        rule: `isIP(self) || self.matches('${DNS_NAME}')`,
        message: 'is neither an IP address nor a DNS name; write the address that other clusters reach the gateway at',
      },
      {
        rule: "isIP(self) ? ip(self).isGlobalUnicast() && !self.startsWith('0.') : !self.matches('(?i)^(.+[.])?localhost[.]?$')",
        message:
          'means something else on every machine (loopback, unspecified, link-local, multicast); write the address that other clusters reach the gateway at',
      },
    ),
  })
}

const DNS_LABEL = '[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?'
/** The last label has a letter, so that a mistyped IPv4 address is not taken for a name. */
const LAST_DNS_LABEL = '[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?'
export const DNS_NAME = `^(${DNS_LABEL}[.])*${LAST_DNS_LABEL}[.]?$`
