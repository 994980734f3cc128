/** What a port speaks, as far as routing cares. An absent appProtocol is HTTP: names that are imported mostly are. */

const HTTP = new Set(['http', 'http1', 'kubernetes.io/ws', 'ws', 'grpc-web'])
const HTTP2 = new Set(['http2', 'h2c', 'grpc', 'kubernetes.io/h2c'])

export const isHttp = (appProtocol: string | undefined): boolean =>
  appProtocol === undefined || HTTP.has(appProtocol.toLowerCase()) || isHttp2(appProtocol)

/** HTTP/2 without TLS and nothing else. */
export const isHttp2 = (appProtocol: string | undefined): boolean =>
  appProtocol !== undefined && HTTP2.has(appProtocol.toLowerCase())
