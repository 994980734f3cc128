/** node tcp.ts HOST PORT: prints the first line that the server sends without having been asked. */
import net from 'node:net'

const [host = '', port = ''] = process.argv.slice(2)
const socket = net.connect(Number(port), host)
socket.setTimeout(10_000, () => socket.destroy(new Error('nothing came in 10 s')))
socket.on('error', (error) => {
  console.error(`${host}:${port}: ${error.message}`)
  process.exitCode = 1
})
socket.once('data', (data) => {
  console.log(data.toString().split('\n')[0])
  socket.end()
})
