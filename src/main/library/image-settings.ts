import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { buildSettingsSchema, type BuildSettings } from '../../shared/image'

/** Images whose settings are kept; the one saved longest ago goes first. */
const MOST_IMAGES = 200

/** The settings last chosen for each image, by its name. Passwords are in it as hashes, Wi-Fi keys as derived. */
export interface ImageSettings {
  /** Null when there are none, or none that this version understands. */
  read(imageName: string): Promise<BuildSettings | null>
  /** Throws when the file cannot be written. */
  save(imageName: string, settings: BuildSettings): Promise<void>
}

/**
 * The file with the settings of this user's images (XDG Base Directory Specification).
 * @param environment of the process
 */
export function imageSettingsFile(environment: Readonly<Record<string, string | undefined>>): string {
  const given = environment['XDG_CONFIG_HOME'] ?? ''
  return join(given.startsWith('/') ? given : join(homedir(), '.config'), 'slipway/images.json')
}

/**
 * Opens the settings kept in a file.
 * @param file absolute path; it and its folder are made when something is saved
 */
export function openImageSettings(file: string): ImageSettings {
  const fileSchema = z.record(z.string(), z.unknown())
  async function readAll(): Promise<Map<string, unknown>> {
    try {
      return new Map(Object.entries(fileSchema.parse(JSON.parse(await readFile(file, 'utf8')))))
    } catch {
      return new Map()
    }
  }
  let last: Promise<void> = Promise.resolve()
  async function write(imageName: string, settings: BuildSettings): Promise<void> {
    const all = await readAll()
    all.delete(imageName)
    all.set(imageName, settings)
    const kept = [...all].slice(-MOST_IMAGES)
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    const unfinished = `${file}.${process.pid}`
    try {
      // Hashes of passwords are in it: nobody else may read it.
      await writeFile(unfinished, JSON.stringify(Object.fromEntries(kept)), { mode: 0o600 })
      await rename(unfinished, file)
    } finally {
      await rm(unfinished, { force: true })
    }
  }
  return {
    async read(imageName) {
      await last
      const parsed = buildSettingsSchema.safeParse((await readAll()).get(imageName))
      return parsed.success ? parsed.data : null
    },
    save(imageName, settings) {
      const saved = last.then(() => write(imageName, settings))
      last = saved.catch(() => undefined)
      return saved
    },
  }
}
