import { describe, expect, it } from 'vitest'
import { accountEdits } from '../../src/main/convert/machine/accounts'
import { startEdits } from '../../src/main/convert/machine/start'
import {
  isLoginShell,
  parseOsRelease,
  parsePasswd,
  rootLoginOf,
  setsUpInterface,
  usersWithPassword,
  versionOfName,
} from '../../src/main/source/parse'
import { plainMachineSettings } from '../../src/shared/machine'
import { preparedDebian, preparedSysvinit } from '../support/inspected'

const MIB = 1024 * 1024
/** What patterns stumble over: each begins again and again, and never ends as it should. */
const hostile = ['\n', ' ', 'iface x ', 'a:\n', '/', 'getty ttyS', 'ID= '].map((piece) => [
  JSON.stringify(piece),
  `x${piece.repeat(Math.floor(MIB / piece.length))}`.slice(0, MIB - 1) + 'x',
])

/** A million lines take half a second, or some where much else runs; the square of a MiB takes minutes. */
function expectQuick(work: () => unknown): void {
  const startedAt = performance.now()
  work()
  expect(performance.now() - startedAt).toBeLessThan(15_000)
}

describe.each(hostile)('a file of 1 MiB of %s does not hold up', { timeout: 30_000 }, (_, text) => {
  it.each<[string, (text: string) => unknown]>([
    ['os-release', parseOsRelease],
    ['shadow', (shadow) => [rootLoginOf(shadow), usersWithPassword(shadow)]],
    ['passwd', (passwd) => parsePasswd(passwd).map(({ shell }) => isLoginShell(shell))],
    ['a shell', (shell) => isLoginShell(shell)],
    ['interfaces', setsUpInterface],
    ['a kernel’s name', versionOfName],
  ])('reading it as %s', (_name, read) => {
    expectQuick(() => read(text))
  })

  const file = { text, mode: 0o644 }

  it('changing accounts in it', () => {
    const image = {
      ...preparedDebian,
      files: { ...preparedDebian.files, passwd: file, group: file },
    }
    const user = { name: 'ada', passwordHash: null, sudo: true }
    expectQuick(() => accountEdits(image, { ...plainMachineSettings, user, runCommand: true }))
  })

  it('using it as a home', () => {
    const passwd = { text: `root:x:0:0::${text.replaceAll(/[\n:]/g, '/')}:/bin/sh\n`, mode: 0o644 }
    const image = { ...preparedDebian, files: { ...preparedDebian.files, passwd } }
    expectQuick(() => accountEdits(image, { ...plainMachineSettings, sshKeys: ['ssh-ed25519 AAAA'] }))
  })

  it('adding to it as inittab', () => {
    const image = { ...preparedSysvinit, files: { ...preparedSysvinit.files, inittab: file } }
    expectQuick(() =>
      startEdits(image, { bootScript: true, application: true, serialLogin: true, serialPort: 'ttyS0' }),
    )
  })
})

it('takes no number for an id that the kernel does not have', () => {
  const line = (id: string): string => `a:x:${id}:0::/:/bin/sh`
  expect(parsePasswd(line('4294967294'))).toHaveLength(1)
  for (const id of ['4294967295', '9'.repeat(400), '-1', '']) expect(parsePasswd(line(id))).toEqual([])
})
