import { execa } from 'execa'
import Docker from 'dockerode'
import { createWriteStream, readFileSync } from 'node:fs'
import { chmod, mkdtemp, open, readdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'vite'

export const START_BYTES = 2048 * 512
export const DISK_UUID = '0f5d9b0e-5a3c-4f57-9c4f-3b8f2c1f4f11'

/** A folder that every user may enter, with the helper built in it as it is in a checkout. Not below /tmp, which the helper hides. */
export async function makeFolder(): Promise<{ folder: string; helper: string }> {
  const folder = await mkdtemp('/var/tmp/slipway-elevation-')
  await chmod(folder, 0o755)
  await build({
    configFile: resolve('vite.node.config.ts'),
    mode: 'helper',
    logLevel: 'error',
    build: { outDir: join(folder, 'out/helper') },
  })
  return { folder, helper: join(folder, 'out/helper/helper.cjs') }
}

/** Writes an image's exported tree to a file. The container is removed again. */
export async function exportImage(socket: string, image: string, path: string): Promise<void> {
  const docker = new Docker({ socketPath: socket })
  const container = await docker.createContainer({
    Image: image,
    Cmd: ['true'],
    Labels: { 'slipway-test': 'elevation' },
  })
  try {
    await pipeline(await container.export(), createWriteStream(path))
  } finally {
    await container.remove()
  }
}

/** Makes an empty file for a disk, as the user it is for. */
export async function makeDiskFile(path: string, owner?: { uid: number; gid: number }): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  if (owner !== undefined) await file.chown(owner.uid, owner.gid)
  await file.close()
}

/** Calls back with the disk's tree, mounted read-only, and unmounts it. */
export async function withMounted<T>(disk: string, use: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp('/var/tmp/slipway-mount-')
  await execa('mount', ['-o', `ro,noload,loop,offset=${START_BYTES}`, '-t', 'ext4', disk, directory])
  try {
    return await use(directory)
  } finally {
    await execa('umount', [directory])
    await rm(directory, { recursive: true })
  }
}

/** e2fsck's opinion of the disk's file system; throws when it is not clean. */
export async function checkFileSystem(disk: string): Promise<void> {
  await execa('e2fsck', ['-fn', `${disk}?offset=${START_BYTES}`])
}

/** Loop devices with this file behind them, known by its inode: the helper's own name for it is the same in every job. */
export async function loopsOf(disk: string): Promise<string[]> {
  const file = await stat(disk).catch(() => null)
  if (file === null) return []
  const { stdout } = await execa('losetup', ['--list', '--json', '--output', 'NAME,BACK-INO,BACK-MAJ:MIN'])
  const loops =
    stdout === '' ? [] : (JSON.parse(stdout) as { loopdevices: Record<string, unknown>[] }).loopdevices
  const device = `${Math.floor(file.dev / 256)}:${file.dev % 256}`
  return loops
    .filter((loop) => loop['back-ino'] === file.ino && String(loop['back-maj:min']).trim() === device)
    .map((loop) => String(loop['name']))
}

/** Ids of processes whose command line has this text, but for this one. */
export async function processesNaming(text: string): Promise<number[]> {
  return (await readdir('/proc'))
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(text)
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Waits until it holds, ten seconds at most; answers whether it does. */
export async function eventually(holds: () => Promise<boolean>): Promise<boolean> {
  const until = Date.now() + 10_000
  while (Date.now() < until) {
    if (await holds()) return true
    await sleep(50)
  }
  return holds()
}
