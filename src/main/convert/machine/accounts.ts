import { posix } from 'node:path'
import { ok, type Result } from '../../../shared/failure'
import type { MachineSettings } from '../../../shared/machine'
import type { TextFile } from '../../source/machine-facts'
import { parsePasswd } from '../../source/parse'
import type { InspectedImage } from '../../source/tree-source'
import type { AddedEntry, TreeEdits } from '../edits'
import { noEdits } from '../edits'
import { linesOf, textFile } from './text'

/** The first id of a person (login.defs(5), UID_MIN), and the first that is none any more. */
const FIRST_ID = 1000
const LAST_ID = 60_000
/** Groups that a person at a machine is in, where the image has them. */
const userGroups = ['audio', 'video', 'plugdev', 'netdev']
/** Those of somebody who may become root: Debian's and everybody else's name, and who may read the logs. */
const adminGroups = ['sudo', 'wheel', 'adm', 'systemd-journal']

/** The name of a USER that is a number without one, as in many images. */
export const APPLICATION_ACCOUNT = 'slipway-app'

/** Lines of a file in the manner of passwd(5), by name, in their order. Lines of other forms survive. */
type Table = string[][]

const readTable = (file: TextFile | null): Table =>
  file === null ? [] : linesOf(file.text).map((line) => line.split(':'))
const find = (table: Table, name: string): string[] | undefined => table.find(([first]) => first === name)

/**
 * Who may log in: root's password, a further user, and keys. Files of the
 * image are changed line by line; ids are chosen that are free in it.
 * @param image what the image has
 * @param machine what was chosen
 */
export function accountEdits(image: InspectedImage, machine: MachineSettings): Result<TreeEdits> {
  const { rootPassword, user, sshKeys } = machine
  const isNamed = !machine.runCommand || nameless(image) === null
  if (rootPassword.kind === 'keep' && user === null && sshKeys.length === 0 && isNamed) return ok(noEdits)
  const { files } = image
  const passwd =
    files.passwd === null ? [['root', 'x', '0', '0', 'root', '/root', '/bin/sh']] : readTable(files.passwd)
  const shadow = readTable(files.shadow)
  const group = files.group === null ? [['root', 'x', '0', '']] : readTable(files.group)
  const gshadow = readTable(files.gshadow)

  const setPassword = (name: string, hash: string): void => {
    const line = find(shadow, name)
    // Without the day of its last change a password does not age (shadow(5)).
    if (line === undefined) shadow.push([name, hash, '', '0', '99999', '7', '', '', ''])
    else line[1] = hash
    const account = find(passwd, name)
    if (account !== undefined) account[1] = 'x'
  }
  if (rootPassword.kind !== 'keep') {
    setPassword(
      'root',
      { empty: '', locked: '*', hash: 'hash' in rootPassword ? rootPassword.hash : '' }[rootPassword.kind],
    )
  }
  const application = machine.runCommand ? nameless(image) : null
  if (application !== null) {
    const { id, groupId } = application
    passwd.push([APPLICATION_ACCOUNT, 'x', String(id), String(groupId), '', '/', '/usr/sbin/nologin'])
    if (!group.some(([, , known]) => known === String(groupId))) {
      group.push([APPLICATION_ACCOUNT, 'x', String(groupId), ''])
    }
  }
  const added: AddedEntry[] = []
  if (user !== null) {
    if (find(passwd, user.name) === undefined) {
      const id = freeId(passwd, group, user.name)
      const shell = files.present.includes('/bin/bash') ? '/bin/bash' : '/bin/sh'
      passwd.push([user.name, 'x', String(id.user), String(id.group), '', `/home/${user.name}`, shell])
      if (find(group, user.name) === undefined) {
        group.push([user.name, 'x', String(id.group), ''])
        if (files.gshadow !== null) gshadow.push([user.name, '!', '', ''])
      }
      added.push(...newHome(`home/${user.name}`, { user: id.user, group: id.group }, files.skeleton))
      // Nothing matches it, and unlike `!` it does not keep keys from working (sshd(8), "LOGIN PROCESS").
      setPassword(user.name, user.passwordHash ?? '*')
    } else if (user.passwordHash !== null) setPassword(user.name, user.passwordHash)
    const groups = [...userGroups, ...(user.sudo ? adminGroups : [])]
    for (const table of [group, gshadow]) for (const name of groups) join(find(table, name), user.name)
    if (user.sudo) {
      // Who has no password cannot be asked for it.
      const how = hasPassword(find(shadow, user.name)) ? 'ALL' : 'NOPASSWD: ALL'
      added.push(textFile('etc/sudoers.d/slipway', [`${user.name} ALL=(ALL:ALL) ${how}`], 0o440))
    }
  }
  added.push(...keyFiles(passwd, user?.name ?? 'root', sshKeys))
  return ok({
    ...noEdits,
    added: [
      tableFile('etc/passwd', passwd, files.passwd, 0o644, null),
      // An image without one gets none that is empty.
      ...(shadow.length === 0 ? [] : [tableFile('etc/shadow', shadow, files.shadow, 0o600, group)]),
      tableFile('etc/group', group, files.group, 0o644, null),
      ...(files.gshadow === null ? [] : [tableFile('etc/gshadow', gshadow, files.gshadow, 0o600, group)]),
      ...added,
    ],
  })
}

