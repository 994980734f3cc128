/** One certificate authority a cluster, the components' certificates and their kubeconfigs. */
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import 'reflect-metadata' // x509's injector asks for it at load time
import * as x509 from '@peculiar/x509'
import { stringify } from 'yaml'
import type { ClusterPlan } from './plan.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const YEAR = 365 * 24 * 3600 * 1000

interface Pair {
  readonly certificate: x509.X509Certificate
  readonly keys: webcrypto.CryptoKeyPair
}

interface Leaf {
  readonly subject: string
  readonly usage: 'server' | 'client'
  readonly names?: readonly string[]
  readonly addresses?: readonly string[]
  readonly issuer?: 'ca' | 'front-proxy-ca'
}

function leaves(cluster: ClusterPlan): Readonly<Record<string, Leaf>> {
  const first = cluster.nodes[0]
  const perNode = cluster.nodes.map((node): [string, Leaf][] => [
    [
      `kubelet-server-${node.name}`,
      { subject: `CN=${node.name}`, usage: 'server', names: [node.name], addresses: [...node.addresses, '127.0.0.1'] },
    ],
    [`kubelet-${node.name}`, { subject: `O=system:nodes, CN=system:node:${node.name}`, usage: 'client' }],
  ])
  const service = 'kubernetes.default.svc'
  return {
    apiserver: {
      subject: 'CN=kube-apiserver',
      usage: 'server',
      names: ['kubernetes', 'kubernetes.default', service, `${service}.cluster.local`, 'localhost'],
      addresses: [cluster.apiServiceAddress, '127.0.0.1', ...first.addresses],
    },
    'apiserver-kubelet': { subject: 'O=system:masters, CN=apiserver-kubelet', usage: 'client' },
    'front-proxy': { subject: 'CN=front-proxy', usage: 'client', issuer: 'front-proxy-ca' },
    admin: { subject: 'O=system:masters, CN=admin', usage: 'client' },
    controllers: { subject: 'CN=system:kube-controller-manager', usage: 'client' },
    scheduler: { subject: 'CN=system:kube-scheduler', usage: 'client' },
    proxy: { subject: 'CN=system:kube-proxy', usage: 'client' },
    ...Object.fromEntries(perNode.flat()),
  }
}

/** Writes `<name>.crt`, `<name>.key` and, for clients, `<name>.kubeconfig` into the cluster's pki directory. */
export async function writePki(cluster: ClusterPlan): Promise<void> {
  mkdirSync(cluster.pki, { recursive: true, mode: 0o700 })
  const put = (name: string, text: string) => writeFileSync(join(cluster.pki, name), text, { mode: 0o600 })
  const authorities = {
    ca: await authority(cluster, 'ca'),
    'front-proxy-ca': await authority(cluster, 'front-proxy-ca'),
  }
  for (const [name, pair] of Object.entries(authorities)) {
    put(`${name}.crt`, pair.certificate.toString('pem'))
    put(`${name}.key`, await privateKey(pair))
  }
  const ca = authorities.ca.certificate.toString('pem')
  for (const [name, leaf] of Object.entries(leaves(cluster))) {
    const pair = await sign(leaf, authorities[leaf.issuer ?? 'ca'])
    const certificate = pair.certificate.toString('pem')
    const key = await privateKey(pair)
    put(`${name}.crt`, certificate)
    put(`${name}.key`, key)
    if (leaf.usage === 'client') put(`${name}.kubeconfig`, kubeconfig(cluster, name, { ca, certificate, key }))
    if (name === 'admin')
      writeFileSync(cluster.kubeconfig, kubeconfig(cluster, name, { ca, certificate, key }), { mode: 0o600 })
  }
  const { publicKey, privateKey: signer } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  put('service-accounts.pub', publicKey.export({ type: 'spki', format: 'pem' }).toString())
  put('service-accounts.key', signer.export({ type: 'pkcs8', format: 'pem' }).toString())
}

function kubeconfig(
  cluster: ClusterPlan,
  role: string,
  pem: { readonly ca: string; readonly certificate: string; readonly key: string },
): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const { name, server } = cluster
  const user = `${role}@${name}` // files of several clusters are merged by kubectl, and names must not meet
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': base64(pem.ca) } }],
    users: [
      { name: user, user: { 'client-certificate-data': base64(pem.certificate), 'client-key-data': base64(pem.key) } },
    ],
    contexts: [{ name, context: { cluster: name, user } }],
    'current-context': name,
  })
}

async function authority(cluster: ClusterPlan, name: string): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(),
    name: `CN=${name}-${cluster.name}`,
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate, keys }
}

async function sign(leaf: Leaf, issuer: Pair): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const names = [
    ...(leaf.names ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(leaf.addresses ?? []).map((value) => ({ type: 'ip' as const, value })),
  ]
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(),
    subject: leaf.subject,
    issuer: issuer.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage[leaf.usage === 'server' ? 'serverAuth' : 'clientAuth'],
      ]),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey),
    ],
  })
  return { certificate, keys }
}

function validity() {
  const now = Date.now()
  return {
    // A first digit below 8 keeps the serial positive.
    serialNumber: `4${randomBytes(16).toString('hex').slice(1)}`,
    notBefore: new Date(now - 60_000),
    notAfter: new Date(now + YEAR),
  }
}

async function privateKey({ keys }: Pair): Promise<string> {
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return x509.PemConverter.encode(der, 'PRIVATE KEY')
}
