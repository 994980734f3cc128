/**
 * node ws.ts ws://HOST:PORT/ws MESSAGE…: sends each message and prints what comes back for it. With `-` for the messages
 * each line of the input is one, for as long as there are any.
 */
import { createInterface } from 'node:readline'

const [url = '', ...messages] = process.argv.slice(2)
const fromInput = messages[0] === '-'
const socket = new WebSocket(url)
const timer = fromInput ? undefined : setTimeout(() => fail('no answer in 10 s'), 10_000)

function fail(reason: string): never {
  console.error(`${url}: ${reason}`)
  process.exit(1)
}

let sent = 0
function next(): void {
  const message = messages[sent]
  sent += 1
  if (message === undefined) {
    clearTimeout(timer)
    socket.close()
  } else socket.send(message)
}

function listen(): void {
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => socket.send(line))
  lines.on('close', () => {
    sent = messages.length + 1
    socket.close()
  })
}

socket.addEventListener('open', fromInput ? listen : next)
socket.addEventListener('message', ({ data }) => {
  console.log(String(data))
  if (!fromInput) next()
})
socket.addEventListener('error', () => fail('connection failed'))
socket.addEventListener('close', ({ code }) => {
  if (sent <= messages.length) fail(`closed with code ${code}`)
})
