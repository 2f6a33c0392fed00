import { clipboard, dialog, shell } from 'electron'
import { mkdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { DiskRecord } from '../../shared/disk'
import { diskFormats, pathForFormat } from '../../shared/disk'
import { fail, ok, type Result } from '../../shared/failure'
import { defaultDiskBytes, imageFactsSchema, neededDiskBytes, type ImageSummary } from '../../shared/image'
import type { Handlers, ListedDisk } from '../../shared/ipc/contract'
import { isActive, type JobEnding } from '../../shared/job'
import { defaultFolder, freeDiskPath } from '../app/outputs'
import type { Previews } from '../app/previews'
import { buildWork } from '../convert/build'
import { listPublicKeys } from '../convert/machine/public-keys'
import { imageSource } from '../docker/source'
import type { EngineWatcher } from '../docker/watch'
import type { OpenedArchives } from '../source/opened'
import type { InspectedImage, TreeSource } from '../source/tree-source'
import type { ImageSettings } from '../library/image-settings'
import { diskIdOf } from '../library/library'
import { proposeDockerfile } from '../prepare/propose'
import { createWriteHandlers, type WriteServices } from './write-handlers'

/** The only addresses that are ever opened in the browser. */
const helpPages = {
  'docker-install': 'https://docs.docker.com/engine/install/',
  'docker-permission': 'https://docs.docker.com/engine/install/linux-postinstall/',
  'qemu-install': 'https://www.qemu.org/download/',
} as const

export interface Services extends WriteServices {
  engine: EngineWatcher
  archives: OpenedArchives
  imageSettings: ImageSettings
  previews: Previews
}

/** What the window may ask for. Each looks ids up in what the main process itself gave out. */
export function createHandlers(services: Services): Handlers {
  const { window, engine, archives, library, imageSettings, jobs, previews } = services
  /** Where the next disk of an image goes, once somebody chose. */
  const chosenPaths = new Map<string, string>()

  const imageOf = (imageId: string): ImageSummary | undefined =>
    [...archives.list(), ...engine.images()].find((image) => image.id === imageId)
  const nameOf = (imageId: string): string =>
    imageOf(imageId)?.names[0] ?? imageId.replace(/^.*sha256:/, '').slice(0, 12)
  const outputFor = (imageId: string): string =>
    chosenPaths.get(imageId) ?? freeDiskPath(defaultFolder(), nameOf(imageId))

  /** An image to build from: of an archive without any engine, else of the engine. */
  function sourceOf(imageId: string): Result<TreeSource> {
    const opened = archives.source(imageId)
    if (opened !== null) return ok(opened)
    const current = engine.engine()
    return current.ok ? ok(imageSource(current.value.docker, imageId)) : current
  }

  async function inspect(imageId: string): Promise<Result<InspectedImage>> {
    const source = sourceOf(imageId)
    return source.ok ? source.value.inspect(new AbortController().signal) : source
  }

  /** A disk that is there as it was built. */
  async function presentDisk(diskId: string): Promise<Result<ListedDisk>> {
    const found = await library.find(diskId)
    return found.ok && !found.value.present ? fail('disk-missing', { path: found.value.path }) : found
  }

  /** Boots a disk when its build is done. What keeps it from that is the failure of the proof's own job, where it is seen. */
  async function proveAfter(build: Promise<JobEnding<DiskRecord>>): Promise<void> {
    const ending = await build
    if (ending.state !== 'succeeded') return
    const { id, path } = ending.value
    const disk = await presentDisk(id)
    const started = disk.ok ? previews.prove(disk.value) : disk
    if (started.ok) return
    const run = (): Promise<Result<never>> => Promise.resolve(started)
    jobs.start({ kind: 'proof', title: basename(path), diskId: id, locks: [], run })
  }

  return {
    async openArchive() {
      const answer = await dialog.showOpenDialog(window, {
        title: 'Open archive',
        filters: [
          { name: 'Images and root file systems', extensions: ['tar', 'gz', 'tgz', 'xz', 'zst', 'json'] },
          { name: 'All files', extensions: ['*'] },
        ],
        properties: ['openFile'],
      })
      const [path] = answer.filePaths
      return answer.canceled || path === undefined ? ok(null) : archives.open(path)
    },
    closeArchive({ imageId }) {
      archives.close(imageId)
      return Promise.resolve(ok(null))
    },
    async inspectImage({ imageId }) {
      const inspected = await inspect(imageId)
      // The image's own files, with the hashes of its passwords, stay here.
      return inspected.ok ? ok(imageFactsSchema.parse(inspected.value)) : inspected
    },
    async readSettings({ imageId }) {
      return ok(await imageSettings.read(nameOf(imageId)))
    },
    async saveSettings({ imageId, settings }) {
      await imageSettings.save(nameOf(imageId), settings)
      return ok(null)
    },
    async proposeDockerfile({ imageId, machine }) {
      const inspected = await inspect(imageId)
      return inspected.ok ? proposeDockerfile(inspected.value, machine) : inspected
    },
    async listPublicKeys() {
      return ok(await listPublicKeys())
    },
    async estimateBuild({ imageId }) {
      const image = imageOf(imageId)
      if (image === undefined) return fail('image-gone', { image: imageId })
      // Of a file the list knows the packed size alone.
      const inspected = image.file === null ? ok(image) : await inspect(imageId)
      if (!inspected.ok) return inspected
      const { sizeBytes } = inspected.value
      return ok({
        neededBytes: neededDiskBytes(sizeBytes),
        defaultBytes: defaultDiskBytes(sizeBytes),
        outputPath: outputFor(imageId),
      })
    },
    async chooseDiskPath({ imageId }) {
      const answer = await dialog.showSaveDialog(window, {
        title: 'Build disk',
        defaultPath: outputFor(imageId),
        // Another kind of file gets its ending when it is built.
        filters: [{ name: 'Disk images', extensions: ['img', ...diskFormats] }],
        // A build never overwrites, so being asked about it would be a promise that is not kept.
        properties: ['createDirectory'],
      })
      if (answer.canceled || answer.filePath === '') return ok(null)
      chosenPaths.set(imageId, answer.filePath)
      return ok(answer.filePath)
    },
    async buildDisk({ imageId, settings }) {
      const source = sourceOf(imageId)
      if (!source.ok) return source
      const outputPath = pathForFormat(outputFor(imageId), settings.format)
      if (dirname(outputPath) === defaultFolder()) await mkdir(defaultFolder(), { recursive: true })
      const started = jobs.start(buildWork({ source: source.value, settings, outputPath, library }))
      if (!started.ok) return started
      chosenPaths.delete(imageId)
      if (settings.prove) void proveAfter(started.value.ending)
      return ok({ jobId: started.value.id, diskId: diskIdOf(outputPath) })
    },
    forgetDisk: ({ diskId }) => library.forget(diskId),
    async deleteDisk({ diskId }) {
      const found = await library.find(diskId)
      if (!found.ok) return found
      // A machine would go on with the file that is gone, and a drive be written from it.
      if (jobs.list().some((job) => job.diskId === diskId && isActive(job))) {
        return fail('busy', { what: `file:${found.value.path}` })
      }
      return library.remove(diskId)
    },
    async showDiskInFolder({ diskId }) {
      const found = await library.find(diskId)
      if (!found.ok) return found
      shell.showItemInFolder(found.value.path)
      return ok(null)
    },
    async startPreview({ diskId, choice }) {
      const disk = await presentDisk(diskId)
      return disk.ok ? previews.start(disk.value, choice) : disk
    },
    attachPreview: ({ previewId }) => previews.attach(previewId),
    stopPreview: ({ previewId }) => previews.stop(previewId),
    powerDownPreview: ({ previewId }) => previews.powerDown(previewId),
    resetPreview: ({ previewId }) => previews.reset(previewId),
    pasteIntoPreview: ({ previewId, place }) => previews.paste(previewId, place),
    stopPastingIntoPreview: ({ previewId }) => previews.stopPaste(previewId),
    savePreviewPicture: ({ previewId }) => previews.savePicture(previewId),
    openPreviewPort: ({ previewId, guestPort }) => previews.openPort(previewId, guestPort),
    setFullScreen({ isFull }) {
      window.setFullScreen(isFull)
      return Promise.resolve(ok(null))
    },
    async proveDisk({ diskId }) {
      const disk = await presentDisk(diskId)
      return disk.ok ? previews.prove(disk.value) : disk
    },
    async readProofPicture({ diskId, firmware }) {
      const picture = await library.readPicture(diskId, firmware)
      return picture.ok ? ok(picture.value?.toString('base64') ?? null) : picture
    },
    ...createWriteHandlers(services, (imageId) => {
      const source = sourceOf(imageId)
      return source.ok ? ok({ source: source.value, file: imageOf(imageId)?.file ?? null }) : source
    }),
    cancelJob: ({ jobId }) => Promise.resolve(jobs.cancel(jobId)),
    dismissJob: ({ jobId }) => Promise.resolve(jobs.dismiss(jobId)),
    readJobLog: ({ jobId }) => Promise.resolve(jobs.log(jobId)),
    async copyText({ text }) {
      await clipboard.writeText(text)
      return ok(null)
    },
    async openHelp({ page }) {
      await shell.openExternal(helpPages[page])
      return ok(null)
    },
  }
}
