import { createContext, use, useEffect, useState, type ReactNode } from 'react'
import type RFB from '@novnc/novnc'
import { PREVIEW_PORT_CHANNEL } from '../../../shared/ipc/channels'
import type { MachineChoice } from '../../../shared/preview'
import { leavingKeys, type MachineKey } from './keys'
import { portChannel } from './port-channel'
import { createSerialSession, type SerialSession } from './serial-session'

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
  /** Presses keys together on the machine's keyboard. */
  pressKeys: (keys: readonly MachineKey[]) => void
  serial: SerialSession
  close: () => void
}

type Stream = 'screen' | 'serial'

function createScreen(): {
  /** Shows what comes through a port, in place of the one before: a machine that was started again has another. */
  connect: (port: MessagePort) => void
  show: (parent: HTMLElement) => () => void
  focus: () => void
  release: () => void
  press: (keys: readonly MachineKey[]) => void
  close: () => void
} {
  const element = document.createElement('div')
  element.style.width = '100%'
  element.style.height = '100%'
  let current: MessagePort | null = null
  let rfb: RFB | null = null
  const disconnect = (): void => {
    rfb?.disconnect()
    rfb = null
    current?.close()
    current = null
  }
  return {
    connect: (port) => {
      disconnect()
      current = port
      // noVNC is a fifth of the window's code and only needed here.
      void import('@novnc/novnc').then(({ default: Rfb }) => {
        if (current !== port) return
        const connected = new Rfb(element, portChannel(port))
        // Disconnecting once more would be an error to noVNC.
        connected.addEventListener('disconnect', () => {
          if (rfb === connected) rfb = null
        })
        rfb = connected
        rfb.scaleViewport = true
        rfb.background = 'transparent'
      })
    },
    show: (parent) => {
      parent.append(element)
      return () => {
        element.remove()
      }
    },
    focus: () => rfb?.focus(),
    release: () => {
      for (const { keysym, code } of leavingKeys) rfb?.sendKey(keysym, code, false)
      rfb?.blur()
    },
    press: (keys) => {
      for (const { keysym, code } of keys) rfb?.sendKey(keysym, code, true)
      for (const { keysym, code } of keys.toReversed()) rfb?.sendKey(keysym, code, false)
    },
    close: disconnect,
  }
}

/**
 * Brings ports and sessions together, whichever comes first: the ports cross
 * as messages of the page and the answer that opens the session as a reply of
 * the main process, and nothing orders the two.
 */
function createPortDesk(): {
  deliver: (previewId: string, stream: Stream, port: MessagePort) => void
  collect: (previewId: string, receiver: (stream: Stream, port: MessagePort) => void) => void
  leave: (previewId: string) => void
} {
  const waiting: { previewId: string; stream: Stream; port: MessagePort }[] = []
  const receivers = new Map<string, (stream: Stream, port: MessagePort) => void>()
  return {
    deliver: (previewId, stream, port) => {
      const receiver = receivers.get(previewId)
      if (receiver === undefined) waiting.push({ previewId, stream, port })
      else receiver(stream, port)
    },
    collect: (previewId, receiver) => {
      receivers.set(previewId, receiver)
      for (const one of waiting.filter((candidate) => candidate.previewId === previewId)) {
        waiting.splice(waiting.indexOf(one), 1)
        receiver(one.stream, one.port)
      }
    },
    leave: (previewId) => {
      receivers.delete(previewId)
    },
  }
}

interface Previews {
  sessions: readonly PreviewSession[]
  /** Connects to a preview that the main process answered with. */
  open: (started: { previewId: string; jobId: string; diskId: string }) => void
  /** Lets go of a preview that has ended. */
  drop: (previewId: string) => void
  /** The machine that was chosen for a disk, kept while the window is open. */
  choiceOf: (diskId: string) => MachineChoice | undefined
  choose: (diskId: string, choice: MachineChoice) => void
}

const PreviewContext = createContext<Previews | null>(null)

/** Keeps the running previews of the window, and receives their ports from the preload. */
export function PreviewProvider({ children }: { children: ReactNode }) {
  const [desk] = useState(createPortDesk)
  const [choices, setChoices] = useState<ReadonlyMap<string, MachineChoice>>(new Map())
  const [sessions, setSessions] = useState<readonly PreviewSession[]>([])
  useEffect(() => {
    const onMessage = (event: MessageEvent): void => {
      if (event.source !== window) return
      const data = event.data as { channel?: unknown; previewId?: unknown; stream?: unknown } | null
      const [port] = event.ports
      if (data?.channel !== PREVIEW_PORT_CHANNEL || typeof data.previewId !== 'string') return
      if ((data.stream !== 'screen' && data.stream !== 'serial') || port === undefined) return
      desk.deliver(data.previewId, data.stream, port)
    }
    window.addEventListener('message', onMessage)
    return () => {
      window.removeEventListener('message', onMessage)
    }
  }, [desk])

  const open: Previews['open'] = ({ previewId, jobId, diskId }) => {
    const screen = createScreen()
    const serial = createSerialSession()
    desk.collect(previewId, (stream, port) => {
      if (stream === 'screen') screen.connect(port)
      else serial.connect(port)
    })
    const session: PreviewSession = {
      previewId,
      jobId,
      diskId,
      showScreen: screen.show,
      focusScreen: screen.focus,
      releaseKeyboard: screen.release,
      pressKeys: screen.press,
      serial,
      close: () => {
        desk.leave(previewId)
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
  const choose: Previews['choose'] = (diskId, choice) =>
    setChoices((before) => new Map(before).set(diskId, choice))
  const choiceOf: Previews['choiceOf'] = (diskId) => choices.get(diskId)
  return <PreviewContext value={{ sessions, open, drop, choose, choiceOf }}>{children}</PreviewContext>
}

/** The previews of this window. */
export function usePreviews(): Previews {
  const previews = use(PreviewContext)
  if (previews === null) throw new Error('used outside of PreviewProvider')
  return previews
}
