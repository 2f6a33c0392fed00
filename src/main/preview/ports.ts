import { connect } from 'node:net'
import type { PortForward } from './arguments'

/** Milliseconds that a server has for its first bytes; an emulated one is slow. */
const ANSWER_TIMEOUT = 3000
/** The first byte of a TLS record that carries an alert: the answer of a server that wanted TLS (RFC 8446, 5.1). */
const TLS_ALERT = 0x15

/** What answers at a port: a web server, with or without TLS, or something else. */
export type PortAnswer = 'http' | 'https' | 'other'

/**
 * Reads where QEMU listens for the machine's ports, from its monitor's \`info usernet\` (net/slirp.c; libslirp's
 * slirp_connection_info), which alone tells the port that the kernel chose for port 0.
 */
export function readForwards(text: string): PortForward[] {
  return [...text.matchAll(/^\s*TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+[\d.]+\s+(\d+)/gm)].map(
    ([, host, guest]) => ({ hostPort: Number(host), guestPort: Number(guest) }),
  )
}

/**
 * Asks whether something in the machine answers at a forwarded port. QEMU takes every connection itself, so only bytes
 * that come back are an answer. The question is a HEAD request, which servers of other protocols answer as well, if
 * only to say that they do not understand it.
 * @param hostPort on 127.0.0.1
 * @returns what answers, or null when nothing did within three seconds
 */
export function askPort(hostPort: number): Promise<PortAnswer | null> {
  return new Promise((resolve) => {
    const socket = connect(hostPort, '127.0.0.1')
    const finish = (answer: PortAnswer | null): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => finish(null), ANSWER_TIMEOUT)
    socket.on('connect', () => socket.write('HEAD / HTTP/1.0\r\n\r\n'))
    socket.on('data', (bytes: Buffer) => {
      const text = bytes.toString('latin1')
      if (bytes[0] === TLS_ALERT || /^HTTP\S+ 400 [\s\S]*HTTPS/i.test(text)) finish('https')
      else finish(text.startsWith('HTTP/') ? 'http' : 'other')
    })
    socket.on('error', () => finish(null))
    socket.on('close', () => finish(null))
  })
}
