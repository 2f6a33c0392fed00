import { posix } from 'node:path'
import { fail, ok, type Result } from '../../../shared/failure'
import { parsePasswd, type Account } from '../../source/parse'
import type { InspectedImage } from '../../source/tree-source'
import type { AddedEntry } from '../edits'
import { APPLICATION_ACCOUNT } from './accounts'
import { commandWord, ownWantedBy, unitWord } from './systemd'
import { shellWord, textFile } from './text'

export const APPLICATION_SCRIPT = 'etc/slipway/application'
const NAME = 'slipway-application'
/** What an engine sets when the image does not (moby, daemon/oci_linux.go and pkg/system). */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** What the image runs, as an engine would run it. */
interface Application {
  words: readonly string[]
  /** `NAME=value`, with PATH and HOME. */
  environment: readonly string[]
  directory: string
  user: { name: string; group: string; isRoot: boolean }
}

/**
 * The image's ENTRYPOINT and CMD with its ENV, WORKDIR and USER as a service.
 * @param image what the image has
 * @returns files that make it one; for other inits than systemd a script that theirs is to start.
 *   `setting-invalid` when there is nothing to run, or no such user
 */
export function applicationFiles(image: InspectedImage): Result<AddedEntry[]> {
  const { entrypoint, command, environment, workingDirectory } = image.applications
  const words = [...entrypoint, ...command]
  const invalid = (reason: string): ReturnType<typeof fail> =>
    fail('setting-invalid', { setting: 'runCommand', reason })
  if (words.length === 0) return invalid('the image has neither ENTRYPOINT nor CMD')
  const accounts = parsePasswd(image.files.passwd?.text ?? '')
  const found = findUser(image, accounts)
  if (found === null)
    return invalid(`the image has no user “${image.applications.user}”, as whom it would run`)
  const { user, home } = found
  const names = new Set(environment.map((one) => one.split('=', 1)[0]))
  const application: Application = {
    words,
    environment: [
      ...(names.has('PATH') ? [] : [`PATH=${DEFAULT_PATH}`]),
      ...(names.has('HOME') ? [] : [`HOME=${home}`]),
      ...environment.filter((one) => one.includes('=')),
    ],
    directory: workingDirectory.startsWith('/') ? workingDirectory : `/${workingDirectory}`,
    user,
  }
  if (image.init?.kind === 'systemd') return ok(systemdUnits(application))
  return ok([script(application)])
}

/**
 * The folder that the image's command runs in, where the image has none: an engine makes it with the container
 * (moby, daemon/create_unix.go), and without it nothing would start.
 */
export function workingFolder({ applications }: InspectedImage): AddedEntry[] {
  const path = posix.join('/', applications.workingDirectory).replace(/^\/|\/$/g, '')
  // What has other letters could not be asked for in the tree, by its bytes.
  if (!/^[ -~]+$/.test(path)) return []
  return [{ path, kind: 'directory', mode: 0o755, unlessThere: true }]
}

/** USER of a Dockerfile: a name or a number, perhaps with a group after a colon. */
function findUser(
  image: InspectedImage,
  accounts: readonly Account[],
): { user: Application['user']; home: string } | null {
  const [name = '', group = ''] = image.applications.user.split(':')
  const asked = name === '' ? 'root' : name
  const account = accounts.find((one) => one.name === asked || String(one.id) === asked)
  if (account === undefined && asked !== 'root' && !/^\d+$/.test(asked)) return null
  const id = account?.id ?? (asked === 'root' ? 0 : Number(asked))
  const user = {
    // systemd runs nothing as a number without a name; `accountEdits` gives it one.
    name: account?.name ?? (id === 0 ? 'root' : APPLICATION_ACCOUNT),
    // A number without an account is in root's group (moby, daemon/oci_linux.go, getUser).
    group: group === '' ? String(account?.groupId ?? 0) : group,
    isRoot: id === 0,
  }
  return { user, home: account?.home ?? '/' }
}

/** A name that systemd takes as a variable's (systemd.exec(5), `Environment=`). */
const isPlainName = (one: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*=/.test(one)

/**
 * The service, and a pipe for its output: many images write to /dev/stdout by
 * name, which cannot be opened while it is the journal's socket. It can be
 * while it is a pipe, as in a container.
 */
function systemdUnits({ words, environment, directory, user }: Application): AddedEntry[] {
  const pipe = `/run/${NAME}`
  const odd = environment.filter((one) => !isPlainName(one))
  return [
    textFile(`etc/systemd/system/${NAME}.service`, [
      '[Unit]',
      'Description=What the image runs (its ENTRYPOINT and CMD)',
      'After=network.target slipway-boot.service',
      `Requires=${NAME}-output.socket`,
      `After=${NAME}-output.socket`,
      // It is tried for as long as the machine runs.
      'StartLimitIntervalSec=0',
      '',
      '[Service]',
      ...environment.filter(isPlainName).map((one) => `Environment=${unitWord(one)}`),
      `WorkingDirectory=${directory.replaceAll('%', '%%')}`,
      `User=${user.name}`,
      `Group=${user.group}`,
      // As in a container, where everybody may serve on port 80 (ip_unprivileged_port_start).
      ...(user.isRoot ? [] : ['AmbientCapabilities=CAP_NET_BIND_SERVICE']),
      // env looks the program up in the image's own PATH, and in the folder that it runs in.
      `ExecStart=/usr/bin/env -- ${[...odd, ...words].map(commandWord).join(' ')}`,
      `StandardOutput=file:${pipe}`,
      'StandardError=inherit',
      'Restart=on-failure',
      'RestartSec=5',
    ]),
    textFile(`etc/systemd/system/${NAME}-output.socket`, [
      '[Unit]',
      'Description=Output of what the image runs',
      '',
      '[Socket]',
      `ListenFIFO=${pipe}`,
      `SocketUser=${user.name}`,
      'SocketMode=0600',
      'RemoveOnStop=yes',
    ]),
    textFile(`etc/systemd/system/${NAME}-output.service`, [
      '[Unit]',
      'Description=Output of what the image runs, into the journal',
      '',
      '[Service]',
      'StandardInput=socket',
      'StandardOutput=journal',
      `SyslogIdentifier=${NAME}`,
      'ExecStart=/bin/cat',
    ]),
    ownWantedBy(`${NAME}.service`, 'multi-user.target'),
  ]
}

/** For the inits that start a program and start it again: the same, in the shell. */
function script({ words, environment, directory, user }: Application): AddedEntry {
  // The pipe is made by the user himself, who may then open /dev/stdout by name.
  const run = `env -i ${[...environment, ...words].map(shellWord).join(' ')} 2>&1 | logger -t ${NAME}`
  const as = `exec su -s /bin/sh ${shellWord(user.name)} -c`
  return textFile(
    APPLICATION_SCRIPT,
    [
      '#!/bin/sh',
      "# Written by Slipway: the image's ENTRYPOINT and CMD.",
      // As in a container, where everybody may serve on port 80 (moby, daemon/oci_linux.go). `su` hands on no capability.
      ...(user.isRoot ? [] : ['echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start']),
      `cd ${shellWord(directory)} || exit 1`,
      user.isRoot ? `exec /bin/sh -c ${shellWord(run)}` : `${as} ${shellWord(run)}`,
    ],
    0o755,
  )
}
