import { app, BrowserWindow, dialog, session } from 'electron'
import { join } from 'node:path'
import { isActive } from '../shared/job'
import { systemAttention } from './app/attention'
import { denyByDefault, denyPermissions } from './app/harden'
import { describeHost } from './app/host'
import { createImageFiles, openDroppedFile } from './app/image-files'
import { setApplicationMenu } from './app/menu'
import { watchNeeded } from './app/needed'
import { createPreviews } from './app/previews'
import { APP_ORIGIN, registerAppScheme, serveWindow } from './app/protocol'
import { setting } from './app/topic'
import { openWindow } from './app/window'
import { setDirectWorker } from './convert/engines'
import { watchEngine } from './docker/watch'
import { watchDrives } from './drives/watch'
import { setHelperPaths } from './elevation/helper-client'
import { removeStaleDirectories } from './elevation/meeting-place'
import { createHandlers } from './ipc/handlers'
import { registerContract } from './ipc/register'
import { createAttention } from './jobs/attention'
import { createJobManager } from './jobs/manager'
import { unpackingWork } from './jobs/unpacking'
import { imageSettingsFile, openImageSettings } from './library/image-settings'
import { setTreeThread } from './source/archive/tree-thread'
import { openedArchives } from './source/opened'
import { libraryFolder, openLibrary } from './library/library'
import type { EngineState, ListedDisk, ListedDrive } from '../shared/ipc/contract'
import type { ImageSummary } from '../shared/image'
import type { JobSnapshot } from '../shared/job'
import type { PreviewState } from '../shared/preview'

// Composition root: makes the parts, joins them, and takes them apart again.

const log = (line: string): void => {
  console.error(line)
}

registerAppScheme()
denyByDefault()

async function start(): Promise<void> {
  setApplicationMenu()
  denyPermissions(session.defaultSession)
  serveWindow(session.defaultSession, join(__dirname, '../renderer'))
  setHelperPaths({
    executable: process.execPath,
    helper: app.isPackaged
      ? join(process.resourcesPath, 'helper/helper.cjs')
      : join(__dirname, '../helper/helper.cjs'),
    isInstalled: app.isPackaged,
  })
  setDirectWorker(join(__dirname, '../direct/direct.cjs'))
  setTreeThread(join(__dirname, '../archive/archive.cjs'))

  const engine = watchEngine()
  const jobs = createJobManager()
  const library = openLibrary(libraryFolder(process.env), log)
  const imageSettings = openImageSettings(imageSettingsFile(process.env))

  const engineState = setting<EngineState>(engine.state())
  engine.onState(engineState.set)
  const images = setting<ImageSummary[]>(engine.images())
  const archives = openedArchives(
    () => listImages(),
    (path, run) => jobs.start(unpackingWork(path, run)),
  )
  const listImages = (): void => images.set([...archives.list(), ...engine.images()])
  engine.onImages(listImages)
  const jobList = setting<JobSnapshot[]>([])
  jobs.subscribe(jobList.set)
  const disks = setting<ListedDisk[]>(await library.list())
  const endLibrary = library.subscribe(disks.set)
  const needed = watchNeeded(engine)
  const drives = setting<ListedDrive[]>([])
  const endDrives = watchDrives({
    needed: () => ({ paths: needed(), files: [] }),
    loopTargets: !app.isPackaged && process.env['SLIPWAY_TEST_LOOP_TARGETS'] === '1',
    onChange: drives.set,
    log,
  })
  const host = setting(await describeHost())

  const window = openWindow(join(__dirname, '../preload/index.cjs'), join(__dirname, '../../assets/icon.png'))
  const previewList = setting<PreviewState[]>([])
  const previews = createPreviews(window, jobs, library, previewList.set)
  const imageFiles = createImageFiles()
  const handlers = createHandlers({
    window,
    engine,
    archives,
    drives,
    library,
    imageSettings,
    jobs,
    previews,
    imageFiles,
    needed,
  })
  const fullScreen = setting(window.isFullScreen())
  window.on('enter-full-screen', () => fullScreen.set(true))
  window.on('leave-full-screen', () => fullScreen.set(false))
  const topics = {
    ...{ engine: engineState, images, drives, disks, jobs: jobList, previews: previewList, host },
    fullScreen,
  }
  jobs.subscribe(createAttention(systemAttention(window)))
  void removeStaleDirectories()
  const unregister = registerContract(
    window.webContents,
    APP_ORIGIN,
    handlers,
    (path) => openDroppedFile(path, imageFiles, archives),
    topics,
  )
  // What was missing may have been installed meanwhile.
  window.on('focus', () => void describeHost().then(host.set))

  let isClosing = false
  async function close(): Promise<void> {
    if (isClosing) return
    isClosing = true
    await jobs.close()
    unregister()
    endDrives()
    endLibrary()
    await engine.close()
    window.destroy()
    app.quit()
  }
  window.on('close', (event) => {
    event.preventDefault()
    const running = jobs
      .list()
      .filter((job) => isActive(job) && (job.kind === 'build' || job.kind === 'flash'))
    if (running.length === 0 || isClosing || mayStop(window, running)) void close()
  })
  // A system that shuts down and a terminal that ends us want the same clean-up.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void close())
}

/** Asks whether work in progress may be cancelled; the answer that changes nothing is the default. */
function mayStop(window: BrowserWindow, running: readonly JobSnapshot[]): boolean {
  const writes = running.some((job) => job.kind === 'flash')
  const answer = dialog.showMessageBoxSync(window, {
    type: 'question',
    message: writes ? 'A stick is being written.' : 'A disk is being built.',
    detail: writes
      ? 'If Slipway closes now, the stick stays blank and has to be written again.'
      : 'If Slipway closes now, the half-built disk is removed.',
    buttons: ['Go on', 'Cancel the work and close'],
    defaultId: 0,
    cancelId: 0,
  })
  return answer === 1
}

if (app.requestSingleInstanceLock()) {
  app.on('second-instance', () => {
    const [window] = BrowserWindow.getAllWindows()
    if (window?.isMinimized() === true) window.restore()
    window?.focus()
  })
  app
    .whenReady()
    .then(start)
    .catch((error: unknown) => {
      // Without a window it would hold the lock, and every further start would end without a word.
      dialog.showErrorBox('Slipway cannot start', error instanceof Error ? error.message : String(error))
      app.exit(1)
    })
} else app.quit()
