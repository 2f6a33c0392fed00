import { dialog, type BrowserWindow } from 'electron'
import { fail, ok, type Result } from '../../shared/failure'
import type { CallInput, Handlers, ListedDrive } from '../../shared/ipc/contract'
import type { ImageFiles } from '../app/image-files'
import { identityOf } from '../drives/watch'
import { flashDisk, type FlashInputTarget } from '../flash/flash'
import type { JobManager } from '../jobs/manager'
import type { Library } from '../library/library'
import type { Topic } from './register'

export interface WriteServices {
  window: BrowserWindow
  drives: Topic<ListedDrive[]>
  library: Library
  jobs: JobManager
  imageFiles: ImageFiles
  /** Paths that no drive may take away. */
  needed: () => readonly string[]
}

type WriteInput = CallInput<'flashDisk'>

/** What the window may ask for about writing drives. */
export function createWriteHandlers(services: WriteServices): Pick<Handlers, 'flashDisk' | 'openImageFile'> {
  const { window, drives, library, jobs, imageFiles, needed } = services

  /** The file to write; its disk's id where it is one of the list. */
  async function pathOf(
    source: WriteInput['source'],
  ): Promise<Result<{ path: string; diskId: string | null }>> {
    if (source.kind === 'file') {
      const path = imageFiles.find(source.id)
      return path.ok ? ok({ path: path.value, diskId: null }) : path
    }
    const found = await library.find(source.id)
    if (!found.ok) return found
    const { path, present, id } = found.value
    return present ? ok({ path, diskId: id }) : fail('disk-missing', { path })
  }

  return {
    async openImageFile() {
      const answer = await dialog.showOpenDialog(window, {
        title: 'Write an image file',
        buttonLabel: 'Open',
        filters: [
          {
            name: 'Disk images',
            extensions: ['img', 'iso', 'raw', 'gz', 'xz', 'zst', 'zip', 'qcow2', 'vmdk', 'vdi', 'vhdx'],
          },
          { name: 'All files', extensions: ['*'] },
        ],
        properties: ['openFile'],
      })
      const [path] = answer.filePaths
      return answer.canceled || path === undefined ? ok(null) : imageFiles.open(path)
    },
    async flashDisk({ source, targets, everything, eject }) {
      const file = await pathOf(source)
      if (!file.ok) return file
      const { path, diskId } = file.value
      const listed = drives.read()
      const chosen: (FlashInputTarget & { name: string })[] = []
      for (const { driveKey, ...typed } of targets) {
        const drive = listed.find((one) => one.key === driveKey)
        if (drive === undefined) return fail('drive-gone', { device: '' })
        chosen.push({ drive: identityOf(drive), name: drive.name, ...typed })
      }
      const started = jobs.start({
        kind: 'flash',
        title: chosen.map(({ name }) => name).join(', '),
        diskId,
        locks: [`file:${path}`, ...chosen.map(({ drive }) => `drive:${drive.device}`)],
        run: (context) =>
          flashDisk(context, {
            diskPath: path,
            targets: chosen.map(({ drive, confirmation, unmount, expert }) => ({
              ...{ drive, confirmation, unmount, expert },
            })),
            needed: needed(),
            everything,
            verify: true,
            eject,
          }),
      })
      return started.ok ? ok({ jobId: started.value.id }) : started
    },
  }
}
