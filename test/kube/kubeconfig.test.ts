/** Kubeconfigs as text: what can be used, what cannot, and that no secret is ever repeated. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { issueRoot } from '../../certs/issue.ts'
import { parseKubeconfig } from '../../kube/kubeconfig.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const SECRET = 'h1dden-secret'

type Fields = Readonly<Record<string, unknown>>
const config = ({ cluster = {}, user = {}, context = {}, root = {} }: Record<string, Fields> = {}) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: 'https://10.0.0.1:6443/', ...cluster } }],
  users: [{ name: 'u', user: { token: SECRET, ...user } }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', ...context } }],
  'current-context': 'x',
  ...root,
})

async function used(of: Parameters<typeof config>[0]) {
  const parsed = parseKubeconfig(stringify(config(of)))
  if (!parsed.ok) throw new Error(parsed.problems.join('; '))
  return { ...parsed.connection, ...(await parsed.connection.credentials()), expires: parsed.credentialsExpire }
}

const problems = (text: string): readonly string[] => {
  const parsed = parseKubeconfig(text)
  return parsed.ok ? [] : parsed.problems
}

describe('what can be used', () => {
  const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

  test.each<[string, Parameters<typeof config>[0], object]>([
    ['a token', {}, { headers: { authorization: `Bearer ${SECRET}` }, tls: {}, server: 'https://10.0.0.1:6443' }],
    [
      'name and password',
      { user: { token: undefined, username: 'me', password: 'p' } },
      { headers: { authorization: `Basic ${base64('me:p')}` } },
    ],
    [
      'a token counts more than a password',
      { user: { username: 'me' } },
      { headers: { authorization: `Bearer ${SECRET}` } },
    ],
    ['an authority', { cluster: { 'certificate-authority-data': base64(pem) } }, { tls: { ca: pem } }],
    ['trust without asking', { cluster: { 'insecure-skip-tls-verify': true } }, { tls: { rejectUnauthorized: false } }],
    [
      'another name on the certificate',
      { cluster: { 'tls-server-name': 'kubernetes' } },
      { tls: { servername: 'kubernetes' } },
    ],
    ['a namespace', { context: { namespace: 'mesh' } }, { namespace: 'mesh' }],
    ['nobody', { user: { token: undefined } }, { headers: {}, tls: {} }],
    [
      'a path of its own',
      { cluster: { server: 'https://rancher/k8s/clusters/c-1' } },
      { server: 'https://rancher/k8s/clusters/c-1' },
    ],
  ])('%s', async (_, of, expected) => {
    expect(await used(of)).toMatchObject(expected)
  })

  test('of several contexts the current one', async () => {
    const twice = config()
    const other = { name: 'other', cluster: { server: 'https://other' } }
    const text = JSON.stringify({
      ...twice,
      clusters: [...twice.clusters, other],
      contexts: [...twice.contexts, { name: 'y', context: { cluster: 'other', user: 'u' } }],
      'current-context': 'y',
    })
    expect(parseKubeconfig(text)).toMatchObject({ ok: true, connection: { server: 'https://other' } })
  })
})

describe('when it expires', () => {
  const jwt = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`
  const token = (exp: unknown) => ({ user: { token: jwt({ exp }) } })

  test('is the first of certificate and token', async () => {
    const now = Date.parse('2026-01-01T00:00:00Z')
    const { cert, key } = await issueRoot({ commonName: 'me', now, lifeMs: 3_600_000 })
    const user = { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) }
    const seconds = (iso: string) => Date.parse(iso) / 1_000
    expect((await used({ user: { ...user, token: undefined } })).expires).toBe('2026-01-01T01:00:00Z')
    expect((await used({ user: { ...user, token: jwt({ exp: seconds('2026-01-01T00:30:00Z') }) } })).expires).toBe(
      '2026-01-01T00:30:00Z',
    )
    expect((await used({ user: { ...user, token: jwt({ exp: seconds('2027-01-01T00:00:00Z') }) } })).expires).toBe(
      '2026-01-01T01:00:00Z',
    )
  })

  test.each([
    ['no JWT', {}],
    ['no exp', token(undefined)],
    ['no number', token('soon')],
    ['beyond all time', token(1e300)],
  ])('is not known: %s', async (_, of) => {
    expect((await used(of)).expires).toBeUndefined()
  })
})

describe('what cannot be used says so, in all its points', () => {
  test.each<[string, Parameters<typeof config>[0], readonly string[]]>([
    ['no current context', { root: { 'current-context': undefined } }, ['current-context is missing']],
    [
      'a context that is not there',
      { root: { 'current-context': 'z' } },
      ['contexts has no entry for current-context'],
    ],
    [
      'a context that leads nowhere',
      { context: { cluster: 'z', user: 'z' } },
      ['clusters has no entry for the cluster of the context', 'users has no entry for the user of the context'],
    ],
    ['no server', { cluster: { server: undefined } }, ['cluster.server is not a plain https URL']],
    ['plain HTTP', { cluster: { server: 'http://10.0.0.1' } }, ['cluster.server is not a plain https URL']],
    [
      'credentials in the URL',
      { cluster: { server: `https://me:${SECRET}@host` } },
      ['cluster.server is not a plain https URL'],
    ],
    [
      'files, programs and proxies',
      { cluster: { 'certificate-authority': '/ca.crt', 'proxy-url': 'http://p' }, user: { exec: {}, tokenFile: '/t' } },
      [
        'it needs something of another machine (cluster.certificate-authority)',
        'it needs a proxy (cluster.proxy-url)',
        'it needs something of another machine (user.tokenFile)',
        'it needs something of another machine (user.exec)',
      ],
    ],
    ['somebody else’s name', { user: { as: 'root' } }, ['user.as is not supported']],
    [
      'half a certificate',
      { user: { 'client-key-data': base64('-----BEGIN X') } },
      ['of user.client-certificate-data and user.client-key-data one is set without the other'],
    ],
    [
      'no PEM',
      { cluster: { 'certificate-authority-data': SECRET } },
      ['cluster.certificate-authority-data is not PEM in base64'],
    ],
    [
      'no certificate',
      { user: { 'client-certificate-data': base64('-----BEGIN X'), 'client-key-data': base64('-----BEGIN X') } },
      ['user.client-certificate-data holds no certificate'],
    ],
    [
      'trust both ways',
      { cluster: { 'insecure-skip-tls-verify': true, 'certificate-authority-data': base64('-----BEGIN X') } },
      ['cluster.insecure-skip-tls-verify and cluster.certificate-authority-data are both set'],
    ],
    ['a token over two lines', { user: { token: `${SECRET}\nx` } }, ['user.token has characters that no token has']],
    ['a token that is a map', { user: { token: { a: SECRET } } }, ['user.token is not text']],
    [
      'entries that are no maps',
      { root: { users: [{ name: 'u', user: [SECRET] }] } },
      ['user of an entry of users is not a map of fields'],
    ],
  ])('%s', (_, of, expected) => {
    const found = problems(JSON.stringify(config(of)))
    expect(found).toEqual(expected)
    expect(found.join()).not.toContain(SECRET)
  })

  test.each([
    ['', 'it is not a map of fields'],
    ['- a', 'it is not a map of fields'],
    [`a: [${SECRET}`, 'it is not YAML'],
    ['a: *nowhere', 'an alias in it leads nowhere'],
  ])('%j', (text, expected) => {
    expect(problems(text).join()).toContain(expected)
    expect(problems(text).join()).not.toContain(SECRET)
  })
})

test('whatever a kubeconfig is made of, it is answered, and no secret of it is repeated', () => {
  const value = fc.oneof(
    fc.constant(SECRET),
    fc.constant(base64(`-----BEGIN ${SECRET}`)),
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.array(fc.constant(SECRET), { maxLength: 2 }),
    fc.record({ a: fc.constant(SECRET) }),
  )
  const fields = (...names: readonly string[]) => fc.dictionary(fc.constantFrom(...names), value)
  const parts = fc.record({
    cluster: fields('server', 'certificate-authority-data', 'tls-server-name', 'insecure-skip-tls-verify', 'proxy-url'),
    user: fields('token', 'username', 'password', 'client-certificate-data', 'client-key-data', 'exec', 'as'),
    context: fields('namespace', 'cluster', 'user'),
    root: fields('users', 'clusters', 'contexts', 'current-context'),
  })
  fc.assert(
    fc.property(parts, (of) => {
      for (const text of [JSON.stringify(config(of)), stringify(config(of))]) {
        const said = problems(text).join()
        expect(said).not.toContain(SECRET)
        expect(said).not.toContain(base64(SECRET).slice(0, 12))
      }
    }),
    { numRuns: 300 },
  )
})
