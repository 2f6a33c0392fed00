import type { FitAddon } from '@xterm/addon-fit'
import type { Terminal } from '@xterm/xterm'
import { bytesOf } from './port-channel'
import { withConstructedStyles } from './terminal-styles'

/** Bytes that are kept until the terminal is first looked at. */
const WAITING_LIMIT = 256 * 1024
/** Lines above the screen. */
const SCROLLBACK = 5000

/** A machine's serial console as a terminal, which goes on while other pages are shown. */
export interface SerialSession {
  /** Joins it to a port, in place of the one before. */
  connect: (port: MessagePort) => void
  /** Shows the terminal in an element, and answers the function that takes it out again. */
  show: (parent: HTMLElement) => () => void
  focus: () => void
  /** Gives the keyboard back to the window. */
  release: () => void
  /** Whether something ever came from the machine. */
  hasSpoken: () => boolean
  /** Calls back when `hasSpoken` changes; answers the function that ends it. */
  subscribe: (listener: () => void) => () => void
  close: () => void
}

/** Makes the console. Its terminal, a quarter of the window's code, is loaded when it is first shown. */
export function createSerialSession(): SerialSession {
  const element = document.createElement('div')
  element.style.width = '100%'
  element.style.height = '100%'
  const encoder = new TextEncoder()
  const listeners = new Set<() => void>()
  let port: MessagePort | null = null
  let waiting: Uint8Array[] = []
  let waitingBytes = 0
  let hasSpoken = false
  let loading: Promise<void> | null = null
  let opened: { terminal: Terminal; fit: FitAddon } | null = null
  let isClosed = false

  const receive = (event: MessageEvent): void => {
    const bytes = bytesOf(event.data)
    if (bytes === null) return
    if (!hasSpoken) {
      hasSpoken = true
      for (const listener of listeners) listener()
    }
    if (opened !== null) {
      opened.terminal.write(bytes)
      return
    }
    waiting.push(bytes)
    waitingBytes += bytes.length
    while (waitingBytes > WAITING_LIMIT) waitingBytes -= waiting.shift()?.length ?? 0
  }

  async function open(): Promise<void> {
    const [{ Terminal: XTerminal }, { FitAddon: XFit }] = await Promise.all([
      import('@xterm/xterm'),
      import('@xterm/addon-fit'),
      import('@xterm/xterm/css/xterm.css'),
    ])
    if (isClosed) return
    const terminal = new XTerminal({
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue('--mono'),
      fontSize: 13,
      scrollback: SCROLLBACK,
      screenReaderMode: true,
      theme: { background: '#101214', foreground: '#e4e2dd', cursor: '#e4e2dd' },
    })
    const fit = new XFit()
    terminal.loadAddon(fit)
    // Colours beyond the 256 would be written as style attributes, which the policy refuses.
    terminal.parser.registerCsiHandler({ final: 'm' }, (parameters) => {
      const numbers = parameters.flat()
      return numbers.some((value, index) => [38, 48, 58].includes(value) && numbers[index + 1] === 2)
    })
    terminal.onData((text) => port?.postMessage(encoder.encode(text)))
    terminal.attachCustomKeyEventHandler((event) => {
      // The way out, as on the screen; every other key is the machine's.
      return !(event.ctrlKey && event.altKey && event.code === 'KeyG')
    })
    withConstructedStyles(document, () => terminal.open(element))
    opened = { terminal, fit }
    for (const bytes of waiting) terminal.write(bytes)
    waiting = []
  }

  return {
    connect: (next) => {
      port?.close()
      port = next
      port.addEventListener('message', receive)
      port.start()
    },
    show: (parent) => {
      parent.append(element)
      const resize = new ResizeObserver(() => opened?.fit.fit())
      loading ??= open()
      void loading.then(() => {
        opened?.fit.fit()
        resize.observe(parent)
      })
      return () => {
        resize.disconnect()
        element.remove()
      }
    },
    focus: () => opened?.terminal.focus(),
    release: () => opened?.terminal.blur(),
    hasSpoken: () => hasSpoken,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    close: () => {
      isClosed = true
      port?.close()
      opened?.terminal.dispose()
      opened = null
    },
  }
}
