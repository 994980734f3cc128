/** What somebody may try against a gateway, or against an export through a sidecar, and what has to come of it. */
import type { Caller } from './attack-world.ts'

export interface Attack {
  readonly name: string
  /** Who connects to the gateway, or to which import through the sidecar of `curl`. Absent: somebody without TLS. */
  readonly by?: Caller | 'TLS without a certificate' | { readonly sidecarTo: string }
  /** Byte by byte. */
  readonly send: string
  /** Statuses in order; none: the connection ends, or stays, without an answer. */
  readonly answers: readonly number[]
  /** Which application has seen what: `name path`. Absent: none has seen anything. */
  readonly reaches?: readonly string[]
  /** Headers that it has seen, besides those that any request has. */
  readonly with?: Readonly<Record<string, string>>
  /** What a line of the gateway's log says. */
  readonly log?: string
}

const get = (path: string, ...headers: readonly string[]): string =>
  `GET ${path} HTTP/1.1\r\nHost: x\r\n${headers.map((header) => `${header}\r\n`).join('')}\r\n`

const post = (headers: string, body: string): string => `POST /open/x HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`

const SECOND = get('/secret/second')

/** A certificate that is no good: nothing comes through, and the log says who, by whom and why. */
const refused = (by: Caller | 'TLS without a certificate', why: string): Attack => ({
  name: `handshake: ${by}`,
  by,
  send: get('/open/x'),
  answers: [],
  log: why,
})

const IDENTITY: readonly Attack[] = [
  refused('TLS without a certificate', 'PEER_DID_NOT_RETURN_A_CERTIFICATE'),
  refused('expired', 'certificate_has_expired'),
  refused('not yet valid', 'certificate_is_not_yet_valid'),
  refused('signed by a stranger', 'unable_to_get_local_issuer_certificate'),
  refused('of a stranger', 'no_trust_bundle_store'),
  refused('signed by another member', 'unable_to_get_local_issuer_certificate'),
  refused('of another member, signed by ours', 'unable_to_get_local_issuer_certificate'),
  refused('signed by a leaf', 'unable_to_get_local_issuer_certificate'),
  refused('a certificate that may sign', 'KEY_USAGE_BIT_INCORRECT'),
  refused('without a name', 'no_trust_bundle_store'),
  refused('second name first', 'unable_to_get_local_issuer_certificate'),
  ...(
    ['two names', 'upper case', 'with an account of two parts', 'with an account of two lines', 'of no form'] as const
  ).map(
    (by): Attack => ({
      name: `identity: ${by}, at an export that is open`,
      by,
      send: get('/open/x'),
      answers: [403],
      log: 'matched_policy[odd-certificate]',
    }),
  ),
  { name: 'identity: nobody at an open export', send: get('/open/x'), answers: [200], reaches: ['open /x'] },
  { name: 'identity: who may', by: 'curl', send: get('/secret/x'), answers: [200], reaches: ['secret /x'] },
  {
    name: 'identity: whoever has a certificate',
    by: 'admin',
    send: get('/certified'),
    answers: [200],
    reaches: ['certified /'],
  },
  { name: 'identity: a name with a dot', by: 'robot', send: get('/robots'), answers: [200], reaches: ['robots /'] },
  ...(
    [
      ['nobody', undefined, '/secret/x'],
      ['nobody, where a certificate is all it takes', undefined, '/certified'],
      ['the same account of another namespace', 'curl elsewhere', '/secret/x'],
      ['the same account of another cluster', 'curl of north', '/secret/x'],
      ['a gateway', 'gateway', '/secret/x'],
      ['a dot is no other character', 'not quite robot', '/robots'],
      ['a second name of the certificate', 'two names', '/secret/x'],
      ['a DNS name of the certificate', 'allowed by DNS name', '/secret/x'],
      ['the subject of the certificate', 'allowed by subject', '/secret/x'],
      ['upper case', 'upper case', '/secret/x'],
      ['an end that is allowed', 'with an account of two parts', '/secret/x'],
      ['a line that is allowed', 'with an account of two lines', '/secret/x'],
      ['an export that lets in a cluster nobody knows', 'curl', '/nobody'],
      ['what is below an open path', 'curl', '/open/inner'],
    ] as const
  ).map(
    ([name, by, path]): Attack => ({
      name: `identity: not allowed: ${name}`,
      ...(by ? { by } : {}),
      send: get(path),
      answers: [403],
      log: 'rbac_access_denied',
    }),
  ),
]

