/** What a port speaks, as far as routing cares: messages of HTTP, which are routed one by one, or a stream of bytes. */

export interface Spoken {
  readonly appProtocol?: string
  /** Of the port, as in a Service. */
  readonly name?: string
}

const HTTP = new Set(['http', 'http1', 'kubernetes.io/ws', 'ws', 'grpc-web'])
const HTTP2 = new Set(['http2', 'h2c', 'grpc', 'kubernetes.io/h2c'])

/** First elements of port names that say that no proxy can read what is spoken: `postgres`, `tcp-metrics`. Any other name is HTTP's. */
const STREAMS = new Set([
  ...['tcp', 'tls', 'ssl', 'https', 'wss', 'ssh', 'sftp', 'ftp', 'ldap', 'ldaps', 'dns'],
  ...['postgres', 'postgresql', 'pg', 'pgbouncer', 'mysql', 'mariadb', 'mssql', 'oracle', 'cockroachdb'],
  ...['mongo', 'mongodb', 'redis', 'rediss', 'memcache', 'memcached', 'cassandra', 'cql', 'zookeeper'],
  ...['kafka', 'amqp', 'amqps', 'rabbitmq', 'mqtt', 'mqtts', 'nats', 'stomp', 'pulsar'],
  ...['smtp', 'smtps', 'imap', 'imaps', 'pop3', 'pop3s', 'syslog', 'sip'],
])

/** The protocol that a port's name begins with: `redis` in `redis-main` and in `redis2`. */
const protocolIn = (name: string): string => {
  const [first = ''] = name.toLowerCase().split('-')
  return STREAMS.has(first) ? first : first.replace(/\d+$/, '')
}

/** Whether a port is a stream. Its appProtocol decides; a port without one goes by its name; one without either is HTTP, as most are. */
export const isStream = ({ appProtocol, name }: Spoken): boolean => {
  if (appProtocol !== undefined) return !HTTP.has(appProtocol.toLowerCase()) && !isHttp2(appProtocol)
  return name !== undefined && STREAMS.has(protocolIn(name))
}

/** HTTP/2 without TLS and nothing else. */
export const isHttp2 = (appProtocol: string | undefined): boolean =>
  appProtocol !== undefined && HTTP2.has(appProtocol.toLowerCase())

/** What a port speaks, in a word. */
export const spokenAt = (port: Spoken): string =>
  port.appProtocol ?? (isStream(port) ? protocolIn(port.name ?? '') : 'http')

/**
 * Name by which a gateway knows one port of one Service, as the server name of a TLS handshake. Nobody resolves it.
 * @param service namespace/name
 */
export const serverName = (service: string, port: number): string => {
  const [namespace = '', name = ''] = service.split('/')
  return `${port}.${name}.${namespace}.tcp.portolan`
}

/** By which a TLS handshake at a gateway's port says that no HTTP will follow. */
export const TCP_PROTOCOL = 'portolan-tcp'
