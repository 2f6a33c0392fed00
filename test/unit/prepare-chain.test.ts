import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { emulatedArchitectures } from '../../src/main/docker/architectures'
import { chainOf, lacksOf, type ChainLink, type ChainLinkName } from '../../src/shared/chain'
import {
  defaultBuildSettings,
  defaultSettingsFor,
  type BuildSettings,
  type EngineArchitectures,
  type ImageFacts,
} from '../../src/shared/image'
import { plainMachineSettings, type MachineSettings } from '../../src/shared/machine'
import { preparedDebian } from '../support/inspected'

const bare: ImageFacts = {
  ...preparedDebian,
  ...{ kernel: null, initramfs: null, init: null },
  missing: ['kernel', 'initramfs', 'init', 'login', 'network'],
}
const amd64: EngineArchitectures = { own: 'amd64', emulated: [] }

function link(
  name: ChainLinkName,
  facts: ImageFacts,
  settings: BuildSettings = defaultSettingsFor(facts),
  runs: EngineArchitectures | null = amd64,
): Pick<ChainLink, 'state' | 'note'> {
  const found = chainOf(facts, settings, ['bios'], runs).find((one) => one.name === name)
  if (found === undefined) throw new Error(name)
  return { state: found.state, note: found.note }
}

describe('the chain', () => {
  it('is red at the boot loader for an architecture that has none', () => {
    expect(link('bootloader', { ...bare, architecture: 's390x' })).toEqual({
      ...{ state: 'wrong', note: 'architecture' },
    })
    expect(link('bootloader', bare).state).toBe('added')
  })

  it('is red at what would be added where the engine cannot run the image', () => {
    const arm = { ...bare, architecture: 'arm64' }
    const kernel = (runs: EngineArchitectures | null) =>
      link('kernel', arm, defaultSettingsFor(arm), runs).state
    expect(kernel(amd64)).toBe('wrong')
    expect(kernel({ own: 'amd64', emulated: ['arm64'] })).toBe('added')
    // Far away, or in a virtual machine.
    expect(kernel({ own: 'amd64', emulated: null })).toBe('added')
    expect(kernel(null)).toBe('added')
    // Nothing is run of an image that is whole.
    expect(link('kernel', { ...preparedDebian, architecture: 'arm64' }).state).toBe('has')
  })

  it('says of a machine that boots that nobody can log in, and that it has no network', () => {
    expect(link('init', preparedDebian)).toEqual({ state: 'lacking', note: 'login-network' })
    expect(link('init', { ...preparedDebian, network: 'ifupdown' })).toEqual({
      ...{ state: 'lacking', note: 'login' },
    })
    // What is prepared gets both by itself.
    expect(link('init', bare)).toEqual({ state: 'added', note: null })
  })

  it('adds an init in the place of one that starts no machine', () => {
    const alpine: ImageFacts = {
      ...bare,
      ...{ recipe: { family: 'alpine', proven: false }, init: { kind: 'busybox', path: '/sbin/init' } },
    }
    expect(link('init', alpine).state).toBe('added')
  })

  it('names a Dockerfile of the person’s own', () => {
    const strange = { ...bare, recipe: null }
    const own = { ...defaultBuildSettings, preparation: { dockerfile: 'FROM a\n', anew: false } }
    expect(link('kernel', strange)).toEqual({ state: 'wrong', note: null })
    expect(link('kernel', strange, own)).toEqual({ state: 'added', note: 'own-dockerfile' })
  })
})

describe('whether somebody can log in', () => {
  const hash = '$6$abcdefgh$yVfUwsw5T.JApa8POvClA1pQ5peiq97DUNyXCZN5IrF.BMSkiaLQ5kvpuEm'
  const key = 'ssh-ed25519 AAAA'
  const user = (name: string, hasPassword: boolean, hasKeys = false): ImageFacts['users'][number] => ({
    ...{ name, id: 1000, hasPassword, hasKeys },
  })
  it.each<[string, Partial<MachineSettings>, Partial<ImageFacts>, boolean]>([
    ['root without a password', { rootPassword: { kind: 'empty' } }, {}, true],
    ['root with a password', { rootPassword: { kind: 'hash', hash } }, {}, true],
    ['a user', { user: { name: 'ada', passwordHash: hash, sudo: true } }, {}, true],
    ['a key without a server', { sshKeys: [key] }, { equipment: [] }, false],
    ['a key', { sshKeys: [key], sshServer: true }, { equipment: [] }, true],
    ['root of the image', {}, { users: [user('root', true)] }, true],
    ['root, locked', { rootPassword: { kind: 'locked' } }, { users: [user('root', true)] }, false],
    ['a user of the image', { rootPassword: { kind: 'locked' } }, { users: [user('bob', true)] }, true],
    ['a user of the image by key', {}, { users: [user('bob', false, true)] }, true],
    ['nobody', {}, { users: [user('bob', false)] }, false],
  ])('%s', (_, machine, facts, canLogIn) => {
    const lacks = lacksOf({ ...preparedDebian, ...facts }, { ...plainMachineSettings, ...machine })
    expect(lacks.includes('login')).toBe(!canLogIn)
  })
})

describe('what a kernel emulates', () => {
  it('is read from its rules, of those that are enabled', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-binfmt-'))
    const rule = (state: string, machine: string): string =>
      `${state}\ninterpreter /usr/bin/qemu-x\nflags: F\noffset 0\nmagic 7f454c460201010000000000000000000200${machine}00\nmask ffffffffffffff00fffffffffffffffffeffffff\n`
    try {
      await writeFile(join(folder, 'qemu-aarch64'), rule('enabled', 'b7'))
      await writeFile(join(folder, 'qemu-s390x'), rule('disabled', '16'))
      await writeFile(
        join(folder, 'python3.11'),
        'enabled\ninterpreter /usr/bin/python3.11\noffset 0\nmagic a70d0d0a\n',
      )
      // Without it nothing is mounted there.
      expect(await emulatedArchitectures(folder)).toBeNull()
      await writeFile(join(folder, 'status'), 'enabled\n')
      expect(await emulatedArchitectures(folder)).toEqual(['arm64'])
    } finally {
      await rm(folder, { recursive: true })
    }
    expect(await emulatedArchitectures(folder)).toBeNull()
  })
})