/** Ways to write a path, by what becomes of them. */
const NOT_ALLOWED = [
  '/open/../secret/x',
  '/open/%2e%2e/secret/x',
  '/open/.%2E/secret/x',
  '/open/..;/secret',
  '/open/..;a=b/secret',
  '/open/x/..;/..;/secret',
  '/open\\..\\secret',
  '//secret/x',
  '/./secret',
  '/../../secret',
  '/secret?/open',
  '/secret/public/../x',
  '/secret/public/%2e%2e/x',
  '/secret/publi',
  '/open//inner',
  '/open/./inner',
  '/open/x/../inner',
  '/open/%69nner',
  '/open\\inner',
  '/exact?x',
  '/moved/../secret/x',
  'http://x/secret/x',
  'http://open/secret/../secret',
]
const MALFORMED = [
  '/open%2f..%2fsecret',
  '/open%2Finner',
  '/open%5c..%5csecret',
  '/open%00/../secret',
  '/secret%00',
  '/open/%2e%2e;/secret',
  '/open/..%3b/secret',
  '/open/x/%2E%2E;a/%2e%2e;a/secret',
  '/secret#x',
  '/open/x#/../../secret',
  '/open/\xe9',
  '/open/\x7f',
  'secret/x',
  '?x',
  'ftp://x/secret',
]
const NOWHERE = [
  '/open;/x',
  '/open;a=b/inner',
  '/SECRET',
  '/Open',
  '/exact/',
  '/opener',
  '/secre',
  '/',
  '/..',
  '//x/secret',
]
/** By what the application is to see. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  '/open//../secret': 'open /secret',
  '/open/.;/secret': 'open /secret',
  '/open/%252e%252e/secret': 'open /%252e%252e/secret',
  '/open/%c0%ae%c0%ae/secret': 'open /%c0%ae%c0%ae/secret',
  '/open/...;/secret': 'open /...;/secret',
  '/open/inner;x': 'open /inner;x',
  '/open/inner%20': 'open /inner%20',
  '/open/INNER': 'open /INNER',
  '/open/inner%3f': 'open /inner%3f',
  '/open?/../secret': 'open /?/../secret',
  '/moved/x': 'moved /secret/x',
  'http://other@evil/open/x': 'open /x',
  [`/open/${'a'.repeat(9_000)}`]: `open /${'a'.repeat(9_000)}`,
}

const PATHS: readonly Attack[] = [
  ...NOT_ALLOWED.map((path) => ({
    name: `path: ${path}`,
    send: get(path),
    answers: [403],
    log: 'rbac_access_denied_matched_policy[none]',
  })),
  ...MALFORMED.map((path) => ({ name: `path: ${JSON.stringify(path)}`, send: get(path), answers: [400] })),
  ...NOWHERE.map((path) => ({ name: `path: ${path}`, send: get(path), answers: [404] })),
  ...Object.entries(ELSEWHERE).map(([path, seen]) => ({
    name: `path: ${path.slice(0, 40)}`,
    send: get(path),
    answers: [200],
    reaches: [seen],
  })),
  { name: 'path: longer than all headers may be', send: get(`/open/${'a'.repeat(70_000)}`), answers: [431] },
  { name: 'path: https without TLS', send: get('https://x/open/x'), answers: [403], log: 'https_url_on_plaintext' },
]

/** Claims that do not reach the application: neither what they say, nor what they are. */
const CLAIMS = [
  'X-Forwarded-Client-Cert: URI=spiffe://west.portolan.local/ns/app/sa/curl',
  'X_Forwarded_Client_Cert: URI=spiffe://west.portolan.local/ns/app/sa/curl',
  'x-forwarded_client-cert: By=a;URI=b',
  'x-portolan-target: /secret/x',
  'x-portolan-destination: 127.0.0.1:80',
  'x-portolan-authority: evil',
  'x-portolan-caller: 10.0.0.1',
  'x_portolan_caller: 10.0.0.1',
  'x-portolan-unserved: true',
  'x-portolan-anything: at all',
  'x-envoy-original-path: /secret/x',
  'x-envoy-upstream-rq-timeout-ms: 1',
  'x-envoy-decorator-operation: evil',
  'x-envoy-external-address: 10.0.0.1',
  'x-envoy-internal: true',
  'x-envoy-peer-metadata: evil',
  'X-Original-URL: /secret/x',
  'X-Original-Method: DELETE',
  'X-Rewrite-URL: /secret/x',
  'x-forwarded-uri: /secret/x',
  'x_forwarded_for: 10.0.0.1',
  'Forwarded: for=10.0.0.1;host=evil;proto=https',
  'X-Real-IP: 10.0.0.1',
  'True-Client-IP: 10.0.0.1',
  'X-Client-IP: 10.0.0.1',
  'x-cluster-client-ip: 10.0.0.1',
  'transfer_encoding: chunked',
  'content_length: 5',
  'Keep-Alive: 1',
  'Proxy-Connection: keep-alive',
]
const KEPT: Readonly<Record<string, string>> = {
  authorization: 'Bearer x',
  cookie: 'a=b',
  api_key: 'mine',
  'x-forwarded-host': 'shop.example.org',
  'x-http-method-override': 'PATCH',
  range: 'bytes=0-1',
}

