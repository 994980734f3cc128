/** What each image of the lab holds: the one place where images are defined. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { CACHE, cached, filesBelow, forgetOlder, shortHash } from './cache.ts'
import { DAPR, DAPR_PARTS, dapr } from './dapr.ts'
import { distribution } from './debian.ts'
import { copyLibraries, fillProgram } from './libraries.ts'
import { fillNginx } from './nginx.ts'
import { type Image, type Layer, readLayer, writeLayer } from './oci.ts'
import { fillPostgres, POSTGRES_USER } from './postgres.ts'
import { HUB } from './registry.ts'
import { run } from './run.ts'
import { architecture, binaries, copyBinary, debianPackages, envoy, node } from './toolchain.ts'

export const REGISTRY = 'portolan.test'
export const IMAGE = {
  pause: `${REGISTRY}/pause:1`,
  coredns: `${REGISTRY}/coredns:1`,
  envoy: `${REGISTRY}/envoy:1`,
  base: `${REGISTRY}/base:1`,
  portolan: `${REGISTRY}/portolan:dev`,
  demoApp: `${REGISTRY}/demo-app:dev`,
  postgres: `${REGISTRY}/postgres:1`,
  /** What the published rebel-base and x-wing name, as containerd knows it: with `library`, and without a tag beside a digest. */
  nginx: `${HUB}/library/nginx:1.15.8`,
  jsonMock: 'quay.io/cilium/json-mock@sha256:f26044a2b8085fcaa8146b6b8bb73556134d7ec3d5782c6a04a058c945924ca0',
  /** Every part of Dapr. */
  dapr: `${HUB}/daprio/dapr:${DAPR}`,
} as const

/** What /opt/portolan holds besides node_modules; the Dockerfile copies the same. Tests stay out. */
export const PORTOLAN_CONTENT = [
  'package.json',
  'api',
  'certs',
  'cli',
  'compiler',
  'federation',
  'kube',
  'webhook',
] as const

const REPOSITORY = join(import.meta.dirname, '../..')
const PATH = 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Bumped when a recipe below changes what it puts into a layer. */
const RECIPE = 3

/** A layer that depends on nothing but versions, kept in the cache. */
async function cachedLayer(name: string, key: string, fill: (dir: string) => Promise<void>): Promise<Layer> {
  const step = { title: `image layer ${name}`, expect: '5 s' }
  const entry = `layer-${name}-${shortHash(key, String(RECIPE), process.arch)}`
  const dir = await cached(entry, step, async (dir) => {
    const root = join(dir, 'root')
    mkdirSync(root)
    await fill(root)
    const { digest, size } = await writeLayer(root, join(dir, 'layer.tar'))
    writeFileSync(join(dir, 'layer.json'), JSON.stringify({ digest, size }))
    await rm(root, { recursive: true })
  })
  forgetOlder(`layer-${name}-`, entry)
  return readLayer(dir)
}