/** Whether a line of shadow(5) has a password that somebody can be asked for. */
function hasPassword(line: string[] | undefined): boolean {
  return line?.[1] !== undefined && /^[^!*]/.test(line[1])
}

/** A home with what the image gives to its new users (useradd(8)). */
function newHome(
  path: string,
  owner: NonNullable<AddedEntry['owner']>,
  skeleton: InspectedImage['files']['skeleton'],
): AddedEntry[] {
  const folders = new Set<string>()
  for (const file of skeleton) {
    for (let at = posix.dirname(file.path); at !== '.'; at = posix.dirname(at)) folders.add(at)
  }
  return [
    { path, kind: 'directory', mode: 0o700, owner },
    ...[...folders]
      .sort()
      .map((folder): AddedEntry => ({ path: `${path}/${folder}`, kind: 'directory', mode: 0o755, owner })),
    ...skeleton.map((file): AddedEntry => ({
      ...{ path: `${path}/${file.path}`, kind: 'file', mode: file.mode, owner },
      content: Buffer.from(file.text, 'latin1'),
    })),
  ]
}

/** The numbers of a USER for whom the image has no name; null when he has one, or is root. */
function nameless(image: InspectedImage): { id: number; groupId: number } | null {
  const [user = '', group = ''] = image.applications.user.split(':')
  if (!/^\d+$/.test(user) || Number(user) === 0) return null
  if (parsePasswd(image.files.passwd?.text ?? '').some(({ id }) => id === Number(user))) return null
  return { id: Number(user), groupId: /^\d+$/.test(group) ? Number(group) : 0 }
}

/** Ids of a new user and his group: the same number where both are free. */
function freeId(passwd: Table, group: Table, name: string): { user: number; group: number } {
  const users = new Set(passwd.map(([, , id]) => id))
  const groups = new Set(group.map(([, , id]) => id))
  const own = find(group, name)?.[2]
  for (let id = FIRST_ID; id < LAST_ID; id++) {
    if (users.has(String(id))) continue
    if (own !== undefined) return { user: id, group: Number(own) }
    if (!groups.has(String(id))) return { user: id, group: id }
  }
  throw new Error('an image with 59,000 users')
}

/** Adds a member to a line of group(5) or gshadow(5), whose last field has them. */
function join(line: string[] | undefined, name: string): void {
  if (line?.length !== 4) return
  const members = (line[3] ?? '').split(',').filter((member) => member !== '')
  if (!members.includes(name)) line[3] = [...members, name].join(',')
}

/** Keys in the place of those that the image has; sshd wants their folders to be the user's alone (sshd(8)). */
function keyFiles(passwd: Table, name: string, keys: readonly string[]): AddedEntry[] {
  const account = parsePasswd(passwd.map((line) => line.join(':')).join('\n')).find(
    (one) => one.name === name,
  )
  if (keys.length === 0 || account === undefined) return []
  // A home of `/`, or one that leads up, becomes a path inside the tree.
  const folder = posix.resolve('/', account.home, '.ssh').slice(1)
  const owner = { user: account.id, group: account.groupId }
  return [
    { path: folder, kind: 'directory', mode: 0o700, owner },
    { ...textFile(`${folder}/authorized_keys`, keys, 0o600), owner },
  ]
}

/** A file written again with the mode that it had, and the group that may read it by that mode. */
function tableFile(
  path: string,
  table: Table,
  file: TextFile | null,
  defaultMode: number,
  group: Table | null,
): AddedEntry {
  const mode = file?.mode ?? defaultMode
  const content = Buffer.from(`${table.map((line) => line.join(':')).join('\n')}\n`, 'latin1')
  const shadowGroup = Number(group === null ? 0 : (find(group, 'shadow')?.[2] ?? 0))
  const readers = (mode & 0o040) !== 0 && group !== null ? shadowGroup : 0
  return { path, kind: 'file', mode, content, owner: { user: 0, group: readers } }
}
