import { dialog, type BrowserWindow } from 'electron'
import type { DriveIdentity } from '../../shared/drive'
import { fail, ok, type Result } from '../../shared/failure'
import type { CallInput, Handlers, ListedDrive } from '../../shared/ipc/contract'
import type { JobContext } from '../../shared/job'
import { writeQuestion } from '../../shared/write-question'
import type { ImageFiles } from '../app/image-files'
import { identityOf } from '../drives/watch'
import { flashDisk, type FlashInputTarget } from '../flash/flash'
import { buildOntoDrives } from '../flash/straight'
import type { JobManager, JobWork } from '../jobs/manager'
import type { Library } from '../library/library'
import type { TreeSource } from '../source/tree-source'
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
type ImageInput = Extract<WriteInput['source'], { kind: 'image' }>

/** An image to build from, and the file that it is in, if it is in one. */
export type FindImage = (imageId: string) => Result<{ source: TreeSource; file: string | null }>

/** What is written, whatever the drives are. */
interface Writing extends Pick<JobWork<null>, 'diskId' | 'locks'> {
  write: (context: JobContext, targets: FlashInputTarget[]) => Promise<Result<null>>
}

/** What the window may ask for about writing drives. */
export function createWriteHandlers(
  services: WriteServices,
  findImage: FindImage,
): Pick<Handlers, 'flashDisk' | 'openImageFile'> {
  const { window, drives, library, jobs, imageFiles, needed } = services

  /** The file to write; its disk's id where it is one of the list. */
  async function pathOf(
    source: Exclude<WriteInput['source'], ImageInput>,
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

  async function writingOf({ source, everything, eject }: WriteInput): Promise<Result<Writing>> {
    const how = { verify: true, eject }
    if (source.kind === 'image') {
      const image = findImage(source.id)
      if (!image.ok) return image
      const { source: tree, file } = image.value
      const { settings } = source
      const kept = file === null ? needed() : [...needed(), file]
      return ok({
        diskId: null,
        locks: [],
        write: (context, targets) =>
          buildOntoDrives(context, { source: tree, settings, targets, needed: kept, ...how }),
      })
    }
    const file = await pathOf(source)
    if (!file.ok) return file
    const { path, diskId } = file.value
    return ok({
      diskId,
      locks: [`file:${path}`],
      write: (context, targets) =>
        flashDisk(context, { diskPath: path, targets, needed: needed(), everything, ...how }),
    })
  }

  /** Asked by the system, not by the page: what a page says about a drive is no proof of what it asks for. */
  async function mayErase(drives: readonly DriveIdentity[]): Promise<boolean> {
    const question = writeQuestion(drives)
    const answer = await dialog.showMessageBox(window, {
      type: 'warning',
      ...question,
      defaultId: 0,
      cancelId: 0,
      noLink: true,
    })
    return answer.response === 1
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
    async flashDisk(input) {
      const writing = await writingOf(input)
      if (!writing.ok) return writing
      const { diskId, locks, write } = writing.value
      const listed = drives.read()
      const chosen: (FlashInputTarget & { name: string })[] = []
      for (const { driveKey, ...typed } of input.targets) {
        const drive = listed.find((one) => one.key === driveKey)
        if (drive === undefined) return fail('not-found', { what: 'such drive any more' })
        chosen.push({ drive: identityOf(drive), name: drive.name, ...typed })
      }
      if (!(await mayErase(chosen.map(({ drive }) => drive)))) return fail('write-declined', {})
      const started = jobs.start({
        kind: 'flash',
        title: chosen.map(({ name }) => name).join(', '),
        diskId,
        locks: [...locks, ...chosen.map(({ drive }) => `drive:${drive.device}`)],
        run: (context) =>
          write(
            context,
            chosen.map(({ drive, confirmation, unmount, expert }) => ({
              ...{ drive, confirmation, unmount, expert },
            })),
          ),
      })
      return started.ok ? ok({ jobId: started.value.id }) : started
    },
  }
}
