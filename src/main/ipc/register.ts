import { ipcMain, type IpcMainInvokeEvent, type WebContents } from 'electron'
import {
  callChannel,
  OPEN_DROPPED_CHANNEL,
  READ_TOPIC_CHANNEL,
  topicChannel,
  type CallName,
  type TopicName,
} from '../../shared/ipc/channels'
import type { Result } from '../../shared/failure'
import { calls, droppedPath, type Dropped, type Handlers, type TopicValue } from '../../shared/ipc/contract'

/** A state that the main process owns: read now, or be told of every change. */
export interface Topic<T> {
  read(): T
  subscribe(listener: (value: T) => void): () => void
}
export type Topics = { [N in TopicName]: Topic<TopicValue<N>> }

/**
 * Whether a message comes from our page in our window: the window's own
 * contents, its main frame, and exactly our origin. Anything else is a bug or
 * an attack, hence an exception and not an answer.
 */
function checkSender(event: IpcMainInvokeEvent, contents: WebContents, origin: string): void {
  const frame = event.senderFrame
  if (event.sender !== contents || frame?.parent !== null || frame.origin !== origin) {
    throw new Error('message from a stranger')
  }
}

/**
 * Connects the contract to what implements it: check the sender, parse, call, answer.
 * @param contents of the one window
 * @param origin that its page has
 * @param handlers one for each call
 * @param openDropped opens what was dropped on the window, by the path that the preload made of it
 * @param topics one for each topic
 * @returns the function that takes everything off again
 */
export function registerContract(
  contents: WebContents,
  origin: string,
  handlers: Handlers,
  openDropped: (path: string) => Promise<Result<Dropped | null>>,
  topics: Topics,
): () => void {
  const register = (name: CallName): void => {
    ipcMain.handle(callChannel(name), async (event, raw: unknown) => {
      checkSender(event, contents, origin)
      const input = calls[name].input.parse(raw)
      // The schema of this very name made the input, which the compiler cannot follow through the union.
      return await (handlers[name] as (value: unknown) => Promise<unknown>)(input)
    })
  }
  const names = Object.keys(calls) as CallName[]
  names.forEach(register)

  ipcMain.handle(OPEN_DROPPED_CHANNEL, (event, raw: unknown) => {
    checkSender(event, contents, origin)
    return openDropped(droppedPath.parse(raw))
  })
  ipcMain.handle(READ_TOPIC_CHANNEL, (event, raw: unknown) => {
    checkSender(event, contents, origin)
    if (typeof raw !== 'string' || !Object.hasOwn(topics, raw)) throw new Error('no such topic')
    return topics[raw as TopicName].read()
  })
  const ends = (Object.keys(topics) as TopicName[]).map((name) =>
    topics[name].subscribe((value: unknown) => {
      if (!contents.isDestroyed()) contents.send(topicChannel(name), value)
    }),
  )

  return () => {
    for (const name of names) ipcMain.removeHandler(callChannel(name))
    ipcMain.removeHandler(OPEN_DROPPED_CHANNEL)
    ipcMain.removeHandler(READ_TOPIC_CHANNEL)
    for (const end of ends) end()
  }
}