const HEADERS: readonly Attack[] = [
  ...CLAIMS.map((header) => ({
    name: `header: ${header.slice(0, 60)}`,
    send: get('/open/x', header),
    answers: [200],
    reaches: ['open /x'],
    with: {},
  })),
  ...Object.entries(KEPT).map(([name, value]) => ({
    name: `header: ${name} is the application's`,
    send: get('/open/x', `${name}: ${value}`),
    answers: [200],
    reaches: ['open /x'],
    with: { [name]: value },
  })),
  {
    name: 'header: a claim beside a certificate is not the one that arrives',
    by: 'curl of north',
    send: get('/open/x', 'x-forwarded-client-cert: URI=spiffe://west.portolan.local/ns/app/sa/curl'),
    answers: [200],
    reaches: ['open /x'],
    with: { 'x-forwarded-client-cert': 'URI=spiffe://north.portolan.local/ns/app/sa/curl' },
  },
  {
    name: 'header: X-Forwarded-For ends with the address that the gateway saw',
    send: get('/open/x', 'X-Forwarded-For: 10.0.0.1'),
    answers: [200],
    reaches: ['open /x'],
    with: { 'x-forwarded-for': '10.0.0.1,' },
  },
  {
    name: 'header: another claim to be let in',
    send: get('/secret/x', 'X-Forwarded-Client-Cert: URI=spiffe://west.portolan.local/ns/app/sa/curl'),
    answers: [403],
  },
  {
    name: 'header: retries by request',
    send: get('/open/x', 'x-envoy-retry-on: 5xx,reset', 'x-envoy-max-retries: 50', 'x-fail-with: 503'),
    answers: [503],
    reaches: ['open /x'],
    with: { 'x-fail-with': '503' },
  },
  {
    name: 'header: Connection that takes away what proxies say',
    by: 'curl of north',
    send: get('/open/x', 'Connection: close, x-forwarded-client-cert'),
    answers: [200],
    reaches: ['open /x'],
    with: { 'x-forwarded-client-cert': 'URI=spiffe://north.portolan.local/ns/app/sa/curl' },
  },
  {
    name: 'header: Connection that takes away X-Forwarded-For',
    send: get('/open/x', 'Connection: x-forwarded-for'),
    answers: [400],
  },
  {
    name: 'header: a foreign Host leads nowhere else',
    send: get('/secret/x').replace('Host: x', 'Host: open.shop'),
    answers: [403],
  },
  { name: 'header: two hosts', send: get('/open/x', 'Host: y'), answers: [400] },
  { name: 'header: a Host of two', send: get('/open/x').replace('Host: x', 'Host: x,y'), answers: [400] },
  { name: 'header: no Host', send: 'GET /open/x HTTP/1.1\r\n\r\n', answers: [400] },
  { name: 'header: a Host with a path', send: get('/open/x').replace('Host: x', 'Host: a/secret?'), answers: [400] },
  { name: 'header: NUL', send: get('/open/x', 'x-a: b\0c'), answers: [400] },
  { name: 'header: a name with a space', send: get('/open/x', 'x a: b'), answers: [400] },
  { name: 'header: a space before the colon', send: get('/open/x', 'x-a : b'), answers: [400] },
  { name: 'header: no name', send: get('/open/x', ': b'), answers: [400] },
  {
    name: 'header: 101 of them',
    send: get('/open/x', ...Array.from({ length: 101 }, (_, i) => `x-${i}: 1`)),
    answers: [431],
  },
  { name: 'header: 62 kB', send: get('/open/x', `x-a: ${'a'.repeat(62_000)}`), answers: [431] },
]

