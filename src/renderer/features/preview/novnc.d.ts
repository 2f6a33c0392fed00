/** The part of noVNC's API that is used (docs/API.md of @novnc/novnc 1.7). */
declare module '@novnc/novnc' {
  /** What noVNC's Websock reads and sets on a channel that is not a WebSocket. */
  export interface RawChannel {
    binaryType: string
    protocol: string
    readyState: 'connecting' | 'open' | 'closing' | 'closed'
    send: (data: ArrayBufferView<ArrayBuffer>) => void
    close: () => void
    onopen: (() => void) | null
    onmessage: ((event: { data: ArrayBuffer }) => void) | null
    onclose: ((event: { code: number; reason: string; wasClean: boolean }) => void) | null
    onerror: ((event: unknown) => void) | null
  }

  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, channel: RawChannel, options?: { shared?: boolean })
    background: string
    scaleViewport: boolean
    resizeSession: boolean
    focusOnClick: boolean
    viewOnly: boolean
    focus: () => void
    blur: () => void
    sendKey: (keysym: number, code: string, down?: boolean) => void
    sendCtrlAltDel: () => void
    disconnect: () => void
  }
}
