/** Length-prefixed messages of gRPC: a byte that says "not compressed", four bytes length, the message itself. */

export function grpcFrame(message: string | Buffer): Buffer {
  const payload = Buffer.from(message)
  const head = Buffer.alloc(5)
  head.writeUInt32BE(payload.length, 1)
  return Buffer.concat([head, payload])
}

/** Collects bytes as they come and gives back the messages that are whole. */
export function grpcReader(): (chunk: Buffer) => readonly Buffer[] {
  let pending = Buffer.alloc(0)
  return (chunk) => {
    pending = Buffer.concat([pending, chunk])
    const whole: Buffer[] = []
    while (pending.length >= 5 && pending.length >= 5 + pending.readUInt32BE(1)) {
      const end = 5 + pending.readUInt32BE(1)
      whole.push(Buffer.from(pending.subarray(5, end)))
      pending = pending.subarray(end)
    }
    return whole
  }
}
