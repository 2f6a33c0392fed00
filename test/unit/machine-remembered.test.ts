import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readMachineFile } from '../../src/main/cli/machine-file'
import { listPublicKeys } from '../../src/main/convert/machine/public-keys'
import { imageSettingsFile, openImageSettings } from '../../src/main/library/image-settings'
import { defaultBuildSettings } from '../../src/shared/image'
import { plainMachineSettings } from '../../src/shared/machine'

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3sXkzYk0Cq8m0fXvV2i1uY0bP1o8y3sHjvJgJr5X2l ada@desk'
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-machine-'))
})
afterEach(async () => {
  await chmod(folder, 0o700)
  await rm(folder, { recursive: true })
})

describe('settings of an image', () => {
  const settings = {
    ...defaultBuildSettings,
    machine: { ...plainMachineSettings, hostname: 'kiosk' },
  }

  it('are remembered by its name, for this user alone', async () => {
    const file = join(folder, 'slipway/images.json')
    const kept = openImageSettings(file)
    expect(await kept.read('web:1')).toBeNull()
    await Promise.all([kept.save('web:1', settings), kept.save('web:2', defaultBuildSettings)])
    expect(await openImageSettings(file).read('web:1')).toEqual(settings)
    expect(await kept.read('web:2')).toEqual(defaultBuildSettings)
    expect(await kept.read('__proto__')).toBeNull()
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it('are none when they cannot be read', async () => {
    const file = join(folder, 'images.json')
    for (const text of ['', '[]', '{"web:1": {"sizeBytes": "large"}}']) {
      await writeFile(file, text)
      expect(await openImageSettings(file).read('web:1')).toBeNull()
    }
    await openImageSettings(file).save('web:1', settings)
    expect(await openImageSettings(file).read('web:1')).toEqual(settings)
  })

  it('lie where the XDG specification says', () => {
    expect(imageSettingsFile({ XDG_CONFIG_HOME: '/c' })).toBe('/c/slipway/images.json')
    expect(imageSettingsFile({ XDG_CONFIG_HOME: 'c' })).toMatch(/^\/.*\/\.config\/slipway\/images\.json$/)
  })
})

describe('the person’s public keys', () => {
  it('are found among whatever lies there', async () => {
    await writeFile(join(folder, 'id_ed25519.pub'), `${KEY}\n`)
    await writeFile(join(folder, 'id_ed25519'), '-----BEGIN OPENSSH PRIVATE KEY-----\n')
    await writeFile(join(folder, 'broken.pub'), '-----BEGIN OPENSSH PRIVATE KEY-----\n')
    await writeFile(join(folder, 'large.pub'), `${KEY}\n`.repeat(1000))
    await symlink('nowhere', join(folder, 'link.pub'))
    execFileSync('mkfifo', [join(folder, 'pipe.pub')])
    expect(await listPublicKeys(folder)).toEqual([{ file: 'id_ed25519.pub', key: KEY }])
  })

  it('are none without the folder', async () => {
    expect(await listPublicKeys(join(folder, 'missing'))).toEqual([])
  })
})

describe('a file with settings of the machine', () => {
  const read = async (text: string) => {
    const file = join(folder, 'machine.json')
    await writeFile(file, text)
    return readMachineFile(file, plainMachineSettings)
  }

  it('needs to name only what differs', async () => {
    expect(await read('{"hostname": "kiosk", "growRoot": true}')).toEqual({
      ok: true,
      value: { ...plainMachineSettings, hostname: 'kiosk', growRoot: true },
    })
    expect(await readFile(join(folder, 'machine.json'), 'utf8')).toContain('kiosk')
  })

  it('has firmware along with Wi-Fi, unless it says otherwise', async () => {
    const wifi = `"wifi": {"name": "home", "key": "${'ab'.repeat(32)}"}`
    expect(await read(`{${wifi}}`)).toMatchObject({ value: { deviceFirmware: true } })
    expect(await read(`{${wifi}, "deviceFirmware": false}`)).toMatchObject({
      value: { deviceFirmware: false },
    })
    expect(await read('{"wifi": null}')).toMatchObject({ value: { deviceFirmware: false } })
  })

  it.each([
    ['{"hostname": "no name"}', 'hostname'],
    ['{"rootPassword": {"kind": "hash", "hash": "secret"}}', 'rootPassword.hash'],
    ['{"sshKeys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}', 'sshKeys.0'],
    ['{"user": {"name": "Ada", "passwordHash": null, "sudo": true}}', 'user.name'],
    ['{"network": {"kind": "static", "address": "10.0.0.1"}}', 'network.address'],
    ['{"network": {"kind": "static", "address": "::1/64", "gateway": "x"}}', 'network.gateway'],
    ['{"wifi": {"name": "home", "key": "passphrase"}}', 'wifi.key'],
    ['{"timeZone": "../x"}', 'timeZone'],
    ['{"locale": "deutsch"}', 'locale'],
    ['{"keyboard": "D E"}', 'keyboard'],
    ['{"hostName": "kiosk"}', 'machine.json'],
    ['hostname: kiosk', 'machine.json'],
  ])('%s: says that %s is wrong, without repeating it', async (text, setting) => {
    const result = await read(text)
    if (result.ok || result.failure.code !== 'setting-invalid') throw new Error(JSON.stringify(result))
    expect(result.failure.facts.setting).toContain(setting)
    expect(result.failure.facts.reason).not.toMatch(/secret|PRIVATE/)
    // In words, not as a pattern of the schema.
    expect(result.failure.facts.reason).not.toMatch(/pattern|\^|Invalid/)
  })

  it('is said to be missing', async () => {
    const result = await readMachineFile(join(folder, 'none.json'), plainMachineSettings)
    expect(result).toMatchObject({ ok: false, failure: { code: 'not-found' } })
  })
})
