import type { Topic } from '../ipc/register'

/** A topic that is set here and read and followed elsewhere. A value equal to the last one is not told again. */
export interface Setting<T> extends Topic<T> {
  set: (value: T) => void
}

/** Makes a topic with its first value. */
export function setting<T>(first: T): Setting<T> {
  const listeners = new Set<(value: T) => void>()
  let current = first
  let text = JSON.stringify(first)
  return {
    read: () => current,
    subscribe(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    set(value) {
      const next = JSON.stringify(value)
      if (next === text) return
      current = value
      text = next
      for (const listener of listeners) listener(value)
    },
  }
}
