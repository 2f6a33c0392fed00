import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const SLASH = Buffer.from('/')

/** Runs a program and answers what it printed. */
export function run(program: string, args: string[], cwd?: string): string {
  return execFileSync(program, args, { stdio: 'pipe', cwd, maxBuffer: 1 << 30 }).toString('latin1')
}

/** A file larger than this is not read: in these tests it is mostly holes. */
const LARGEST_READ = 64 * 1024 * 1024

/**
 * All that can be seen of a tree, a line to an entry and one to each extended attribute, sorted; two trees are
 * equal when these texts are. Times of access and change are left out; so are sizes of directories.
 */
export function describeTree(root: string): string[] {
  const lines: string[] = []
  const inodes = new Map<bigint, string>()
  const visit = (path: Buffer, name: string): void => {
    const stat = lstatSync(path, { bigint: true })
    const kind = Number(stat.mode) & 0o170000
    const isDirectory = kind === 0o040000
    const isFile = kind === 0o100000
    const first = inodes.get(stat.ino) ?? name
    inodes.set(stat.ino, first)
    const parts: (string | number | bigint)[] = [
      name,
      stat.mode.toString(8),
      stat.uid,
      stat.gid,
      `mtime ${stat.mtimeNs}`,
      `links ${isDirectory ? '' : stat.nlink}`,
      `same as ${first}`,
      `device ${kind === 0o020000 || kind === 0o060000 ? stat.rdev : ''}`,
    ]
    if (isFile || kind === 0o120000) parts.push(`size ${stat.size}`)
    if (isFile && stat.size <= LARGEST_READ) {
      parts.push(createHash('sha1').update(readFileSync(path)).digest('hex'))
    }
    if (kind === 0o120000) parts.push(readlinkSync(path, 'buffer').toString('latin1'))
    lines.push(parts.join(' | '))
    if (!isDirectory) return
    const names = readdirSync(path, 'buffer').sort((a, b) => Buffer.compare(a, b))
    for (const child of names) {
      if (path.toString('latin1') === root && child.toString('latin1') === 'lost+found') continue
      visit(Buffer.concat([path, SLASH, child]), `${name}/${child.toString('latin1')}`)
    }
  }
  visit(Buffer.from(root), '.')
  const attributes = run('getfattr', ['-h', '-R', '-d', '-m', '-', '-e', 'hex', '.'], root)
  const blocks = attributes.split('\n\n').filter((block) => block.trim() !== '')
  for (const block of blocks) {
    const [head = '', ...values] = block.trim().split('\n')
    for (const value of values.sort()) lines.push(`${head} ${value}`)
  }
  return lines.sort()
}

/** Mounts part of a file and hands over where; nothing of it is left afterwards. */
export async function withMount(
  image: string,
  offset: number,
  length: number,
  mountPoint: string,
  use: (path: string, device: string) => void | Promise<void>,
  mode: 'ro' | 'rw' = 'ro',
): Promise<void> {
  const options = ['-f', '--show', '--offset', String(offset), '--sizelimit', String(length), image]
  const device = run('losetup', mode === 'ro' ? ['-r', ...options] : options).trim()
  try {
    run('mount', ['-t', 'ext4', '-o', mode, device, mountPoint])
    try {
      await use(mountPoint, device)
    } finally {
      run('umount', [mountPoint])
    }
  } finally {
    run('losetup', ['-d', device])
  }
}

/** Bytes of a file system to extract things into. */
const SCRATCH = 1024 * 1024 * 1024

/** Hands over an empty ext4 that mke2fs made: what is put there has the limits of the kernel's own. */
export async function withScratch(
  folder: string,
  use: (path: string) => void | Promise<void>,
): Promise<void> {
  const image = join(folder, 'scratch.img')
  const mountPoint = join(folder, 'scratch')
  writeFileSync(image, '')
  truncateSync(image, SCRATCH)
  mkdirSync(mountPoint, { recursive: true })
  run('mkfs.ext4', [
    '-q',
    '-O',
    '^has_journal',
    '-I',
    '256',
    '-N',
    '65536',
    '-E',
    'lazy_itable_init=0',
    image,
  ])
  await withMount(image, 0, SCRATCH, mountPoint, use, 'rw')
  rmSync(image)
}
