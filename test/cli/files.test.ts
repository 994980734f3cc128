import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { GATEWAY_BOOTSTRAPS } from '../../compiler/gateway-bootstraps.ts'
import type { Tables } from '../../compiler/tables.ts'
import { portolan, type Session } from './session.ts'

const dirs: string[] = []
afterEach(async () => {
  for (const dir of dirs.splice(0)) await rm(dir, { recursive: true })
})

/** A directory with these files, and a way to run commands on it that names files relative to it. */
async function folder(files: Readonly<Record<string, string>>) {
  const dir = await mkdtemp(join(tmpdir(), 'portolan-cli-'))
  dirs.push(dir)
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, name)), { recursive: true })
    await writeFile(join(dir, name), text)
  }
  const on = async (command: string, ...args: readonly string[]): Promise<Session> => {
    const { code, out, err } = await portolan([command, '-f', dir, ...args])
    return { code, out: out.replaceAll(`${dir}/`, ''), err: err.replaceAll(`${dir}/`, '') }
  }
  return { dir, on }
}

const POLICY = `apiVersion: flomesh.io/v1alpha1
kind: GlobalTrafficPolicy
metadata: { name: api, namespace: shop }
spec: { lbType: Locality }
`
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: api, namespace: shop }
spec: { ports: [{ port: 8080 }] }
`

/** A kilobyte that stands for nine to the ninth numbers. */
const ALIASES = [...'abcdefghi'].reduce(
  (text, name, index, names) => `${text}${name}: &${name} [${index === 0 ? '1' : `*${names[index - 1]},`.repeat(9)}]\n`,
  '',
)

describe('usage', () => {
  test.each([
    ['no command', '', 'Usage: portolan'],
    ['an unknown command', 'validat', "unknown command 'validat'"],
    ['an unknown option', 'validate -f examples --fast', "unknown option '--fast'"],
    ['no files', 'validate', "required option '-f, --filename <path>' not specified"],
    ['a file that is not there', 'validate -f nowhere.yaml', 'there is no file or directory nowhere.yaml'],
    ['a directory without manifests', 'validate -f .github-none -f cli', 'there is no file or directory .github-none'],
    ['a folder of other files', 'compile -f cli', 'directory cli holds no .yaml, .yml or .json file'],
    ['an unknown format', 'compile -f examples/west -o xml', "'xml' is invalid. Allowed choices are text, json, yaml"],
    ['half a cluster key', 'compile -f examples/west --cluster-key west', 'Write region/zone/group/name.'],
    ['a Service that is not there', 'compile -f examples/west --down shop/typo', 'the files hold no such Service'],
    ['something that is no call', 'where shop / -f examples/west', '/ is not a call; write name:port/path'],
    ['half of elsewhere', 'where shop a -f examples/west --elsewhere east', 'write region/zone/group/name=path'],
  ])('%s is answered with exit code 2', async (_, line, message) => {
    const { code, out, err } = await portolan(line.split(' ').filter((word) => word !== ''))
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(message)
  })

  test.each(['--help', '--version', 'compile --help'])('%s is answered with exit code 0', async (line) => {
    expect(await portolan(line.split(' '))).toMatchObject({ code: 0, err: '' })
  })
})

describe('bad files', () => {
  test.each([
    ['broken YAML', 'kind: [\napiVersion: v1\n', /^a\.yaml:2: error: the file is not YAML: .*\[YamlBroken\]$/m],
    ['a key given twice', 'kind: A\nkind: B\n', /^a\.yaml:2: error: the file is not YAML: Map keys must be unique/m],
    [
      'an alias without its anchor',
      'kind: *nowhere\n',
      /^a\.yaml:1: error: the file is not YAML: Unresolved alias .*: nowhere/m,
    ],
    ['aliases that multiply', ALIASES, /the file is not YAML: Excessive alias count/],
    ['a document that is text', 'hello\n', /^a\.yaml:1: error: the document is a string, not a Kubernetes object\./m],
    [
      'a document that is a list',
      '# c\n- a\n',
      /^a\.yaml:2: error: the document is a list, not a Kubernetes object\./m,
    ],
    [
      'an object without kind and name',
      `${SERVICE}---\napiVersion: v1\n`,
      /^a\.yaml:6: error: the object lacks kind and metadata\.name\. Set kind and metadata\.name\./m,
    ],
    [
      'an unknown kind of ours',
      POLICY.replace('GlobalTrafficPolicy', 'GlobalTraficPolicy'),
      /^a\.yaml:2: error: GlobalTraficPolicy shop\/api: kind: group flomesh\.io has no kind GlobalTraficPolicy in version v1alpha1/m,
    ],
    ['an unknown version of ours', POLICY.replace('v1alpha1', 'v1'), /has no kind GlobalTrafficPolicy in version v1\./],
    [
      'a Service with a port that is text',
      SERVICE.replace('8080', 'http'),
      /^a\.yaml:4: error: Service shop\/api: spec\.ports\[0\]\.port: "http": is not a number/m,
    ],
    ['a Service without a spec', SERVICE.replace(/spec.*/, ''), /Service shop\/api: spec: is not a mapping/],
  ])('%s', async (_, text, message) => {
    const { on } = await folder({ 'a.yaml': text, 'b.yaml': POLICY })
    for (const command of ['validate', 'compile', 'inject']) {
      const { code, out, err } = await on(command)
      expect(code).toBe(1)
      expect(out + err).toMatch(message)
    }
  })

  test('a good document beside a broken one is still looked at', async () => {
    const { on } = await folder({ 'a.yaml': 'kind: [', 'b.yaml': POLICY.replace('Locality', 'FailOver') })
    const { out } = await on('validate')
    expect(out).toContain('[YamlBroken]')
    expect(out).toContain('[FailOverNeedsTargets]')
    expect(out).toContain('1 object in 2 files: 2 errors, no warnings')
  })

  test('an object given twice does not compile', async () => {
    const { on } = await folder({ 'a.yaml': SERVICE, 'b/c.yml': SERVICE })
    expect(await on('compile')).toMatchObject({
      code: 1,
      err: expect.stringContaining(
        'b/c.yml:1: error: Service shop/api: the object was given before, in a.yaml:1. Keep one of the two.',
      ),
    })
    expect(await on('validate')).toMatchObject({ code: 0 })
  })
})

describe('reads', () => {
  test('directories below, JSON, lists, comments, several documents and stdin', async () => {
    const list = { apiVersion: 'v1', kind: 'List', items: [parse(POLICY), parse(SERVICE)] }
    const { dir, on } = await folder({
      'list.json': JSON.stringify(list),
      'deep/er/two.yaml':
        `# nothing\n---\n${POLICY.replaceAll('api', 'web')}---\n${SERVICE.replaceAll('api', 'web').replace('apiVersion: flo', 'flo').replace('webVersion', 'apiVersion')}`.replaceAll(
          'webVersion',
          'apiVersion',
        ),
      'notes.txt': 'kind: [',
    })
    expect((await on('validate')).out).toContain('4 objects in 2 files: no errors')
    const piped = await portolan(['validate', '-f', '-', '-f', dir], { stdin: POLICY })
    expect(piped.out).toContain('5 objects in 3 files')
  })

  test('an item of a list is found on its line', async () => {
    const items = POLICY.replace('Locality', 'Nowhere').split('\n').filter(Boolean)
    const list = [
      'apiVersion: v1',
      'kind: List',
      'items:',
      `- ${items[0]}`,
      ...items.slice(1).map((line) => `  ${line}`),
    ]
    const { on } = await folder({ 'list.yaml': `${list.join('\n')}\n` })
    expect((await on('validate')).out).toMatch(
      /^list\.yaml:7: error: GlobalTrafficPolicy shop\/api: spec\.lbType: "Nowhere"/m,
    )
  })

  test('YAML as kubectl does: off is false, 8:30 and dates are text', async () => {
    const { on } = await folder({
      'a.yaml':
        'apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ name: a, args: [8:30, 2026-01-02, "off"], stdin: off, tty: yes }] }\n',
    })
    const { out } = await on('inject')
    expect(parse(out).spec.containers[0]).toMatchObject({
      args: ['8:30', '2026-01-02', 'off'],
      stdin: false,
      tty: true,
    })
    expect(out).toContain('"off"')
  })

  test('the namespace given for objects that name none', async () => {
    const { on } = await folder({ 'a.yaml': POLICY.replace(', namespace: shop', '').replace('Locality', 'FailOver') })
    expect((await on('validate')).out).toContain('GlobalTrafficPolicy default/api')
    expect((await on('validate', '-n', 'web')).out).toContain('GlobalTrafficPolicy web/api')
  })
})

