import type { ImageFacts } from '../../shared/image'

/*
 * These files are an image's, and up to 1 MiB large. They are read line by line and word by word: a pattern that may
 * begin at every blank and run to the end takes the square of a file's length.
 */

/**
 * Reads os-release (os-release(5)): shell-like assignments, of which only the quoting matters here.
 * @param text the file
 * @returns null when it names no ID
 */
export function parseOsRelease(text: string): ImageFacts['distribution'] {
  const fields = new Map<string, string>()
  for (const line of text.split('\n')) {
    const end = line.indexOf('=')
    if (end > 0) fields.set(line.slice(0, end).trimStart(), unquote(line.slice(end + 1).trim()))
  }
  const id = fields.get('ID') ?? ''
  if (id === '') return null
  return { id, version: fields.get('VERSION_ID') ?? '', prettyName: fields.get('PRETTY_NAME') ?? id }
}

function unquote(value: string): string {
  const quote = value[0]
  if (quote === "'" && value.endsWith("'")) return value.slice(1, -1)
  if (quote === '"' && value.endsWith('"')) return value.slice(1, -1).replace(/\\(["$`\\])/g, '$1')
  return value
}

/**
 * Whether root can log in with a password (shadow(5)): an empty field asks for
 * none, one that starts with `!` or `*` matches nothing.
 * @param shadow the file, or null when there is none
 */
export function rootLoginOf(shadow: string | null): ImageFacts['rootLogin'] {
  const line = shadow?.split('\n').find((entry) => entry.startsWith('root:'))
  if (line === undefined) return 'unknown'
  const password = line.split(':')[1] ?? ''
  if (password === '') return 'no-password'
  return /^[!*]/.test(password) ? 'locked' : 'password'
}

/** A user of the image (passwd(5)). */
export interface Account {
  name: string
  id: number
  groupId: number
  home: string
  shell: string
}

/**
 * Reads /etc/passwd; lines that are none are left out.
 * @param text the file
 */
export function parsePasswd(text: string): Account[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , id = '', groupId = '', , home = '', shell = ''] = line.split(':')
    if (name === '' || !isId(id) || !isId(groupId)) return []
    return [{ name, id: Number(id), groupId: Number(groupId), home, shell }]
  })
}

/** The kernel's own ids have 32 bits; the last of them stands for none (credentials(7), setresuid(2)). */
function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1
}

/** Whether somebody with this shell in /etc/passwd gets one; an empty one stands for /bin/sh (passwd(5)). */
export function isLoginShell(shell: string): boolean {
  return !/(?:^|\/)(?:nologin|false|sync|halt|shutdown)$/.test(shell)
}

/** The users that a password lets in (shadow(5)), by the same rule as `rootLoginOf`; one without a password counts, too. */
export function usersWithPassword(shadow: string): Set<string> {
  const names = new Set<string>()
  for (const line of shadow.split('\n')) {
    const [name = '', password] = line.split(':')
    if (name !== '' && password !== undefined && !/^[!*]/.test(password)) names.add(name)
  }
  return names
}

/**
 * Whether ifupdown's configuration sets up an interface that is not the
 * machine's own loop (interfaces(5)).
 * @param text /etc/network/interfaces with what it includes
 */
export function setsUpInterface(text: string): boolean {
  return text.split('\n').some((line) => {
    const [keyword, name, family = '', method = ''] = line.trim().split(/\s+/, 4)
    return (
      keyword === 'iface' &&
      name !== 'lo' &&
      ['inet', 'inet6'].includes(family) &&
      ['dhcp', 'static', 'auto'].includes(method)
    )
  })
}

/** The version in a kernel's or RAM disk's file name (`vmlinuz-6.1.0-18-amd64`), or null when it names none. */
export function versionOfName(name: string): string | null {
  return /^[A-Za-z.]+-(\d[A-Za-z0-9._+~-]*?)(?:\.img)?$/.exec(name)?.[1] ?? null
}

/** Offsets of the x86 setup header (docs.kernel.org/arch/x86/boot.html, "The Real-Mode Kernel Header"). */
const HEADER_MAGIC = 0x202
const KERNEL_VERSION = 0x20e

/**
 * The version that an x86 kernel carries in its setup header.
 * @param start the file's first bytes, 66,048 or more where there are as many
 * @returns null when it is no x86 kernel or does not say
 */
export function kernelVersionOf(start: Buffer): string | null {
  if (
    start.length < KERNEL_VERSION + 2 ||
    start.toString('latin1', HEADER_MAGIC, HEADER_MAGIC + 4) !== 'HdrS'
  ) {
    return null
  }
  const pointer = start.readUInt16LE(KERNEL_VERSION)
  if (pointer === 0) return null
  const text = start.toString('latin1', pointer + 0x200, pointer + 0x200 + 256)
  return /^(\d[A-Za-z0-9._+~-]*)/.exec(text)?.[1] ?? null
}
