/**
 * Names of everything that crosses between window and main process, and all
 * that the preload bundles. The schemas are apart, in contract.ts, because
 * bundling them made the preload eight hundred times larger.
 */
export const callNames = [
  'openArchive',
  'closeArchive',
  'inspectImage',
  'readSettings',
  'saveSettings',
  'proposeDockerfile',
  'listPublicKeys',
  'estimateBuild',
  'chooseDiskPath',
  'buildDisk',
  'forgetDisk',
  'deleteDisk',
  'showDiskInFolder',
  'startPreview',
  'attachPreview',
  'stopPreview',
  'powerDownPreview',
  'resetPreview',
  'pasteIntoPreview',
  'stopPastingIntoPreview',
  'savePreviewPicture',
  'openPreviewPort',
  'setFullScreen',
  'proveDisk',
  'readProofPicture',
  'openImageFile',
  'flashDisk',
  'cancelJob',
  'dismissJob',
  'readJobLog',
  'copyText',
  'openHelp',
] as const
export type CallName = (typeof callNames)[number]

/** States that the main process owns; the window subscribes and is sent each whole. */
export const topicNames = [
  'engine',
  'images',
  'drives',
  'disks',
  'jobs',
  'previews',
  'host',
  'fullScreen',
] as const
export type TopicName = (typeof topicNames)[number]

/** The ipcRenderer channel of a call, of a topic's notifications, and of reading a topic now. */
export const callChannel = (name: CallName): string => `slipway:call:${name}`
export const topicChannel = (name: TopicName): string => `slipway:topic:${name}`
/** Carries the path of a file that was dropped on the window; the preload makes it from the File, the page never sees one. */
export const OPEN_DROPPED_CHANNEL = 'slipway:open-dropped'
export const READ_TOPIC_CHANNEL = 'slipway:read-topic'

/** Carries a MessagePort of a running preview: `{previewId, stream: 'screen' | 'serial'}` with one port. */
export const PREVIEW_PORT_CHANNEL = 'slipway:preview-port'
