import { z } from 'zod'
import { diskRecordSchema } from '../disk'
import { driveSchema, refusalReasons } from '../drive'
import { failureSchema, type Result } from '../failure'
import { MAXIMUM_TARGETS } from '../helper-protocol'
import {
  buildSettingsSchema,
  engineArchitecturesSchema,
  imageFactsSchema,
  imageSummarySchema,
  recipeFamilies,
} from '../image'
import { jobSnapshotSchema } from '../job'
import { machineSettingsSchema } from '../machine'
import { machineChoiceSchema, previewStateSchema, typingPlaces } from '../preview'
import { machineFirmwares } from '../proof'
import type { CallName, TopicName } from './channels'

/** Reference to a drive by the list's own key; the main process looks the identity up, the window never sends one. */
const driveKey = z.string().max(4096)
const id = z.string().max(200)
const none = z.null()

/** A file that a drive can be written from: a disk or ISO image, packed or not. */
const openedFile = z.object({
  id,
  name: z.string(),
  /** Bytes; a lower bound when `isSizeKnown` is false. */
  sizeBytes: z.number(),
  isSizeKnown: z.boolean(),
})
export type OpenedFile = z.infer<typeof openedFile>

/** What a dropped file turned out to be: images or trees, listed under these ids, or a disk that can be written. */
export type Dropped = { kind: 'images'; ids: string[] } | { kind: 'file'; file: OpenedFile }

/**
 * Every call of the window: what it sends and what a success answers. A call
 * is answered `{ok: true, value}` or `{ok: false, failure}`.
 */
export const calls = {
  /** Opens the system's dialog for an archive of images or a tar of a root file system; the value are the ids of what it holds, null when the dialog was closed or the unpacking cancelled. */
  openArchive: { input: none, value: z.array(id).nullable() },
  /** Takes what was opened from a file off the list; the file stays. */
  closeArchive: { input: z.object({ imageId: id }), value: none },
  inspectImage: { input: z.object({ imageId: id }), value: imageFactsSchema },
  /** The settings last saved for images of this name; null when there are none. */
  readSettings: { input: z.object({ imageId: id }), value: buildSettingsSchema.nullable() },
  saveSettings: { input: z.object({ imageId: id, settings: buildSettingsSchema }), value: none },
  /** The Dockerfile that adds to the image what it and these settings lack; `adds` are the packages' names. */
  proposeDockerfile: {
    input: z.object({ imageId: id, machine: machineSettingsSchema }),
    value: z.object({
      dockerfile: z.string(),
      family: z.enum(recipeFamilies),
      proven: z.boolean(),
      adds: z.array(z.string()),
    }),
  },
  /** The person's own public keys, `~/.ssh/*.pub`. */
  listPublicKeys: { input: none, value: z.array(z.object({ file: z.string(), key: z.string() })) },
  /** Needed and default size in bytes, and where the disk would go. */
  estimateBuild: {
    input: z.object({ imageId: id }),
    value: z.object({ neededBytes: z.number(), defaultBytes: z.number(), outputPath: z.string() }),
  },
  /** Opens the system's save dialog; the value is the chosen path for display, or null when closed. The main process keeps it for the next buildDisk of this image. */
  chooseDiskPath: { input: z.object({ imageId: id }), value: z.string().nullable() },
  buildDisk: {
    input: z.object({ imageId: id, settings: buildSettingsSchema }),
    value: z.object({ jobId: id, diskId: id }),
  },
  /** Takes the disk out of the list and leaves the file. */
  forgetDisk: { input: z.object({ diskId: id }), value: none },
  deleteDisk: { input: z.object({ diskId: id }), value: none },
  showDiskInFolder: { input: z.object({ diskId: id }), value: none },
  /** Starts QEMU. The preview is a job of its own; the topic `previews` tells of it before this answers. */
  startPreview: {
    input: z.object({ diskId: id, choice: machineChoiceSchema }),
    value: z.object({ jobId: id, previewId: id }),
  },
  /** Sends the screen and the serial console of a machine by PREVIEW_PORT_CHANNEL, in place of those that were sent before. */
  attachPreview: { input: z.object({ previewId: id }), value: none },
  stopPreview: { input: z.object({ previewId: id }), value: none },
  powerDownPreview: { input: z.object({ previewId: id }), value: none },
  resetPreview: { input: z.object({ previewId: id }), value: none },
  /** Types the text of the clipboard into the machine, and answers when it is typed. The window never sees that text. */
  pasteIntoPreview: { input: z.object({ previewId: id, place: z.enum(typingPlaces) }), value: none },
  stopPastingIntoPreview: { input: z.object({ previewId: id }), value: none },
  /** Saves the screen as PNG where the system's save dialog says; the value is the path for display, or null when closed. */
  savePreviewPicture: { input: z.object({ previewId: id }), value: z.string().nullable() },
  /** Opens a web server of the machine in the system's browser, at the address that the main process made for it. */
  openPreviewPort: { input: z.object({ previewId: id, guestPort: z.number().int() }), value: none },
  setFullScreen: { input: z.object({ isFull: z.boolean() }), value: none },
  /** Boots the disk without a window under each firmware that it claims, as a job. */
  proveDisk: { input: z.object({ diskId: id }), value: z.object({ jobId: id }) },
  /** The picture of the last boot under a firmware: a PNG in base64, or null when there is none. */
  readProofPicture: {
    input: z.object({ diskId: id, firmware: z.enum(machineFirmwares) }),
    value: z.string().nullable(),
  },
  /** Opens the system's dialog for a file to write; null when closed. The path stays in the main process. */
  openImageFile: { input: none, value: openedFile.nullable() },
  flashDisk: {
    input: z.object({
      /**
       * A disk of the list; a file that was opened with openImageFile or dropped; or an image, of which a disk is built
       * straight onto the drives.
       */
      source: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('disk'), id }),
        z.object({ kind: z.literal('file'), id }),
        z.object({ kind: z.literal('image'), id, settings: buildSettingsSchema }),
      ]),
      targets: z
        .array(
          z.object({
            driveKey,
            /** What the person typed; the helper compares it again. */
            confirmation: z.string().max(500),
            unmount: z.boolean(),
            /** What the person typed a second time under the expert setting; else null. */
            expert: z.string().max(500).nullable(),
          }),
        )
        .min(1)
        .max(MAXIMUM_TARGETS),
      everything: z.boolean(),
      eject: z.boolean(),
    }),
    value: z.object({ jobId: id }),
  },
  cancelJob: { input: z.object({ jobId: id }), value: none },
  /** Takes an ended job out of the list. */
  dismissJob: { input: z.object({ jobId: id }), value: none },
  readJobLog: { input: z.object({ jobId: id }), value: z.array(z.string()) },
  copyText: { input: z.object({ text: z.string().max(10_000) }), value: none },
  /** Opens a page of the fixed table of addresses in the system's browser. */
  openHelp: {
    input: z.object({ page: z.enum(['docker-install', 'docker-permission', 'qemu-install']) }),
    value: none,
  },
} as const satisfies Record<CallName, { input: z.ZodType; value: z.ZodType }>

