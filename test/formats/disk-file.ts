import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { Outlet, type Sink } from '../../src/main/disk/outlet'
import { finishExt4, type Ext4Summary } from '../../src/main/disk/ext4/finish'
import { Ext4Writer, type Ext4Settings } from '../../src/main/disk/ext4/writer'
import { uuidBytes } from '../../src/main/disk/guid'

/** A file to write a disk to; it starts as one hole. */
export function fileSink(path: string): Sink & { close(): void } {
  const handle = openSync(path, 'w+')
  return {
    zeroed: true,
    write: (bytes, position) => {
      writeSync(handle, bytes, 0, bytes.length, position)
      return Promise.resolve()
    },
    close: () => closeSync(handle),
  }
}

export const UUID = '5c3a1853-012e-473b-ae20-59d73d69dd56'

/** Settings of a file system of so many MiB at the start of its file. */
export function ext4Settings(mebibytes: number): Ext4Settings {
  return {
    offset: 0,
    size: { blocks: mebibytes * 256 },
    uuid: uuidBytes(UUID),
    label: 'slipway',
    hashSeed: uuidBytes('11111111-2222-3333-4444-555555555555'),
    time: 1700000000,
  }
}

/** Makes a file system in a file with what `fill` adds to it. */
export async function makeExt4(
  path: string,
  settings: Ext4Settings,
  fill: (writer: Ext4Writer) => void,
): Promise<Ext4Summary> {
  const sink = fileSink(path)
  try {
    const outlet = new Outlet(sink)
    const writer = new Ext4Writer(settings, outlet)
    fill(writer)
    const summary = await finishExt4(writer)
    await outlet.finish()
    return summary
  } finally {
    sink.close()
  }
}

/** Gives a file its full length. */
export function setLength(path: string, bytes: number): void {
  const handle = openSync(path, 'r+')
  ftruncateSync(handle, bytes)
  closeSync(handle)
}

/** What `e2fsck -fn` has to complain about; '' when the file system is clean. */
export function fsck(path: string): string {
  try {
    execFileSync('e2fsck', ['-fn', path], { stdio: 'pipe' })
    return ''
  } catch (error) {
    const { stdout, stderr } = error as { stdout: Buffer; stderr: Buffer }
    return `${String(stdout)}${String(stderr)}`.slice(0, 4000)
  }
}

/** What debugfs answers to a request. */
export function debugfs(path: string, request: string): string {
  return execFileSync('debugfs', ['-R', request, path], { stdio: 'pipe', maxBuffer: 1 << 28 }).toString()
}