describe('writes', () => {
  test('the files that proxies and DNS load, one folder a namespace', async () => {
    const { dir } = await folder({})
    const args = ['compile', '-f', 'examples/west', '-f', 'examples/east/exports.yaml', '--out', join(dir, 'out')]
    const { code, out } = await portolan(args)
    expect(code).toBe(0)
    const files = out
      .trim()
      .split('\n')
      .map((line) => relative(join(dir, 'out'), line.split('  ')[0] ?? ''))
    expect(files).toEqual([
      ...['bootstrap', 'cds', 'table'].map((name) => `sidecars/storefront/${name}.json`),
      ...['bootstrap.json', GATEWAY_BOOTSTRAPS.plain, GATEWAY_BOOTSTRAPS.mtls].map((name) => `gateway/${name}`),
      ...['cds', 'rds', 'table'].map((name) => `gateway/${name}.json`),
      ...['hosts', 'sidecars.zone', 'cluster.zone'].map((name) => `dns/${name}`),
    ])
    for (const file of files.filter((name) => name.endsWith('.json')))
      JSON.parse(await readFile(join(dir, 'out', file), 'utf8'))
    expect(await readFile(join(dir, 'out/dns/hosts'), 'utf8')).toContain('127.0.0.2 reports.shop.svc.cluster.local\n')
  })

  test('what the egress loads, and the objects that lead to it, only where there is one', async () => {
    const { dir } = await folder({})
    const [without, with_] = [join(dir, 'without'), join(dir, 'with')]
    const args = ['compile', '-f', 'examples/west', '-o', 'json']
    const compiled = async (...more: readonly string[]) => {
      const { out } = await portolan([...args, ...more])
      return JSON.parse(out) as Tables
    }
    const plain = await compiled('--out', without)
    expect([plain.egress, plain.objects]).toEqual([undefined, []])
    await expect(readFile(join(without, 'egress/cds.json'))).rejects.toThrow('ENOENT')

    const { egress, objects, clusterset } = await compiled('--egress', '--out', with_)
    expect(await readFile(join(with_, 'egress/lds.json'), 'utf8')).toContain(`egress ${egress?.listeners[0]?.at}`)
    expect(new Set(objects.map(({ kind }) => kind))).toEqual(new Set(['EndpointSlice', 'Service']))
    expect(clusterset.map(({ direct }) => direct.length)).toEqual(clusterset.map(() => 1))
  })

  test('nothing when the objects would not be admitted', async () => {
    const { dir } = await folder({})
    const { code, err } = await portolan(['compile', '-f', 'examples/mistakes', '--out', join(dir, 'out')])
    expect(code).toBe(1)
    expect(err).toContain('Nothing was compiled')
    await expect(readFile(join(dir, 'out/dns/hosts'))).rejects.toThrow('ENOENT')
  })
})