/** What the preload sends of a file that was dropped: its path. */
export const droppedPath = z.string().min(1).max(4096)

/** How the engine stands. `tried` and `socket` are for display. */
const engineState = z.discriminatedUnion('state', [
  z.object({ state: z.literal('connecting') }),
  z.object({
    state: z.literal('ready'),
    name: z.string(),
    version: z.string(),
    socket: z.string(),
    architectures: engineArchitecturesSchema,
  }),
  z.object({ state: z.literal('unavailable'), failure: failureSchema }),
])
export type EngineState = z.infer<typeof engineState>

/** A drive of the list with the verdict of the guards for a plain write (not counting the disk's size). */
const listedDrive = driveSchema.extend({
  /** Opaque; names exactly this medium in this slot, so a swapped stick gets another one. */
  key: driveKey,
  name: z.string(),
  /** What a person types to confirm it. */
  nameToType: z.string(),
  reasons: z.array(z.enum(refusalReasons)),
})
export type ListedDrive = z.infer<typeof listedDrive>

/** A disk of the list; `present` is false when the file is gone or is not the size it was. */
const listedDisk = diskRecordSchema.extend({ name: z.string(), present: z.boolean() })
export type ListedDisk = z.infer<typeof listedDisk>

/** What an engine can do here: for which firmware its disks boot, none when it lacks something, and how to get that. */
const engineAbility = z.object({
  firmware: z.array(z.enum(['bios', 'uefi'])),
  missing: z.array(z.string()),
  remedy: z.string(),
})

/** What this machine can do, for the window to say before something is tried. */
const hostState = z.object({
  platform: z.string(),
  /** For machines of each architecture: under which firmware they can be booted, none without QEMU, and how to get what is missing. */
  qemu: z.object({
    firmware: z.object({
      amd64: z.array(z.enum(machineFirmwares)),
      arm64: z.array(z.enum(machineFirmwares)),
    }),
    remedy: z.object({ amd64: z.string(), arm64: z.string() }),
  }),
  /** What a machine can be given at most. */
  processors: z.number(),
  memoryBytes: z.number(),
  elevation: z.object({ needed: z.boolean(), found: z.boolean(), remedy: z.string() }),
  engines: z.object({ direct: engineAbility, kernel: engineAbility }),
})
export type HostState = z.infer<typeof hostState>

export const topics = {
  engine: engineState,
  images: z.array(imageSummarySchema),
  drives: z.array(listedDrive),
  disks: z.array(listedDisk),
  jobs: z.array(jobSnapshotSchema),
  previews: z.array(previewStateSchema),
  host: hostState,
  /** Whether the window fills the screen, by whichever wish. */
  fullScreen: z.boolean(),
} as const satisfies Record<TopicName, z.ZodType>

export type CallInput<N extends CallName> = z.infer<(typeof calls)[N]['input']>
export type CallValue<N extends CallName> = z.infer<(typeof calls)[N]['value']>
export type TopicValue<N extends TopicName> = z.infer<(typeof topics)[N]>

/** What main must implement: one handler for each call. */
export type Handlers = { [N in CallName]: (input: CallInput<N>) => Promise<Result<CallValue<N>>> }

/** What the preload puts on `window.slipway`. */
export interface Api {
  call: { readonly [N in CallName]: (input: CallInput<N>) => Promise<Result<CallValue<N>>> }
  /** Opens a File that was dropped on the window, as `openArchive` or `openImageFile` does; the page does not learn its path. Null when the unpacking was cancelled. */
  openDropped: (file: unknown) => Promise<Result<Dropped | null>>
  /** Reads a topic as it is now. */
  read: <N extends TopicName>(name: N) => Promise<TopicValue<N>>
  /** Calls back with every new value of a topic; answers the function that ends it. */
  subscribe: <N extends TopicName>(name: N, listener: (value: TopicValue<N>) => void) => () => void
}
