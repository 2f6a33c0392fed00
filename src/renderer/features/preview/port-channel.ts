import type { RawChannel } from '@novnc/novnc'

/** Bytes that came through a port: an ArrayBuffer or a view of one. Null when it is something else. */
export function bytesOf(data: unknown): Uint8Array<ArrayBuffer> | null {
  if (data instanceof ArrayBuffer) return new Uint8Array(data)
  if (ArrayBuffer.isView(data)) {
    // A copy, because noVNC wants a buffer of exactly these bytes.
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice()
  }
  return null
}

/**
 * Makes a MessagePort look like the WebSocket that noVNC expects. It is open
 * from the start; bytes that came before wait in the port.
 * @param port carries VNC bytes both ways
 */
export function portChannel(port: MessagePort): RawChannel {
  const channel: RawChannel = {
    binaryType: 'arraybuffer',
    protocol: '',
    readyState: 'open',
    onopen: null,
    onmessage: null,
    onclose: null,
    onerror: null,
    // noVNC reuses its send buffer, and a view would carry the whole buffer with it: hence a copy.
    send: (data) => {
      port.postMessage(new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice())
    },
    close: () => {
      closed()
      port.close()
    },
  }
  function closed(): void {
    if (channel.readyState === 'closed') return
    channel.readyState = 'closed'
    channel.onclose?.({ code: 1000, reason: '', wasClean: true })
  }
  port.addEventListener('message', (event) => {
    const bytes = bytesOf(event.data)
    if (bytes !== null) channel.onmessage?.({ data: bytes.buffer })
  })
  port.addEventListener('close', closed)
  // noVNC sets its handlers while it is constructed; messages wait until the port is started.
  queueMicrotask(() => {
    port.start()
  })
  return channel
}
