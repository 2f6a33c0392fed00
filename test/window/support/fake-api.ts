import type { Failure, Result } from '../../../src/shared/failure'
import { callNames, type CallName, type TopicName } from '../../../src/shared/ipc/channels'
import type {
  Api,
  CallInput,
  CallValue,
  Handlers,
  OpenedFile,
  TopicValue,
} from '../../../src/shared/ipc/contract'
import { emptyTopics, facts, GIGABYTE, images, type Topics } from './samples'

/** What was asked of the main process, in its order. */
export type CallRecord = { [N in CallName]: { name: N; input: CallInput<N> } }[CallName]

export interface FakeApi {
  api: Api
  calls: CallRecord[]
  /** What was dropped on the window; answered as `openImageFile` was told to, else as `openArchive` is. */
  dropped: unknown[]
  /** The inputs of every call of one name. */
  inputsOf<N extends CallName>(name: N): CallInput<N>[]
  /** Changes a topic, and tells those who follow it. */
  set<N extends TopicName>(name: N, value: TopicValue<N>): void
  /** Lets the next calls of a name answer this, now or when it is settled. */
  answer<N extends CallName>(name: N, result: Result<CallValue<N>> | Promise<Result<CallValue<N>>>): void
}

/** Answers that a quiet main process would give. */
const plainAnswers: Handlers = {
  openArchive: () => Promise.resolve(done(null)),
  closeArchive: nothing,
  inspectImage: ({ imageId }) => {
    const found = facts.find(({ id }) => id === imageId)
    return Promise.resolve(
      found === undefined ? refused({ code: 'image-gone', facts: { image: imageId } }) : done(found),
    )
  },
  readSettings: () => Promise.resolve(done(null)),
  saveSettings: nothing,
  proposeDockerfile: () =>
    Promise.resolve(
      done({
        dockerfile: 'FROM debian:12\nRUN apt-get install --yes linux-image-amd64\n',
        family: 'debian',
        proven: true,
        adds: ['linux-image-amd64'],
      }),
    ),
  listPublicKeys: () => Promise.resolve(done([])),
  estimateBuild: ({ imageId }) => {
    const name = images.find(({ id }) => id === imageId)?.names[0]?.split(':')[0] ?? 'disk'
    return Promise.resolve(
      done({
        neededBytes: 1.36 * GIGABYTE,
        defaultBytes: 2.28 * GIGABYTE,
        outputPath: `/home/ada/Disks/${name}.img`,
      }),
    )
  },
  chooseDiskPath: () => Promise.resolve(done('/home/ada/Machines/server.img')),
  buildDisk: () => Promise.resolve(done({ jobId: 'build-1', diskId: 'disk-new' })),
  forgetDisk: nothing,
  deleteDisk: nothing,
  showDiskInFolder: nothing,
  startPreview: () => Promise.resolve(done({ jobId: 'preview-1', previewId: 'machine-1' })),
  attachPreview: nothing,
  stopPreview: nothing,
  powerDownPreview: nothing,
  resetPreview: nothing,
  pasteIntoPreview: nothing,
  stopPastingIntoPreview: nothing,
  savePreviewPicture: () => Promise.resolve(done('/home/ada/screen.png')),
  openPreviewPort: nothing,
  setFullScreen: nothing,
  proveDisk: () => Promise.resolve(done({ jobId: 'proof-1' })),
  // One black pixel.
  readProofPicture: () =>
    Promise.resolve(
      done('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNgYGAAAAAEAAH2FzhVAAAAAElFTkSuQmCC'),
    ),
  openImageFile: () =>
    Promise.resolve(done({ id: 'file-1', name: 'other.img.xz', sizeBytes: 4 * GIGABYTE, isSizeKnown: true })),
  flashDisk: () => Promise.resolve(done({ jobId: 'flash-1' })),
  cancelJob: nothing,
  dismissJob: nothing,
  readJobLog: () => Promise.resolve(done(['Created container 4f1c2a.', 'mkfs.ext4: 557056 blocks.'])),
  copyText: nothing,
  openHelp: nothing,
}

function done<T>(value: T): Result<T> {
  return { ok: true, value }
}

function refused(failure: Failure): Result<never> {
  return { ok: false, failure }
}

function nothing(): Promise<Result<null>> {
  return Promise.resolve(done(null))
}

/** A main process that does nothing but remember what it was asked. */
export function createFakeApi(topics: Partial<Topics> = {}): FakeApi {
  const state: Topics = { ...emptyTopics, ...topics }
  const listeners = new Map<TopicName, Set<(value: never) => void>>()
  const answers = new Map<CallName, Result<unknown> | Promise<Result<unknown>>>()
  const calls: CallRecord[] = []
  const dropped: unknown[] = []

  const call = Object.fromEntries(
    callNames.map((name) => [
      name,
      (input: never) => {
        calls.push({ name, input } as unknown as CallRecord)
        const prepared = answers.get(name)
        return prepared === undefined ? plainAnswers[name](input) : Promise.resolve(prepared)
      },
    ]),
  ) as unknown as Api['call']

  return {
    calls,
    dropped,
    inputsOf: (name) => calls.filter((record) => record.name === name).map(({ input }) => input as never),
    set: (name, value) => {
      state[name] = value as never
      for (const listener of listeners.get(name) ?? []) listener(value as never)
    },
    answer: (name, result) => {
      answers.set(name, result)
    },
    api: {
      call,
      openDropped: async (file) => {
        dropped.push(file)
        const disk = answers.get('openImageFile') as Result<OpenedFile> | undefined
        if (disk !== undefined) return disk.ok ? done({ kind: 'file', file: disk.value }) : disk
        const opened = (await (answers.get('openArchive') ?? done([]))) as Result<string[] | null>
        if (!opened.ok) return opened
        return done(opened.value === null ? null : { kind: 'images', ids: opened.value })
      },
      read: (name) => Promise.resolve(state[name]),
      subscribe: (name, listener) => {
        const own = listeners.get(name) ?? new Set()
        listeners.set(name, own)
        own.add(listener)
        return () => {
          own.delete(listener)
        }
      },
    },
  }
}
