/** Stands in for cilium/json-mock as the published x-wing has it: it is up when port 80 answers, and has curl to call others. */
import { createServer } from 'node:http'

createServer((_, response) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end('{}\n')
}).listen(80)
process.on('SIGTERM', () => process.exit(0))