describe('injects', () => {
  const template = { metadata: { labels: { app: 'a' } }, spec: { containers: [{ name: 'app', image: 'app' }] } }
  const kinds = {
    Deployment: { template },
    StatefulSet: { template },
    DaemonSet: { template },
    ReplicaSet: { template },
    ReplicationController: { template },
    Job: { template },
    CronJob: { schedule: '@daily', jobTemplate: { spec: { template } } },
  }

  test.each(Object.entries(kinds))('the template of a %s, and nothing else of it', async (kind, spec) => {
    const object = {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name: 'a', namespace: 'web' },
      spec: { paused: true, ...spec },
    }
    const { out, code } = await portolan(['inject', '-f', '-', '-o', 'json'], { stdin: JSON.stringify(object) })
    expect(code).toBe(0)
    const [injected] = JSON.parse(out).items
    const made = kind === 'CronJob' ? injected.spec.jobTemplate.spec.template : injected.spec.template
    expect(made.spec.initContainers.map(({ name }: { name: string }) => name)).toEqual([
      'portolan-proxy',
      'portolan-init',
    ])
    expect(made.metadata).not.toHaveProperty('generateName')
    expect(made.metadata).not.toHaveProperty('namespace')
    expect(injected).toMatchObject({ apiVersion: 'apps/v1', kind, metadata: object.metadata, spec: { paused: true } })
  })

  test('what it printed, no second time', async () => {
    const first = await portolan(['inject', '-f', 'examples/west/storefront.yaml'])
    const second = await portolan(['inject', '-f', '-'], { stdin: first.out })
    expect(second.out).toBe(first.out)
    expect(second.err).toContain('[AlreadyInjected]')
  })

  test('as the MeshConfig and the Namespace in the files say', async () => {
    const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata: { name: default }\n'
    const pod = 'apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ name: a }] }\n'
    const outside = await portolan(['inject', '-f', '-'], { stdin: `${namespace}---\n${pod}` })
    expect(outside.err).toContain('[NamespaceNotInMesh]')
    expect(parseAllDocuments(outside.out)[1]?.toJS()).toEqual({
      ...parse(pod),
      metadata: { name: 'a', namespace: 'default' },
    })

    const config =
      'apiVersion: config.flomesh.io/v1alpha1\nkind: MeshConfig\nmetadata: { name: m }\nspec: { traffic: { outboundPortExclusionList: [6379] } }\n'
    expect((await portolan(['inject', '-f', '-'], { stdin: `${config}---\n${pod}` })).out).toContain('6379')
  })

  test('nothing when one pod is refused, and every reason is given', async () => {
    const pod =
      'apiVersion: v1\nkind: Pod\nmetadata: { name: a, annotations: { flomesh.io/sidecar-injection: maybe } }\nspec: { containers: [{ name: a }] }\n'
    const { code, out, err } = await portolan(['inject', '-f', '-'], {
      stdin: `${pod}---\n${pod.replace('maybe', 'perhaps')}`,
    })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err.match(/\[InjectionValueUnknown\]/g)).toHaveLength(2)
  })
})

