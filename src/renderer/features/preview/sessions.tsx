import { createContext, use, useEffect, useState, type ReactNode } from 'react'
import type RFB from '@novnc/novnc'
import { PREVIEW_PORT_CHANNEL } from '../../../shared/ipc/channels'
import { bytesOf, portChannel } from './port-channel'
import { createSerialText, type SerialText } from './serial-text'

/** A preview that was started in this window. It outlives its page: the machine goes on while other pages are shown. */
export interface PreviewSession {
  previewId: string
  jobId: string
  diskId: string
  /** Shows the screen in an element, and answers the function that takes it out again. */
  showScreen: (parent: HTMLElement) => () => void
  focusScreen: () => void
  /** Gives the keyboard back to the window and lets go of the keys that the machine believes to be down. */
  releaseKeyboard: () => void
  serial: {
    text: () => SerialText
    send: (text: string) => void
    subscribe: (listener: () => void) => () => void
  }
  close: () => void
}

interface Ports {
  screen?: MessagePort
  serial?: MessagePort
}

/** X11's keysyms of the keys that leave the screen (keysymdef.h). */
const CONTROL_LEFT = 0xffe3
const ALT_LEFT = 0xffe9

function connectScreen(port: MessagePort | undefined): {
  show: (parent: HTMLElement) => () => void
  focus: () => void
  release: () => void
  close: () => void
} {
  const element = document.createElement('div')
  element.style.width = '100%'
  element.style.height = '100%'
  let rfb: RFB | null = null
  let isClosed = false
  if (port !== undefined) {
    // noVNC is a fifth of the window's code and only needed here.
    void import('@novnc/novnc').then(({ default: Rfb }) => {
      if (isClosed) return
      rfb = new Rfb(element, portChannel(port))
      rfb.scaleViewport = true
      rfb.background = 'transparent'
    })
  }
  return {
    show: (parent) => {
      parent.append(element)
      return () => {
        element.remove()
      }
    },
    focus: () => rfb?.focus(),
    release: () => {
      rfb?.sendKey(CONTROL_LEFT, 'ControlLeft', false)
      rfb?.sendKey(ALT_LEFT, 'AltLeft', false)
      rfb?.blur()
    },
    close: () => {
      isClosed = true
      rfb?.disconnect()
      port?.close()
    },
  }
}

function connectSerial(port: MessagePort | undefined): PreviewSession['serial'] & { close: () => void } {
  const console = createSerialText()
  const decoder = new TextDecoder()
  const encoder = new TextEncoder()
  const listeners = new Set<() => void>()
  let text = console.text()
  let isScheduled = false
  // A booting machine writes faster than the window needs to be drawn.
  const publish = (): void => {
    isScheduled = false
    text = console.text()
    for (const listener of listeners) listener()
  }
  port?.addEventListener('message', (event) => {
    const bytes = bytesOf(event.data)
    console.write(bytes === null ? String(event.data) : decoder.decode(bytes, { stream: true }))
    if (isScheduled) return
    isScheduled = true
    setTimeout(publish, 50)
  })
  port?.start()
  return {
    text: () => text,
    send: (input) => port?.postMessage(encoder.encode(input)),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    close: () => port?.close(),
  }
}

interface Previews {
  sessions: readonly PreviewSession[]
  /** Connects to a preview that the main process answered with; its ports came before the answer. */
  open: (started: { previewId: string; jobId: string; diskId: string }) => void
  /** Lets go of a preview that has ended. */
  drop: (previewId: string) => void
}

const PreviewContext = createContext<Previews | null>(null)

/** Keeps the running previews of the window, and receives their ports from the preload. */
export function PreviewProvider({ children }: { children: ReactNode }) {
  const [ports] = useState(() => new Map<string, Ports>())
  const [sessions, setSessions] = useState<readonly PreviewSession[]>([])
  useEffect(() => {
    const onMessage = (event: MessageEvent): void => {
      if (event.source !== window) return
      const data = event.data as { channel?: unknown; previewId?: unknown; stream?: unknown } | null
      const [port] = event.ports
      if (data?.channel !== PREVIEW_PORT_CHANNEL || typeof data.previewId !== 'string') return
      if ((data.stream !== 'screen' && data.stream !== 'serial') || port === undefined) return
      ports.set(data.previewId, { ...ports.get(data.previewId), [data.stream]: port })
    }
    window.addEventListener('message', onMessage)
    return () => {
      window.removeEventListener('message', onMessage)
    }
  }, [ports])

  const open: Previews['open'] = ({ previewId, jobId, diskId }) => {
    const own = ports.get(previewId)
    ports.delete(previewId)
    const screen = connectScreen(own?.screen)
    const serial = connectSerial(own?.serial)
    const session: PreviewSession = {
      previewId,
      jobId,
      diskId,
      showScreen: screen.show,
      focusScreen: screen.focus,
      releaseKeyboard: screen.release,
      serial,
      close: () => {
        screen.close()
        serial.close()
      },
    }
    setSessions((before) => [...before, session])
  }
  const drop: Previews['drop'] = (previewId) => {
    sessions.find((session) => session.previewId === previewId)?.close()
    setSessions((before) => before.filter((session) => session.previewId !== previewId))
  }
  return <PreviewContext value={{ sessions, open, drop }}>{children}</PreviewContext>
}

/** The previews of this window. */
export function usePreviews(): Previews {
  const previews = use(PreviewContext)
  if (previews === null) throw new Error('used outside of PreviewProvider')
  return previews
}
