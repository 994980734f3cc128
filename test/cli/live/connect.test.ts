/** Which cluster a command is about, and what is said when it is about none. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { connect } from '../../../kube/connection.ts'
import { portolan } from '../session.ts'

const dir = mkdtempSync(join(tmpdir(), 'portolan-kubeconfig-'))
afterEach(() => vi.unstubAllEnvs())
afterAll(() => rmSync(dir, { recursive: true }))

/** Of contexts with their clusters; every server is where nobody listens. */
function kubeconfig(contexts: Readonly<Record<string, string>>, current: string | undefined, clusters = ['a', 'b']) {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: clusters.map((name) => ({ name, cluster: { server: `https://127.0.0.1:9/${name}` } })),
    users: [{ name: 'user', user: { token: 'token' } }],
    contexts: Object.entries(contexts).map(([name, cluster]) => ({
      name,
      context: { cluster, user: 'user', namespace: `of-${name}` },
    })),
    ...(current === undefined ? {} : { 'current-context': current }),
  }
  return file(JSON.stringify(config))
}

function file(text: string) {
  const path = join(dir, `${Math.random()}`)
  writeFileSync(path, text)
  return path
}

test('the context that is asked for, else the current one, with its namespace', async () => {
  const config = kubeconfig({ one: 'a', two: 'b' }, 'one')
  expect(await connect({ kubeconfig: config })).toMatchObject({
    context: 'one',
    namespace: 'of-one',
    server: expect.stringMatching(/a$/),
  })
  expect(await connect({ kubeconfig: config, context: 'two' })).toMatchObject({
    context: 'two',
    server: expect.stringMatching(/b$/),
  })
})

test('all files of $KUBECONFIG', async () => {
  vi.stubEnv('KUBECONFIG', [kubeconfig({ one: 'a' }, 'one'), kubeconfig({ two: 'b' }, 'two')].join(':'))
  expect(await connect({ context: 'two' })).toMatchObject({ context: 'two', server: expect.stringMatching(/b$/) })
})

describe('says what to do', () => {
  test.each([
    [
      'no such context',
      () => kubeconfig({ one: 'a', two: 'b' }, 'one'),
      '--context three',
      'has no context three; name one of its contexts: one, two',
    ],
    [
      'no current context',
      () => kubeconfig({ one: 'a' }, undefined),
      '',
      'has no current context; name one of its contexts: one',
    ],
    [
      'a context of no cluster',
      () => kubeconfig({ one: 'c' }, 'one'),
      '',
      'context one names a cluster that the kubeconfig has not',
    ],
    ['no context at all', () => kubeconfig({}, undefined), '', 'has no current context; nor any other\n'],
    ['no YAML', () => file('a: [1\nb: }\n'), '', 'cannot be used: deficient indentation (2:1)\n'],
    ['no such file', () => join(dir, 'nowhere'), '', 'cannot be used: ENOENT'],
    [
      'nobody listens',
      () => kubeconfig({ one: 'a' }, 'one'),
      '',
      'one: cannot get /version: connect ECONNREFUSED 127.0.0.1:9; check that the cluster is up',
    ],
  ])('%s', async (_, config, flags, expected) => {
    const line = `explain shop/pay --kubeconfig ${config()} ${flags}`
    const { code, out, err } = await portolan(line.trim().split(' '))
    expect(err).toContain(expected)
    expect({ code, out }).toEqual({ code: 2, out: '' })
  })

  test.each(['check', 'compiler'])('no kubeconfig at all: %s', async (command) => {
    vi.stubEnv('KUBECONFIG', '')
    vi.stubEnv('HOME', dir)
    expect((await portolan([command])).err).toBe(
      'error: there is no kubeconfig; set KUBECONFIG, or write ~/.kube/config\n',
    )
  })
})
