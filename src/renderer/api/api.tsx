import {
  createContext,
  use,
  useCallback,
  useMemo,
  useState,
  useSyncExternalStore,
  type ReactNode,
} from 'react'
import type { Failure, Result } from '../../shared/failure'
import type { CallName, TopicName } from '../../shared/ipc/channels'
import type { Dropped, Api, CallInput, CallValue, TopicValue } from '../../shared/ipc/contract'

/** A topic as React's useSyncExternalStore wants it; undefined until it was first read. */
interface TopicSource<T> {
  subscribe: (listener: () => void) => () => void
  current: () => T | undefined
}

type TopicSources = { readonly [N in TopicName]: TopicSource<TopicValue<N>> }

/**
 * Follows a topic while somebody listens. A notification that comes before
 * the answer of the first read is newer than it, so the answer is dropped.
 */
function topicSource<N extends TopicName>(api: Api, name: N): TopicSource<TopicValue<N>> {
  const listeners = new Set<() => void>()
  let value: TopicValue<N> | undefined
  let stop: (() => void) | null = null

  function start(): () => void {
    let notified = false
    let stopped = false
    const set = (next: TopicValue<N>): void => {
      value = next
      for (const listener of listeners) listener()
    }
    const unsubscribe = api.subscribe(name, (next) => {
      notified = true
      set(next)
    })
    void api.read(name).then((first) => {
      if (!notified && !stopped) set(first)
    })
    return () => {
      stopped = true
      unsubscribe()
    }
  }

  return {
    current: () => value,
    subscribe(listener) {
      listeners.add(listener)
      stop ??= start()
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        stop?.()
        stop = null
      }
    },
  }
}

const ApiContext = createContext<{ api: Api; topics: TopicSources } | null>(null)

/** Gives the window its main process: `window.slipway` in the application, a stand-in in tests. */
export function ApiProvider({ api, children }: { api: Api; children: ReactNode }) {
  const value = useMemo(
    () => ({
      api,
      topics: {
        engine: topicSource(api, 'engine'),
        images: topicSource(api, 'images'),
        drives: topicSource(api, 'drives'),
        disks: topicSource(api, 'disks'),
        jobs: topicSource(api, 'jobs'),
        previews: topicSource(api, 'previews'),
        host: topicSource(api, 'host'),
        fullScreen: topicSource(api, 'fullScreen'),
      },
    }),
    [api],
  )
  return <ApiContext value={value}>{children}</ApiContext>
}

function useApiContext(): { api: Api; topics: TopicSources } {
  const context = use(ApiContext)
  if (context === null) throw new Error('used outside of ApiProvider')
  return context
}

/** A state of the main process as it is now, or undefined before its first answer. */
export function useTopic<N extends TopicName>(name: N): TopicValue<N> | undefined {
  const source: TopicSource<TopicValue<N>> = useApiContext().topics[name]
  return useSyncExternalStore(source.subscribe, source.current)
}

/** Calls the main process. A call that throws is a mistake of ours and is answered as such, so that a button never does nothing. */
export function useApi(): <N extends CallName>(
  name: N,
  input: CallInput<N>,
) => Promise<Result<CallValue<N>>> {
  const { api } = useApiContext()
  return useCallback(
    async <N extends CallName>(name: N, input: CallInput<N>): Promise<Result<CallValue<N>>> => {
      try {
        return await api.call[name](input)
      } catch (error) {
        return { ok: false, failure: { code: 'internal', facts: { detail: String(error) } } }
      }
    },
    [api],
  )
}

/** Opens a file that was dropped on the window. */
export function useOpenDropped(): (file: File) => Promise<Result<Dropped | null>> {
  const { api } = useApiContext()
  return useCallback(
    async (file) => {
      try {
        return await api.openDropped(file)
      } catch (error) {
        return { ok: false, failure: { code: 'internal', facts: { detail: String(error) } } }
      }
    },
    [api],
  )
}

export interface Call<N extends CallName> {
  /** Calls; on success answers the value, on failure null, and `failure` is set. */
  run: (input: CallInput<N>) => Promise<{ value: CallValue<N> } | null>
  pending: boolean
  failure: Failure | null
  /** Forgets the last failure. */
  clear: () => void
}

/** One call with its state, for a button. */
export function useCall<N extends CallName>(name: N): Call<N> {
  const call = useApi()
  const [pending, setPending] = useState(false)
  const [failure, setFailure] = useState<Failure | null>(null)
  const run = useCallback(
    async (input: CallInput<N>) => {
      setPending(true)
      setFailure(null)
      const result = await call(name, input)
      setPending(false)
      if (result.ok) return { value: result.value }
      setFailure(result.failure)
      return null
    },
    [call, name],
  )
  const clear = useCallback(() => {
    setFailure(null)
  }, [])
  return { run, pending, failure, clear }
}
