import type { Readable } from 'node:stream'
import type { Failure, Result } from '../../shared/failure'
import type { BuildSettings, ImageFacts } from '../../shared/image'
import type { JobContext } from '../../shared/job'
import type { MachineSettings } from '../../shared/machine'
import type { DiskSource } from '../convert/direct/source'
import type { TreeSize } from '../disk/ext4/fit'
import type { MachineFacts } from './machine-facts'
import type { TreeFiles } from './tree-files'

/** The facts that the window shows, and what else the plan needs. The latter stay in the main process. */
export interface InspectedImage extends ImageFacts {
  /** Whether systemd-resolved is there to write /etc/resolv.conf's target. */
  hasResolved: boolean
  /** The image's own files that settings of the machine change. */
  files: MachineFacts['files']
  /** What the tree takes on a disk; null where only the size of its layers is known, from which it is estimated. */
  measured: TreeSize | null
}

/** Something that holds a root file system to build a disk from: an engine's image, or an archive. */
export interface TreeSource {
  /**
   * Finds out what the tree has. Nothing of it is started and nothing is written.
   * @param signal cancels; the call then throws after its own clean-up
   * @param progress told bytes done and in all, where a file has to be read for it
   * @param defer of a job that will export the tree: what both need is kept until its end
   */
  inspect(
    signal: AbortSignal,
    progress?: JobContext['progress'],
    defer?: JobContext['defer'],
  ): Promise<Result<InspectedImage>>
  /**
   * Makes a tree of it that can boot, by the recipe for its distribution or by another Dockerfile; null where
   * nothing can be installed. The tree itself stays as it is.
   * @param image what `inspect` found
   * @param preparation by which Dockerfile, null for the recipe's, and whether anew
   * @throws the signal's reason when cancelled
   */
  prepare:
    | ((
        image: InspectedImage,
        preparation: NonNullable<BuildSettings['preparation']>,
        machine: MachineSettings,
        context: Pick<JobContext, 'signal' | 'log' | 'defer'>,
      ) => Promise<Result<PreparedTree>>)
    | null
  /**
   * Prepares the tree to be read for one job. What that needs is taken away when the job ends, however it ends.
   * @param image what `inspect` found
   * @param context of the job; its progress is told as by `inspect`
   * @throws the signal's reason when cancelled
   */
  prepareExport(
    image: InspectedImage,
    context: Pick<JobContext, 'signal' | 'defer' | 'progress'>,
  ): Promise<Result<TreeExport>>
}

/** A tree with all that it needs to be a machine. */
export interface PreparedTree {
  source: TreeSource
  /** What it has, under the name and with the applications of the tree that it was made of. */
  image: InspectedImage
}

/** A tree, ready to be read. */
export interface TreeExport {
  /** Bytes that the archive will have, as well as they are known; it may have more. */
  contentBytes: number
  /** Reads all of it to find out what the tree takes on a disk; null where that is known. */
  measure: ((progress: (bytesDone: number) => void) => Promise<Result<TreeSize>>) | null
  /** Single files of the tree, to be read before the archive is opened. */
  files: TreeFiles
  /** Files of an image with boot loaders, made for it when it is not there yet; null where there is no engine to make it. */
  loaderFiles: ((context: JobContext) => Promise<Result<TreeFiles>>) | null
  /**
   * Makes it ready for the direct engine's thread to read by itself, which is faster than `open`, and lets go of what is
   * kept for single files; null when it cannot.
   */
  direct: (() => Promise<Exclude<DiskSource, { kind: 'messages' }>>) | null
  /** Asks, after all of it was read so, whether it was what was inspected: the error that says why not, or null. */
  intact(): Promise<Error | null>
  /** Opens the tree as an uncompressed tar archive, which ends early with an error when it breaks off. */
  open(): Promise<Result<Readable>>
  /** What a break of the archive means. */
  explain(error: unknown): Promise<Failure>
  /** Asks whether the archive can still be had: the error that says why not, or null. */
  lost(): Promise<Error | null>
}
