// Run by `helm test`: asks each part of a fresh installation one question, over the same Services that its users take.
import { lookup, Resolver } from 'node:dns/promises'
import { request } from 'node:https'

const { NAMESPACE, CLUSTER_DOMAIN, GATEWAY_PORT } = process.env
const service = (name) => `${name}.${NAMESPACE}.svc.${CLUSTER_DOMAIN}`

/** The API server checks the certificate against caBundle; here the question is whether an answer comes. */
function admit(body) {
  return new Promise((resolve, reject) => {
    const url = `https://${service('portolan-webhook')}/inject`
    const options = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      rejectUnauthorized: false,
      timeout: 5000,
    }
    const call = request(url, options, async (response) => {
      const chunks = await response.toArray()
      resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() })
    })
    call.on('timeout', () => call.destroy(new Error('no answer within 5 s')))
    call.on('error', reject)
    call.end(JSON.stringify(body))
  })
}

async function webhook() {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'smoke', namespace: NAMESPACE },
    spec: { containers: [{ name: 'app', image: 'app' }] },
  }
  const answer = await admit({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'smoke',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      operation: 'CREATE',
      namespace: NAMESPACE,
      name: 'smoke',
      dryRun: true,
      object: pod,
    },
  })
  if (answer.status !== 200) throw new Error(`HTTP ${answer.status}: ${answer.text}`)
  const { response } = JSON.parse(answer.text)
  if (response.uid !== 'smoke' || response.allowed !== true) throw new Error(`unexpected answer ${answer.text}`)
  return 'answers an admission review'
}

async function dns() {
  const { address } = await lookup(service('portolan-dns'))
  const resolver = new Resolver({ timeout: 2000, tries: 3 })
  resolver.setServers([address])
  const name = `kubernetes.default.svc.${CLUSTER_DOMAIN}`
  return `${name} is ${(await resolver.resolve4(name)).join(', ')}`
}

async function gateway() {
  if (!GATEWAY_PORT) return 'switched off'
  const response = await fetch(`http://${service('portolan-gateway')}:${GATEWAY_PORT}/portolan-smoke`, {
    signal: AbortSignal.timeout(5000),
  })
  return `answers with HTTP ${response.status}`
}

let failed = false
for (const [name, ask] of Object.entries({ webhook, dns, gateway })) {
  try {
    console.log(`ok      ${name}: ${await ask()}`)
  } catch (error) {
    failed = true
    console.log(`FAILED  ${name}: ${error.cause?.message ?? error.message}`)
  }
}
process.exitCode = failed ? 1 : 0