/** Requests that one server may read as two. */
const SMUGGLING: readonly Attack[] = [
  {
    name: 'length and chunks',
    send: post('Content-Length: 6\r\nTransfer-Encoding: chunked', `0\r\n\r\n${SECOND}`),
    answers: [400],
  },
  { name: 'two lengths', send: post('Content-Length: 0\r\nContent-Length: 44', SECOND), answers: [400] },
  { name: 'a list of lengths', send: post('Content-Length: 0, 44', SECOND), answers: [400] },
  { name: 'a length with a sign', send: post('Content-Length: +0', SECOND), answers: [400] },
  { name: 'a length below zero', send: post('Content-Length: -1', SECOND), answers: [400] },
  { name: 'a hexadecimal length', send: post('Content-Length: 0x0', SECOND), answers: [400] },
  { name: 'a length beyond all numbers', send: post('Content-Length: 99999999999999999999', SECOND), answers: [400] },
  { name: 'an unknown coding', send: post('Transfer-Encoding: xchunked', `0\r\n\r\n${SECOND}`), answers: [501] },
  {
    name: 'chunks, and another coding',
    send: post('Transfer-Encoding: chunked, identity', `0\r\n\r\n${SECOND}`),
    answers: [501],
  },
  {
    name: 'two codings',
    send: post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', `0\r\n\r\n${SECOND}`),
    answers: [501],
  },
  {
    name: 'a coding with a space before the colon',
    send: post('Transfer-Encoding : chunked', `0\r\n\r\n${SECOND}`),
    answers: [400],
  },
  {
    name: 'a coding behind a vertical tab',
    send: post('Transfer-Encoding: \vchunked', `0\r\n\r\n${SECOND}`),
    answers: [400],
  },
  {
    name: 'a chunk that ends elsewhere',
    send: post('Transfer-Encoding: chunked', '2\r\nabXX0\r\n\r\n'),
    answers: [400],
  },
  { name: 'a chunk of 0x2', send: post('Transfer-Encoding: chunked', '0x2\r\nab\r\n0\r\n\r\n'), answers: [400] },
  {
    name: 'a chunk beyond all numbers',
    send: post('Transfer-Encoding: chunked', 'fffffffffffffffff\r\nab\r\n0\r\n\r\n'),
    answers: [400],
  },
  {
    name: 'a chunk extension with a bare line feed',
    send: post('Transfer-Encoding: chunked', '2;\nab\r\n0\r\n\r\n'),
    answers: [400],
  },
  {
    name: 'a trailer with a claim',
    send: post('Transfer-Encoding: chunked', '0\r\nx-forwarded-client-cert: URI=evil\r\n\r\n'),
    answers: [200],
    reaches: ['open /x'],
    with: { 'transfer-encoding': 'chunked' },
  },
  {
    name: 'a request in the body of GET',
    send: `GET /open/x HTTP/1.1\r\nHost: x\r\nContent-Length: ${SECOND.length}\r\n\r\n${SECOND}`,
    answers: [200],
    reaches: ['open /x'],
    with: { 'content-length': String(SECOND.length) },
  },
  {
    name: 'two requests at once are two',
    send: `${get('/open/x')}${SECOND}${get('/open/y')}`,
    answers: [200, 403, 200],
    reaches: ['open /x', 'open /y'],
  },
  {
    name: 'a folded header is one',
    send: get('/open/x', 'x-a: b\r\n x-portolan-caller: c'),
    answers: [200],
    reaches: ['open /x'],
    with: { 'x-a': 'b x-portolan-caller: c' },
  },
  {
    name: 'a bare line feed ends a header',
    send: get('/open/x', 'x-a: b\nx-portolan-caller: c'),
    answers: [200],
    reaches: ['open /x'],
    with: { 'x-a': 'b' },
  },
  {
    name: 'a first header that is folded',
    send: 'GET /open/x HTTP/1.1\r\n Host: y\r\nHost: x\r\n\r\n',
    answers: [400],
  },
  {
    name: 'CONNECT',
    send: 'CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n',
    answers: [403],
    log: 'upgrade_failed',
  },
  { name: 'CONNECT to a path', send: 'CONNECT /secret/x HTTP/1.1\r\nHost: x\r\n\r\n', answers: [400] },
  {
    name: 'an upgrade to HTTP/2',
    send: get('/secret/x', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'),
    answers: [403],
  },
  {
    name: 'an upgrade to anything',
    send: get('/open/x', 'Connection: Upgrade', 'Upgrade: tcp'),
    answers: [403],
    log: 'upgrade_failed',
  },
  {
    name: 'an upgrade to WebSocket is as much a call as any',
    send: get(
      '/secret/x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGVzdA==',
    ),
    answers: [403],
  },
  { name: 'a method with a path', send: 'GET/secret /open/x HTTP/1.1\r\nHost: x\r\n\r\n', answers: [400] },
  { name: 'a method of small letters', send: 'get /open/x HTTP/1.1\r\nHost: x\r\n\r\n', answers: [400] },
  { name: 'OPTIONS *', send: 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n', answers: [404] },
  { name: 'HTTP/0.9', send: 'GET /secret/x\r\n\r\n', answers: [403] },
  { name: 'half a handshake', send: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc', answers: [] },
  { name: 'no HTTP at all', send: '\x00\x01\x02\x03\r\n\r\n', answers: [400] },
].map((attack: Omit<Attack, 'by'>) => ({ ...attack, name: `form: ${attack.name}` }))

/** `curl` may call `secret`, but these are calls to others. */
const THROUGH_THE_SIDECAR: readonly Attack[] = [
  { name: 'who may', to: 'secret', send: get('/x'), answers: [200], reaches: ['secret /x'] },
  { name: 'who may not', to: 'inner', send: get('/x'), answers: [403], log: 'rbac_access_denied' },
  ...[
    '/../secret/x',
    '/%2e%2e/secret/x',
    '/x/../../secret',
    '/.%2E/secret',
    '/..;/secret',
    '/%2e%2e;a/secret',
    '/..\\secret',
    '/\\..\\secret',
    '/..',
  ].map((path) => ({ name: `from one export to another: ${path}`, to: 'open', send: get(path), answers: [400] })),
  ...['/..%2fsecret', '/..%5csecret', '/x%2f..%2f..%2fsecret'].map((path) => ({
    name: `from one export to another: ${path}`,
    to: 'open',
    send: get(path),
    answers: [400],
    log: 'path_normalization_failed',
  })),
  {
    name: 'a double slash leads nowhere else',
    to: 'open',
    send: get('//secret'),
    answers: [200],
    reaches: ['open /secret'],
  },
  {
    name: 'nor does an absolute form',
    to: 'open',
    send: get('http://x/secret/x'),
    answers: [200],
    reaches: ['open /secret/x'],
  },
  ...[
    'x-portolan-target: /secret/x',
    'x-portolan-destination: 127.0.0.1:80',
    'x-portolan-authority: evil',
    'x-portolan-caller: evil',
    'x-forwarded-client-cert: URI=evil',
  ].map((header) => ({
    name: header,
    to: 'open',
    send: get('/x', header),
    answers: [200],
    reaches: ['open /x'],
    with: { 'x-forwarded-client-cert': 'URI=spiffe://west.portolan.local/ns/app/sa/curl' },
  })),
  {
    name: 'length and chunks',
    to: 'open',
    send: post('Content-Length: 6\r\nTransfer-Encoding: chunked', `0\r\n\r\n${SECOND}`),
    answers: [400],
  },
  {
    name: 'CONNECT',
    to: 'open',
    send: 'CONNECT secret.shop:80 HTTP/1.1\r\nHost: secret.shop:80\r\n\r\n',
    answers: [404],
  },
].map(({ to, name, ...attack }) => ({ ...attack, name: `sidecar: ${name}`, by: { sidecarTo: to } }))

export const ATTACKS: readonly Attack[] = [...IDENTITY, ...PATHS, ...HEADERS, ...SMUGGLING, ...THROUGH_THE_SIDECAR]
