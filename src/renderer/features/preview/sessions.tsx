import { createContext, use, useEffect, useRef, useState, type ReactNode } from 'react'
import type RFB from '@novnc/novnc'
import { PREVIEW_PORT_CHANNEL } from '../../../shared/ipc/channels'
import type { MachineChoice, PreviewState } from '../../../shared/preview'
import { useApi, useTopic } from '../../api/api'
import { leavingKeys, type MachineKey } from './keys'
import { portChannel } from './port-channel'
import { createSerialSession, type SerialSession } from './serial-session'

/** The window's end of a machine. It outlives its page: the machine goes on while other pages are shown. */
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
  receive: (stream: 'screen' | 'serial', port: MessagePort) => void
  close: () => void
}

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

interface Previews {
  sessions: readonly PreviewSession[]
  /** The machine that was chosen for a disk, kept while the window is open. */
  choiceOf: (diskId: string) => MachineChoice | undefined
  choose: (diskId: string, choice: MachineChoice) => void
}

const PreviewContext = createContext<Previews | null>(null)

function openSession({ previewId, jobId, diskId }: PreviewState): PreviewSession {
  const screen = createScreen()
  const serial = createSerialSession()
  return {
    previewId,
    jobId,
    diskId,
    showScreen: screen.show,
    focusScreen: screen.focus,
    releaseKeyboard: screen.release,
    pressKeys: screen.press,
    serial,
    receive: (stream, port) => {
      if (stream === 'screen') screen.connect(port)
      else serial.connect(port)
    },
    close: () => {
      screen.close()
      serial.close()
    },
  }
}

/**
 * Sessions for all machines that run: those that were there stay, new ones are opened, and of a machine that has ended
 * the session stays, for its console to be read, until its disk has another.
 */
function sessionsFor(
  states: readonly PreviewState[],
  before: readonly PreviewSession[],
): { sessions: readonly PreviewSession[]; opened: readonly PreviewSession[] } {
  const isOf = (session: PreviewSession) => (state: PreviewState) => state.previewId === session.previewId
  const opened = states
    .filter((state) => !before.some((session) => isOf(session)(state)))
    .map((state) => openSession(state))
  const kept = before.filter(
    (session) => states.some(isOf(session)) || !opened.some(({ diskId }) => diskId === session.diskId),
  )
  return { sessions: [...kept, ...opened], opened }
}

/**
 * Keeps a session with each machine that runs, whoever started it and when: a window that was loaded anew finds its
 * machines again. Receives their ports from the preload.
 */
export function PreviewProvider({ children }: { children: ReactNode }) {
  const call = useApi()
  const states = useTopic('previews')
  const [choices, setChoices] = useState<ReadonlyMap<string, MachineChoice>>(new Map())
  const [sessions, setSessions] = useState<readonly PreviewSession[]>([])
  /** The same for those who are called from outside of React. */
  const current = useRef<readonly PreviewSession[]>([])
  useEffect(() => {
    const onMessage = (event: MessageEvent): void => {
      if (event.source !== window) return
      const data = event.data as { channel?: unknown; previewId?: unknown; stream?: unknown } | null
      const [port] = event.ports
      if (data?.channel !== PREVIEW_PORT_CHANNEL || port === undefined) return
      if (data.stream !== 'screen' && data.stream !== 'serial') return
      current.current.find(({ previewId }) => previewId === data.previewId)?.receive(data.stream, port)
    }
    window.addEventListener('message', onMessage)
    return () => {
      window.removeEventListener('message', onMessage)
    }
  }, [])
  useEffect(() => {
    if (states === undefined) return
    const { sessions: next, opened } = sessionsFor(states, current.current)
    for (const session of current.current) if (!next.includes(session)) session.close()
    current.current = next
    setSessions(next)
    // A machine that has ended meanwhile has no screen to send; the topic tells of its end.
    for (const { previewId } of opened) void call('attachPreview', { previewId })
  }, [states, call])

  const choose: Previews['choose'] = (diskId, choice) =>
    setChoices((before) => new Map(before).set(diskId, choice))
  const choiceOf: Previews['choiceOf'] = (diskId) => choices.get(diskId)
  return <PreviewContext value={{ sessions, choose, choiceOf }}>{children}</PreviewContext>
}

/** The previews of this window. */
export function usePreviews(): Previews {
  const previews = use(PreviewContext)
  if (previews === null) throw new Error('used outside of PreviewProvider')
  return previews
}
