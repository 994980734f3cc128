import { describe, expect, test } from 'vitest'
import { UsageError } from '../../cli/io.ts'
import { hubKubeconfig, reachableServer } from '../../cli/live/hub-kubeconfig.ts'
import { parseKubeconfig } from '../../kube/kubeconfig.ts'

describe('a server', () => {
  test.each([
    ['https://192.0.2.10:6443', 'https://192.0.2.10:6443'],
    ['https://east.example/', 'https://east.example'],
    ['https://[2001:db8::1]:6443', 'https://[2001:db8::1]:6443'],
    ['https://rancher.example/k8s/clusters/c-1', 'https://rancher.example/k8s/clusters/c-1'],
  ])('%s is taken', (url, taken) => {
    expect(reachableServer(url)).toBe(taken)
  })

  test.each(['127.0.0.1:6443', 'localhost', 'kind.localhost:6443', '[::1]:6443', '[::ffff:127.0.0.1]', '0.0.0.0:6443'])(
    'on every machine itself is refused: %s',
    (host) => {
      expect(() => reachableServer(`https://${host}`)).toThrow(UsageError)
      expect(() => reachableServer(`https://${host}`)).toThrow(/give the address .* with --server https:\/\/HOST:PORT/)
    },
  )

  test.each(['http://192.0.2.10', '192.0.2.10:6443', 'east', ''])('is no such thing: %s', (url) => {
    expect(() => reachableServer(url)).toThrow('is no address of an API server; write https://HOST:PORT')
  })
})

test('what the hub is given is what it can read, and all that it needs', async () => {
  const access = { cluster: 'east', server: 'https://192.0.2.10:6443', token: 'abc', namespace: 'portolan-system' }
  expect(parseKubeconfig(hubKubeconfig(access))).toMatchObject({
    ok: true,
    connection: { server: access.server, namespace: access.namespace },
  })
  const read = parseKubeconfig(hubKubeconfig({ ...access, servername: 'kubernetes' }))
  if (!read.ok) throw new Error(read.problems.join())
  expect(await read.connection.credentials()).toEqual({
    headers: { authorization: 'Bearer abc' },
    tls: { servername: 'kubernetes' },
  })
})