test('colours appear on a terminal, not elsewhere, and --color decides otherwise', async () => {
  const args = ['validate', '-f', 'examples/east']
  const colored = async (terminal: boolean, ...more: readonly string[]) =>
    (await portolan([...args, ...more], { terminal })).out.includes('\u001b[')
  expect(await colored(true)).toBe(true)
  expect(await colored(false)).toBe(false)
  expect(await colored(true, '--color', 'never')).toBe(false)
  expect(await colored(false, '--color', 'always')).toBe(true)
})

describe('what does not fit', () => {
  const many = Array.from(
    { length: 500 },
    (_, index) => `apiVersion: flomesh.io/v1alpha1
kind: ServiceImport
metadata: { name: s${index}, namespace: vast }
spec:
  ports:
    - port: 8080
      protocol: TCP
      endpoints:
${[1, 2, 3].map((n) => `        - clusterKey: default/default/default/c${n}\n          target: { host: 192.0.2.${n}, port: 80, path: /vast/s${index} }\n`).join('')}---
apiVersion: flomesh.io/v1alpha1
kind: GlobalTrafficPolicy
metadata: { name: s${index}, namespace: vast }
spec: { lbType: ActiveActive }
`,
  ).join('---\n')
  const MEMBER =
    'apiVersion: v1\nkind: Namespace\nmetadata: { name: app, labels: { flomesh.io/monitored-by: portolan } }\n'

  test('compile leaves it out, says so, and writes the rest, as the compiler does', async () => {
    const { dir, on } = await folder({ 'many.yaml': `${MEMBER}---\n${many}` })
    const { code, out } = await on('compile', '-o', 'json', '--out', join(dir, 'out'))
    const { findings } = JSON.parse(out) as { findings: { code: string; file: string }[] }
    const full = findings.filter((each) => each.code === 'SidecarsFull')
    expect(code).toBe(1)
    expect(full.length).toBeGreaterThan(0)
    expect(new Set(full.map(({ file }) => file))).toEqual(new Set(['many.yaml']))
    const table = JSON.parse(await readFile(join(dir, 'out/sidecars/app/table.json'), 'utf8')) as { routes: object[] }
    expect(table.routes.length + full.length).toBe(500)
  })
})
