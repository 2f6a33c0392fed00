import { contextBridge, ipcRenderer, webUtils } from 'electron'
import {
  callChannel,
  callNames,
  OPEN_DROPPED_CHANNEL,
  PREVIEW_PORT_CHANNEL,
  READ_TOPIC_CHANNEL,
  topicChannel,
  topicNames,
} from '../shared/ipc/channels'

// Only frozen functions cross to the page: never ipcRenderer, never an event.
// Everything is parsed on the other side, so nothing is checked here but the
// names, which would otherwise choose the channel.

type AnyFunction = (...values: never[]) => unknown

const call: Record<string, AnyFunction> = {}
for (const name of callNames) {
  call[name] = (input: unknown) => ipcRenderer.invoke(callChannel(name), input)
}

const knownTopic = (name: unknown): (typeof topicNames)[number] => {
  const topic = topicNames.find((candidate) => candidate === name)
  if (topic === undefined) throw new Error('no such topic')
  return topic
}

contextBridge.exposeInMainWorld(
  'slipway',
  Object.freeze({
    call: Object.freeze(call),
    // A path comes only from a File that a person dropped: one that a script made has none, and anything else throws.
    openDropped: (file: unknown) =>
      ipcRenderer.invoke(OPEN_DROPPED_CHANNEL, webUtils.getPathForFile(file as File)),
    read: (name: unknown) => ipcRenderer.invoke(READ_TOPIC_CHANNEL, knownTopic(name)),
    subscribe: (name: unknown, listener: (value: unknown) => void) => {
      const channel = topicChannel(knownTopic(name))
      const forward = (_event: unknown, value: unknown): void => {
        listener(value)
      }
      ipcRenderer.on(channel, forward)
      return () => {
        ipcRenderer.removeListener(channel, forward)
      }
    },
  }),
)

// A MessagePort cannot cross contextBridge; window.postMessage is the way that
// Electron documents ("MessagePorts in Electron", handing ports to the main world).
ipcRenderer.on(PREVIEW_PORT_CHANNEL, (event, about: { previewId: string; stream: string }) => {
  window.postMessage(
    { channel: PREVIEW_PORT_CHANNEL, previewId: about.previewId, stream: about.stream },
    window.location.origin,
    event.ports,
  )
})
