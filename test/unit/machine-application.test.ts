import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { applicationFiles } from '../../src/main/convert/machine/application'
import { settingsEdits } from '../../src/main/convert/machine/machine-edits'
import { commandWord, unitWord } from '../../src/main/convert/machine/systemd'
import { shellWord } from '../../src/main/convert/machine/text'
import type { InspectedImage } from '../../src/main/source/tree-source'
import { defaultMachineSettings, hasCommand } from '../../src/shared/image'
import { plainMachineSettings, type MachineSettings } from '../../src/shared/machine'
import { preparedDebian, preparedSysvinit } from '../support/inspected'

const HASH = '$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm'

type Applications = InspectedImage['applications']

function files(applications: Partial<Applications>, image = preparedDebian): Map<string, string> {
  const made = applicationFiles({ ...image, applications: { ...image.applications, ...applications } })
  if (!made.ok) throw new Error(JSON.stringify(made.failure))
  return new Map(
    made.value.map(({ path, content }) => [path, Buffer.from(content ?? []).toString('utf8')] as const),
  )
}
const unit = (applications: Partial<Applications>): string =>
  files(applications).get('etc/systemd/system/slipway-application.service') ?? ''

describe('quoting', () => {
  it.each([
    ['plain', '"plain"'],
    ['two words', '"two words"'],
    ['say "x"', '"say \\"x\\""'],
    ["it's", '"it\'s"'],
    ['back\\slash', '"back\\\\slash"'],
    ['100%', '"100%%"'],
    ['a\nb\tc', '"a\\nb\\tc"'],
    ['\u001b', '"\\x1b"'],
    ['', '""'],
    ['größe', '"größe"'],
    ['$HOME', '"$HOME"'],
  ])('a unit’s word %j', (word, quoted) => {
    expect(unitWord(word)).toBe(quoted)
  })

  it('a command’s word has no variables', () => {
    expect(commandWord('$HOME ${X} $$')).toBe('"$$HOME $${X} $$$$"')
  })

  it.each(['plain', 'two words', "it's", '$HOME `id` "x" \\ !', '', 'a\nb', '-n', '*'])(
    'the shell reads %j as it was',
    (word) => {
      expect(execFileSync('sh', ['-c', `printf %s ${shellWord(word)}`]).toString()).toBe(word)
    },
  )
})

