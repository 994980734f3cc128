/** node ws.ts ws://HOST:PORT/ws MESSAGE…: sends each message and prints what comes back for it. */
const [url = '', ...messages] = process.argv.slice(2)
const socket = new WebSocket(url)
const timer = setTimeout(() => fail('no answer in 10 s'), 10_000)

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

socket.addEventListener('open', next)
socket.addEventListener('message', ({ data }) => {
  console.log(String(data))
  next()
})
socket.addEventListener('error', () => fail('connection failed'))
socket.addEventListener('close', ({ code }) => {
  if (sent <= messages.length) fail(`closed with code ${code}`)
})

export {}
