import { X509Certificate } from 'node:crypto'
import { parseDocument } from 'yaml'
import type { Connection, TlsOptions } from './connection.ts'
import { serverUrl } from './server-url.ts'

/** What a kubeconfig comes to, or all that is wrong with it. No problem repeats any of its text: it holds credentials. */
export type Kubeconfig =
  | {
      readonly ok: true
      readonly connection: Connection
      /** RFC 3339: when the first of its credentials expires, where they say so. */
      readonly credentialsExpire?: string
    }
  | { readonly ok: false; readonly problems: readonly string[] }

/** What leads out of the text: to files and programs of the machine it was made on, or through a proxy. */
const ELSEWHERE = {
  cluster: ['certificate-authority', 'proxy-url'],
  user: ['client-certificate', 'client-key', 'tokenFile', 'exec', 'auth-provider'],
} as const

/** Known and of no use here: a hub acts in its own name only. */
const IMPERSONATION = ['as', 'as-uid', 'as-groups', 'as-user-extra'] as const

type Fields = Readonly<Record<string, unknown>>

/** Reads a self-contained kubeconfig, as its current-context says. Pure: touches no file, runs no program. */
export function parseKubeconfig(text: string): Kubeconfig {
  const problems: string[] = []
  const root = fieldsOf(text, problems)
  const context = root && pick(root, 'contexts', 'context', root['current-context'], 'current-context', problems)
  if (!root || !context) return { ok: false, problems }
  const cluster = pick(root, 'clusters', 'cluster', context['cluster'], 'the cluster of the context', problems) ?? {}
  const user = pick(root, 'users', 'user', context['user'], 'the user of the context', problems) ?? {}
  if (problems.length > 0) return { ok: false, problems }

  const read = readerOf(problems)
  const server = serverOf(read.text(cluster, 'cluster', 'server'), problems)
  for (const name of ELSEWHERE.cluster) if (isSet(cluster[name])) problems.push(`it needs ${reason(`cluster.${name}`)}`)
  for (const name of ELSEWHERE.user) if (isSet(user[name])) problems.push(`it needs ${reason(`user.${name}`)}`)
  for (const name of IMPERSONATION) if (isSet(user[name])) problems.push(`user.${name} is not supported`)

  const ca = read.pem(cluster, 'cluster', 'certificate-authority-data')
  const cert = read.pem(user, 'user', 'client-certificate-data')
  const key = read.pem(user, 'user', 'client-key-data')
  const servername = read.text(cluster, 'cluster', 'tls-server-name')
  const insecure = cluster['insecure-skip-tls-verify'] === true
  const token = read.text(user, 'user', 'token')
  const name = read.text(user, 'user', 'username')
  const password = read.text(user, 'user', 'password')
  const namespace = read.text(context, 'context', 'namespace')
  if (insecure && ca !== undefined)
    problems.push('cluster.insecure-skip-tls-verify and cluster.certificate-authority-data are both set')
  if ((cert === undefined) !== (key === undefined))
    problems.push('of user.client-certificate-data and user.client-key-data one is set without the other')
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) problems.push('user.token has characters that no token has')
  const expiries = [certificateExpiry(cert, problems), token === undefined ? undefined : tokenExpiry(token)]
  if (problems.length > 0 || server === undefined) return { ok: false, problems }

  const tls: TlsOptions = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
    ...(servername === undefined ? {} : { servername }),
    ...(insecure ? { rejectUnauthorized: false } : {}),
  }
  const credentials = { headers: authorization(token, name, password), tls }
  const [earliest] = expiries.filter((each) => each !== undefined).toSorted()
  return {
    ok: true,
    connection: {
      server,
      ...(namespace === undefined ? {} : { namespace }),
      credentials: async () => credentials,
    },
    ...(earliest === undefined ? {} : { credentialsExpire: earliest }),
  }
}

function fieldsOf(text: string, problems: string[]): Fields | undefined {
  const document = parseDocument(text, { prettyErrors: true, logLevel: 'silent' })
  const [error] = document.errors
  if (error !== undefined) {
    const line = error.linePos?.[0].line
    problems.push(`it is not YAML (${error.code}${line === undefined ? '' : ` in line ${line}`})`)
    return undefined
  }
  try {
    const value: unknown = document.toJS()
    if (isFields(value)) return value
    problems.push('it is not a map of fields')
  } catch {
    // Aliases are followed only here: one may have no anchor, or many may unfold without end.
    problems.push('an alias in it leads nowhere, or too far')
  }
  return undefined
}

/** The entry of a list of named things. */
function pick(
  root: Fields,
  list: string,
  part: string,
  name: unknown,
  what: string,
  problems: string[],
): Fields | undefined {
  if (typeof name !== 'string' || name === '') {
    problems.push(`${what} is missing`)
    return undefined
  }
  const entries = Array.isArray(root[list]) ? (root[list] as readonly unknown[]).filter(isFields) : []
  const found = entries.find((entry) => entry['name'] === name)
  if (found === undefined) problems.push(`${list} has no entry for ${what}`)
  else if (isFields(found[part])) return found[part]
  // Somebody without credentials is somebody, too.
  else if (found[part] === undefined || found[part] === null) return {}
  else problems.push(`${part} of an entry of ${list} is not a map of fields`)
  return undefined
}

function readerOf(problems: string[]) {
  const text = (fields: Fields, of: string, name: string): string | undefined => {
    const value = fields[name]
    if (!isSet(value)) return undefined
    if (typeof value === 'string') return value
    problems.push(`${of}.${name} is not text`)
    return undefined
  }
  return {
    text,
    pem: (fields: Fields, of: string, name: string): string | undefined => {
      const encoded = text(fields, of, name)?.replaceAll(/\s/g, '')
      if (encoded === undefined) return undefined
      const decoded = Buffer.from(encoded, 'base64').toString('utf8')
      if (/^[A-Za-z0-9+/]+=*$/.test(encoded) && decoded.includes('-----BEGIN ')) return decoded
      problems.push(`${of}.${name} is not PEM in base64`)
      return undefined
    },
  }
}

function serverOf(url: string | undefined, problems: string[]): string | undefined {
  const parsed = serverUrl(url)
  if (parsed === undefined) problems.push('cluster.server is not a plain https URL')
  return parsed?.href.replace(/\/+$/, '')
}

const reason = (field: string): string =>
  field === 'cluster.proxy-url' ? 'a proxy (cluster.proxy-url)' : `something of another machine (${field})`

function authorization(token?: string, name?: string, password?: string): Readonly<Record<string, string>> {
  if (token !== undefined) return { authorization: `Bearer ${token}` }
  if (name === undefined) return {}
  return { authorization: `Basic ${Buffer.from(`${name}:${password ?? ''}`).toString('base64')}` }
}

function certificateExpiry(pem: string | undefined, problems: string[]): string | undefined {
  if (pem === undefined) return undefined
  try {
    return new Date(new X509Certificate(pem).validTo).toISOString().replace(/\.\d+/, '')
  } catch {
    problems.push('user.client-certificate-data holds no certificate')
    return undefined
  }
}

/** Of a JWT that says so. What else a token may be says nothing. */
function tokenExpiry(token: string): string | undefined {
  try {
    const [, payload = ''] = token.split('.')
    const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as { readonly exp?: unknown }
    return typeof exp === 'number' ? new Date(exp * 1_000).toISOString().replace(/\.\d+/, '') : undefined
  } catch {
    return undefined
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== ''