describe('the image’s command as a service', () => {
  it('has its words, environment, folder and user', () => {
    const text = unit({})
    expect(text).toContain('ExecStart=/usr/bin/env -- "/entry.sh" "serve" "--port" "80"\n')
    expect(text).toContain('Environment="PATH=/usr/bin:/bin"\n')
    expect(text).toContain('Environment="GREETING=hello"\n')
    expect(text).toContain('Environment="HOME=/var/www"\n')
    expect(text).toContain('WorkingDirectory=/srv\nUser=www-data\nGroup=33\n')
    expect(text).toContain('Restart=on-failure\n')
    expect(text).toContain('AmbientCapabilities=CAP_NET_BIND_SERVICE\n')
  })

  it('is root without a USER, and has the PATH that an engine gives', () => {
    const text = unit({ user: '', environment: [] })
    expect(text).toContain('User=root\nGroup=0\n')
    expect(text).toContain('Environment="HOME=/root"\n')
    expect(text).toMatch(/^Environment="PATH=\/usr\/local\/sbin:/m)
    expect(text).not.toContain('AmbientCapabilities')
  })

  it.each([
    ['1000', 'User=bob\nGroup=1000\n'],
    ['4711', 'User=slipway-app\nGroup=0\n'],
    ['4711:12', 'User=slipway-app\nGroup=12\n'],
    ['bob:adm', 'User=bob\nGroup=adm\n'],
  ])('knows the user %s', (user, lines) => {
    expect(unit({ user })).toContain(lines)
  })

  it('hands variables over that systemd takes for none', () => {
    const text = unit({ environment: ['my.odd=a b', 'X=100% $y'] })
    expect(text).toContain('ExecStart=/usr/bin/env -- "my.odd=a b" "/entry.sh"')
    expect(text).toContain('Environment="X=100%% $y"\n')
  })

  it('can open /dev/stdout by name, by a pipe of its own', () => {
    const made = files({})
    expect(unit({})).toContain('StandardOutput=file:/run/slipway-application\n')
    expect(made.get('etc/systemd/system/slipway-application-output.socket')).toContain(
      'ListenFIFO=/run/slipway-application\nSocketUser=www-data\nSocketMode=0600\n',
    )
  })

  it('is a script for other inits, which the shell reads as it was meant', () => {
    const script = files(
      { user: '', workingDirectory: '/', entrypoint: ['printf', '%s|'], command: ["it's $HOME", ''] },
      preparedSysvinit,
    ).get('etc/slipway/application')
    const run = (script ?? '').replace(' | logger -t slipway-application', '')
    expect(execFileSync('sh', ['-c', run]).toString()).toBe("it's $HOME||")
    expect(files({}, preparedSysvinit).get('etc/slipway/application')).toContain(
      'exec su -s /bin/sh www-data -c ',
    )
    // A server on port 80 that is not root's.
    expect(files({}, preparedSysvinit).get('etc/slipway/application')).toContain('ip_unprivileged_port_start')
  })

  it('has the folder that it runs in, where the image has none', () => {
    const added = (workingDirectory: string, machine: Partial<MachineSettings> = { runCommand: true }) => {
      const image = {
        ...preparedDebian,
        applications: { ...preparedDebian.applications, workingDirectory },
      }
      const made = settingsEdits(image, { ...plainMachineSettings, ...machine }, false)
      return made.ok ? made.value.added.filter(({ kind }) => kind === 'directory') : made.failure
    }
    const folder = { path: 'srv/app', kind: 'directory', mode: 0o755, unlessThere: true }
    expect(added('/srv/app')).toEqual([folder])
    expect(added('srv//x/../app/')).toEqual([folder])
    expect(added('/srv/app', {})).toEqual([])
    expect(added('/')).toEqual([])
    expect(added('/größe')).toEqual([])
    // A home is its user's own.
    const home = added('/home/ada', {
      ...{ runCommand: true, user: { name: 'ada', passwordHash: HASH, sudo: false } },
    })
    expect(home).toMatchObject([{ path: 'home/ada', mode: 0o700, owner: {} }])
    expect(home).not.toMatchObject([{ unlessThere: true }])
  })

  it('says when there is nothing to run, or nobody', () => {
    const fails = (applications: Partial<Applications>): boolean =>
      !applicationFiles({
        ...preparedDebian,
        applications: { ...preparedDebian.applications, ...applications },
      }).ok
    expect(fails({ entrypoint: [], command: [] })).toBe(true)
    expect(fails({ user: 'nobody-known' })).toBe(true)
  })
})

describe('what is run unless somebody says otherwise', () => {
  it.each([
    [['/bin/bash'], false],
    [['bash'], false],
    [['/bin/sh', '-l'], false],
    [['/sbin/init'], false],
    [['sh', '-c', 'nginx'], true],
    [['/bin/bash', '/entry.sh'], true],
    [['busybox', 'httpd', '-f'], true],
    [['busybox', 'sh'], false],
    [['nginx', '-g', 'daemon off;'], true],
    [[], false],
  ])('%j: %s', (command, expected) => {
    const applications = { ...preparedDebian.applications, entrypoint: [], command }
    expect(hasCommand({ ...preparedDebian, applications })).toBe(expected)
  })

  it('is nothing in an image that boots', () => {
    expect(defaultMachineSettings(preparedDebian).runCommand).toBe(false)
    expect(defaultMachineSettings({ ...preparedDebian, missing: ['kernel', 'login'] })).toMatchObject({
      runCommand: true,
      rootPassword: { kind: 'empty' },
      growRoot: true,
    })
  })
})