/** A layer of our own files, made anew each time: it is small, and its digest says whether anything changed. */
async function freshLayer(name: string, fill: (dir: string) => Promise<void> | void): Promise<Layer> {
  const dir = await mkdtemp(join(tmpdir(), 'portolan-layer-'))
  try {
    chmodSync(dir, 0o755)
    await fill(dir)
    const draft = await writeLayer(dir, join(CACHE, `.${basename(dir)}`))
    const entry = `fresh-${name}-${draft.digest.slice('sha256:'.length, 19)}.tar`
    const file = join(CACHE, entry)
    await rename(draft.file, file)
    forgetOlder(`fresh-${name}-`, entry)
    return { ...draft, file }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** glibc, a shell and its tools, iptables: what a node program, Envoy and an init container need. */
async function baseLayer(): Promise<Layer> {
  const debian = await debianPackages()
  const { triplet, loader } = architecture()
  return cachedLayer('base', debian.image, async (dir) => {
    const libraries = `usr/lib/${triplet}`
    for (const each of [
      'bin',
      'etc',
      'root',
      'run',
      'sbin',
      'tmp',
      'usr/bin',
      'usr/sbin',
      libraries,
      'var',
      join(loader, '..'),
    ])
      mkdirSync(join(dir, each), { recursive: true })
    chmodSync(join(dir, 'tmp'), 0o1777)
    if (!loader.startsWith('lib/')) symlinkSync('usr/lib', join(dir, 'lib'))
    const from = (path: string) =>
      [join(debian.image, 'usr', path), join(debian.image, path)].find((each) => existsSync(each))
    const take = (path: string, to: string) => {
      const source = from(path)
      if (source === undefined) throw new Error(`the Debian packages hold no ${path}`)
      // Links between the files of a directory stay as they are: copied otherwise they would lead out of the image.
      const links = statSync(source).isDirectory() ? { verbatimSymlinks: true } : { dereference: true }
      cpSync(source, join(dir, to), { recursive: true, ...links })
    }
    const needed =
      /^(libc|libm|libdl|libpthread|librt|libresolv|libnss_dns|libnss_files|libstdc\+\+|libgcc_s|libxtables|libip4tc|libip6tc|libnftnl|libmnl)\.so\.[0-9]+$/
    for (const lib of [debian.image, join(debian.image, 'usr')].map((root) => join(root, 'lib', triplet)))
      if (existsSync(lib))
        for (const file of readdirSync(lib))
          if (needed.test(file)) take(`lib/${triplet}/${file}`, join(libraries, file))
    take(`lib/${triplet}/xtables`, join(libraries, 'xtables'))
    take(`lib/${triplet}/${loader.slice(loader.lastIndexOf('/') + 1)}`, loader)
    for (const file of ['xtables-nft-multi', 'xtables-legacy-multi']) take(`sbin/${file}`, `usr/sbin/${file}`)
    for (const family of ['iptables', 'ip6tables'])
      for (const suffix of ['', '-save', '-restore'])
        for (const [name, program] of [
          [family, 'xtables-nft-multi'],
          [`${family}-legacy`, 'xtables-legacy-multi'],
        ] as const)
          symlinkSync(program, join(dir, 'usr/sbin', name + suffix))
    take('bin/busybox', 'bin/busybox')
    for (const applet of (await run(join(dir, 'bin/busybox'), ['--list'])).split('\n').filter(Boolean))
      if (applet !== 'busybox' && !/^ip6?tables/.test(applet)) symlinkSync('busybox', join(dir, 'bin', applet))
    writeFileSync(
      join(dir, 'etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\nnonroot:x:65532:65532::/tmp:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n',
    )
    writeFileSync(join(dir, 'etc/group'), 'root:x:0:\nnonroot:x:65532:\nnobody:x:65534:\n')
    writeFileSync(join(dir, 'etc/nsswitch.conf'), 'hosts: files dns\n')
  })
}

async function binaryLayer(name: string, file: string, to: string): Promise<Layer> {
  return cachedLayer(name, file.slice(CACHE.length), (dir) => copyBinary(file, join(dir, to)))
}

async function nodeLayer(): Promise<Layer> {
  return binaryLayer('node', await node(), 'usr/local/bin/node')
}

/** The production packages of package-lock.json. */
async function modulesLayer(): Promise<Layer> {
  const manifests = ['package.json', 'package-lock.json'].map((file) => join(REPOSITORY, file))
  const { dependencies } = JSON.parse(readFileSync(manifests[0] ?? '', 'utf8')) as { dependencies: object }
  const lock = readFileSync(manifests[1] ?? '', 'utf8')
  return cachedLayer('modules', JSON.stringify(dependencies) + lock, async (dir) => {
    const target = join(dir, 'opt/portolan')
    mkdirSync(target, { recursive: true })
    for (const file of manifests) cpSync(file, join(target, file.slice(REPOSITORY.length + 1)))
    const quiet = ['--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
    await run('npm', ['ci', ...quiet], { cwd: target })
    for (const file of ['package.json', 'package-lock.json']) await rm(join(target, file))
  })
}

/** curl with its libraries, for pods that act as people do. */
async function curlLayer(): Promise<Layer> {
  const debian = await debianPackages()
  return cachedLayer('curl', debian.image, async (dir) => {
    await copyBinary(join(debian.image, 'usr/bin/curl'), join(dir, 'usr/bin/curl'))
    await copyLibraries(debian.image, dir, ['usr/bin/curl'])
  })
}

const isTest = (file: string) => file.endsWith('.test.ts') || file.includes('testdata/')

async function sourceLayer(): Promise<Layer> {
  return freshLayer('portolan', (dir) => {
    for (const each of PORTOLAN_CONTENT) {
      const from = join(REPOSITORY, each)
      if (existsSync(from))
        cpSync(from, join(dir, 'opt/portolan', each), { recursive: true, filter: (file) => !isTest(file) })
    }
  })
}

async function appLayer(): Promise<Layer> {
  return freshLayer('demo-app', (dir) => {
    const from = join(import.meta.dirname, 'app')
    for (const file of filesBelow(from)) if (!isTest(file)) cpSync(join(from, file), join(dir, 'app', file))
    writeFileSync(join(dir, 'app/package.json'), JSON.stringify({ type: 'module' }))
  })
}

/** Like the official image's: runs curl where the first argument is an option, a URL or nothing. */
const CURL_ENTRYPOINT = `#!/bin/sh
case "\${1:--}" in
-*) set -- curl "$@" ;;
*) command -v "$1" > /dev/null || set -- curl "$@" ;;
esac
exec "$@"
`

async function curlUserLayer(): Promise<Layer> {
  return freshLayer('curl-user', (dir) => {
    mkdirSync(join(dir, 'etc'))
    writeFileSync(join(dir, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\ncurl_user:x:100:101::/tmp:/bin/sh\n')
    writeFileSync(join(dir, 'etc/group'), 'root:x:0:\ncurl_group:x:101:\n')
    writeFileSync(join(dir, 'entrypoint.sh'), CURL_ENTRYPOINT, { mode: 0o755 })
  })
}

/** `pipy` as a command; what it can do stands in app/pipy.ts. */
async function pipyLayer(): Promise<Layer> {
  return freshLayer('pipy', (dir) => {
    for (const each of ['app', 'usr/local/bin']) mkdirSync(join(dir, each), { recursive: true })
    cpSync(join(import.meta.dirname, 'app/pipy.ts'), join(dir, 'app/pipy.ts'))
    writeFileSync(join(dir, 'app/package.json'), JSON.stringify({ type: 'module' }))
    writeFileSync(join(dir, 'usr/local/bin/pipy'), '#!/bin/sh\nexec node /app/pipy.ts "$@"\n', { mode: 0o755 })
  })
}

/** A server of one file of ours under the name of an image that is pulled: `node /app/FILE`. */
async function serverLayer(file: string): Promise<Layer> {
  return freshLayer(file.replace(/\.ts$/, ''), (dir) => {
    mkdirSync(join(dir, 'app'))
    cpSync(join(import.meta.dirname, 'app', file), join(dir, 'app', file))
    writeFileSync(join(dir, 'app/package.json'), JSON.stringify({ type: 'module' }))
  })
}

/** Pods of the conformance suite of Kubernetes' API for services of several clusters, of its releases so far. */
async function conformanceImages(base: Layer): Promise<readonly Image[]> {
  const program = (name: string, fill: (dir: string) => Promise<void>) => cachedLayer(name, distribution(), fill)
  const socat = [base, await program('socat', (dir) => fillProgram(dir, 'socat', 'usr/bin/socat'))]
  // With a shell that looks for nc in PATH: busybox's takes its own.
  const netshoot = await program('netshoot', async (dir) => {
    await fillProgram(dir, 'netcat-openbsd', 'bin/nc.openbsd', 'usr/bin/nc')
    await fillProgram(dir, 'dash', 'bin/dash', 'bin/sh')
  })
  const image = (name: string, layers: readonly Layer[], config: object): Image => ({
    name: `${HUB}/${name}`,
    layers,
    config: { Env: [PATH], ...config },
  })
  return [
    ...['latest', '1.7.4.4'].map((tag) => image(`alpine/socat:${tag}`, socat, { Entrypoint: ['socat'] })),
    image('library/busybox:latest', [base], { Cmd: ['sh'] }),
    image('nicolaka/netshoot:v0.15', [base, netshoot], { Cmd: ['sh'] }),
  ]
}

/** What the nodes' registry has under names of Docker Hub: the images that manifests of others name. */
export async function publishedImages(): Promise<readonly Image[]> {
  const base = await baseLayer()
  return [
    {
      name: `${HUB}/curlimages/curl:latest`,
      layers: [base, await curlLayer(), await curlUserLayer()],
      config: { Entrypoint: ['/entrypoint.sh'], Cmd: ['curl'], Env: [PATH], User: 'curl_user' },
    },
    {
      name: `${HUB}/flomesh/pipy:latest`,
      layers: [base, await nodeLayer(), await pipyLayer()],
      config: { Cmd: ['pipy'], Env: [PATH] },
    },
    {
      name: `${HUB}/addozhang/dapr-nodeapp:latest`,
      layers: [base, await nodeLayer(), await serverLayer('nodeapp.ts')],
      config: { Cmd: ['node', '/app/nodeapp.ts'], Env: [PATH] },
    },
    ...(await conformanceImages(base)),
  ]
}

/** Images every cluster is born with; those called runtime only bring layers that later images build on. */
export async function bornImages(): Promise<readonly Image[]> {
  const bin = await binaries()
  const envoyFile = await envoy()
  const base = await baseLayer()
  const node = await nodeLayer()
  const [pause, coredns, proxy, modules, curl] = [
    await binaryLayer('pause', join(bin, 'pause'), 'pause'),
    await binaryLayer('coredns', join(bin, 'coredns'), 'coredns'),
    await binaryLayer('envoy', envoyFile, 'usr/local/bin/envoy'),
    await modulesLayer(),
    await curlLayer(),
  ]
  return [
    { name: IMAGE.pause, layers: [pause], config: { Entrypoint: ['/pause'] } },
    { name: IMAGE.coredns, layers: [coredns], config: { Entrypoint: ['/coredns'] } },
    { name: IMAGE.base, layers: [base], config: { Cmd: ['sh'], Env: [PATH] } },
    {
      name: IMAGE.envoy,
      layers: [base, proxy],
      config: { Cmd: ['envoy', '-c', '/etc/envoy/envoy.yaml'], Env: [PATH] },
    },
    { name: `${REGISTRY}/runtime-portolan:1`, layers: [base, node, modules], config: { Env: [PATH] } },
    { name: `${REGISTRY}/runtime-demo-app:1`, layers: [base, node, curl], config: { Env: [PATH] } },
  ]
}

/** The product, from the working tree as it is now. */
export async function portolanImage(): Promise<Image> {
  const layers = [await baseLayer(), await nodeLayer(), await modulesLayer(), await sourceLayer()]
  const config = {
    Entrypoint: ['node', '/opt/portolan/cli/main.ts'],
    Env: [PATH, 'NODE_ENV=production'],
    User: '65532:65532',
    WorkingDir: '/opt/portolan',
  }
  return { name: IMAGE.portolan, layers, config }
}

/** A server of many small behaviours, and clients for them; see app/server.ts. */
export async function demoAppImage(): Promise<Image> {
  const layers = [await baseLayer(), await nodeLayer(), await curlLayer(), await appLayer()]
  return { name: IMAGE.demoApp, layers, config: { Cmd: ['node', '/app/server.ts'], Env: [PATH] } }
}

/** Dapr as its chart wants it: `/daprd`, `/operator` and so on, here links to one program. */
async function daprImage(): Promise<Image> {
  const program = await dapr()
  const layer = await cachedLayer('dapr', program.slice(CACHE.length), async (dir) => {
    await copyBinary(program, join(dir, 'dapr'))
    for (const part of DAPR_PARTS) symlinkSync('dapr', join(dir, part))
    // Dapr insists on this group, and it is from here that a user's group is known.
    mkdirSync(join(dir, 'etc'))
    writeFileSync(join(dir, 'etc/passwd'), 'nonroot:x:65532:65532::/:/sbin/nologin\n')
    writeFileSync(join(dir, 'etc/group'), 'nonroot:x:65532:\n')
  })
  return { name: IMAGE.dapr, layers: [layer], config: { Entrypoint: ['/daprd'], User: '65532:65532' } }
}

/** A server that speaks first, with its clients: see postgres.ts. */
async function postgresImage(): Promise<Image> {
  const layers = [await baseLayer(), await cachedLayer('postgres', distribution(), fillPostgres)]
  return { name: IMAGE.postgres, layers, config: { Cmd: ['start-postgres'], Env: [PATH], User: POSTGRES_USER } }
}

/** A web server, with curl as the walkthrough calls from its console. */
async function nginxImage(): Promise<Image> {
  const layers = [await baseLayer(), await curlLayer(), await cachedLayer('nginx', distribution(), fillNginx)]
  return { name: IMAGE.nginx, layers, config: { Cmd: ['nginx', '-g', 'daemon off;'], Env: [PATH] } }
}

/** Its digest is not that of its name, which is asked only when an image is pulled. */
async function jsonMockImage(): Promise<Image> {
  const layers = [await baseLayer(), await nodeLayer(), await curlLayer(), await serverLayer('json-mock.ts')]
  return { name: IMAGE.jsonMock, layers, config: { Cmd: ['node', '/app/json-mock.ts'], Env: [PATH] } }
}

/** By the name users type; what `loadImage` takes. Throws, naming those there are, for any other. */
export async function imageByName(name: string): Promise<Image> {
  if (name === IMAGE.portolan) return portolanImage()
  if (name === IMAGE.demoApp) return demoAppImage()
  if (name === IMAGE.dapr) return daprImage()
  if (name === IMAGE.postgres) return postgresImage()
  if (name === IMAGE.nginx) return nginxImage()
  if (name === IMAGE.jsonMock) return jsonMockImage()
  const born = await bornImages()
  const found = born.find((image) => image.name === name)
  if (found === undefined) throw new Error(`image ${name}: there are ${[...Object.values(IMAGE)].join(', ')}`)
  return found
}
