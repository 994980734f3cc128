/**
 * node versions.ts ADDRESS…: watches which table the proxies at these addresses run, and ends when all have taken a new one.
 * Prints `watching` once it knows what they run now, then one line of JSON: address → milliseconds since the epoch at which it changed.
 */
const addresses = process.argv.slice(2)
const deadline = Date.now() + 180_000

async function version(address: string): Promise<string> {
  const response = await fetch(`http://${address}:15090/stats?filter=cds.version_text`)
  return await response.text()
}

async function change(address: string, first: string): Promise<readonly [string, number]> {
  while (Date.now() < deadline) {
    if ((await version(address)) !== first) return [address, Date.now()]
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`${address}: no new table in 180 s`)
}

const first = await Promise.all(addresses.map(version))
console.log('watching')
console.log(
  JSON.stringify(Object.fromEntries(await Promise.all(addresses.map((address, n) => change(address, first[n] ?? ''))))),
)

export {}
