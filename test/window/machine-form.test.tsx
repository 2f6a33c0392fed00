import { cleanup, fireEvent, screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import type { MachineSettings } from '../../src/shared/machine'
import type { FakeApi } from './support/fake-api'
import { change, chooseIn, isEnabled, openWindow, press } from './support/open-window'
import { fullTopics, machineImage, publicKey, publicKeyFingerprint } from './support/samples'

const MACHINE = 'my-machine:latest'

async function openInit(prepare?: (fake: FakeApi) => void): Promise<FakeApi> {
  const fake = await openWindow(fullTopics)
  prepare?.(fake)
  await chooseIn('Images', MACHINE)
  await openLink('Init')
  return fake
}

async function openLink(name: string): Promise<void> {
  await change(() => screen.getByRole('tab', { name: new RegExp(`^${name}`) }).click())
}

/** Unfolds a part of the form. */
async function unfold(title: string): Promise<void> {
  await press(new RegExp(`^${title}`))
}

async function type(label: string | RegExp, text: string): Promise<void> {
  await typeInto(screen.getByLabelText(label), text)
}

async function typeInto(field: HTMLElement, text: string): Promise<void> {
  await change(() => fireEvent.change(field, { target: { value: text } }))
}

async function tick(name: string | RegExp): Promise<void> {
  await change(() => screen.getByRole('checkbox', { name }).click())
}

async function pick(name: string | RegExp): Promise<void> {
  await change(() => screen.getByRole('radio', { name }).click())
}

/** The settings that a press on the button hands to the main process. */
async function built(fake: FakeApi): Promise<MachineSettings> {
  await press(/uild disk$/)
  const settings = fake.inputsOf('buildDisk').at(-1)?.settings.machine
  if (settings === undefined) throw new Error('nothing was built')
  return settings
}

function note(): string {
  return document.querySelector('#build-note')?.textContent ?? ''
}

/** Waits until a hash or a key is made. */
async function waitForSet(): Promise<void> {
  await waitFor(() => screen.getByText(/^Is set\./), { timeout: 10_000 })
}

describe('the machine’s settings', () => {
  it('leave an image that boots as it is', async () => {
    const fake = await openInit()
    expect(await built(fake)).toMatchObject({
      hostname: null,
      rootPassword: { kind: 'keep' },
      network: { kind: 'keep' },
      growRoot: false,
    })
    expect(fake.inputsOf('proposeDockerfile')).toEqual([])
  })

  it('refuse a host name that is not one, beside the field and at the button, and lead there', async () => {
    await openInit()
    await unfold('Name, time, language')
    await type('Host name', 'my machine!')
    const field = screen.getByLabelText('Host name')
    expect(field.getAttribute('aria-invalid')).toBe('true')
    const described = document.getElementById(field.getAttribute('aria-describedby')?.split(' ')[0] ?? '')
    expect(described?.textContent).toContain('A host name has the letters a to z')
    expect(isEnabled(/uild disk$/)).toBe(false)
    expect(screen.getByRole('tab', { name: /^Init/ }).textContent).toContain('needs a change')
    await openLink('Disk')
    await press('Show Init')
    expect(screen.getByRole('tab', { selected: true }).textContent).toContain('Init')
    await type('Host name', 'workshop')
    expect(isEnabled(/uild disk$/)).toBe(true)
  })

  it('take a time zone, a language and a keyboard from their lists', async () => {
    const fake = await openInit()
    await unfold('Name, time, language')
    const zone = screen.getByRole('combobox', { name: /Time zone/ })
    await change(() => {
      zone.focus()
      fireEvent.change(zone, { target: { value: 'berl' } })
    })
    await change(() => screen.getByRole('option', { name: /Europe\/Berlin/ }).click())
    await typeInto(screen.getByRole('combobox', { name: /Language/ }), 'de_DE.UTF-8')
    await typeInto(screen.getByRole('combobox', { name: /Keyboard/ }), 'de')
    expect(await built(fake)).toMatchObject({
      timeZone: 'Europe/Berlin',
      locale: 'de_DE.UTF-8',
      keyboard: 'de',
    })
  })

  it('hash a password before it leaves its field, and keep it nowhere', async () => {
    const fake = await openInit()
    await unfold('Users')
    await pick('With a password')
    expect(note()).toContain('Type a password for root.')
    await type('Password of root', 'correct horse battery')
    screen.getByLabelText('Password of root').focus()
    await change(() => fireEvent.keyDown(screen.getByLabelText('Password of root'), { key: 'Enter' }))
    expect(screen.queryByLabelText('Password of root')).toBeNull()
    await waitForSet()
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Change: Password of root')
    const { rootPassword } = await built(fake)
    expect(rootPassword.kind === 'hash' && rootPassword.hash).toMatch(
      /^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/,
    )
    expect(JSON.stringify(fake.calls)).not.toContain('correct horse')
    expect(document.body.innerHTML).not.toContain('correct horse')
    await press('Change: Password of root')
    expect(screen.getByLabelText<HTMLInputElement>('Password of root').value).toBe('')
    expect(isEnabled(/uild disk$/)).toBe(false)
  })

  it('take a password when the focus goes elsewhere in the window, not when the window loses it', async () => {
    await openInit()
    await unfold('Users')
    await pick('With a password')
    const field = (): HTMLInputElement | null => screen.queryByLabelText<HTMLInputElement>('Password of root')
    await type('Password of root', 'correct ho')
    await change(() => field()?.focus())
    // As Chromium does at Alt+Tab: the field stays the document's active element.
    await change(() => {
      fireEvent.focusOut(screen.getByLabelText('Password of root'), { relatedTarget: null })
    })
    expect(field()?.value).toBe('correct ho')
    await change(() => field()?.blur())
    expect(field()).toBeNull()
    await waitForSet()
  })

  it('refuse a password of a thousand characters, and keep what was typed', async () => {
    await openInit()
    await unfold('Users')
    await pick('With a password')
    await type('Password of root', 'x'.repeat(1000))
    await press('Set')
    expect(screen.getByRole('alert').textContent).toContain('This password has 1000 characters.')
    expect(screen.getByLabelText<HTMLInputElement>('Password of root').value).toHaveLength(1000)
    expect(isEnabled(/uild disk$/)).toBe(false)
  })

  it('add a user with a password, or with a key alone', async () => {
    const fake = await openInit()
    await unfold('Users')
    await tick('Add a user')
    expect(note()).toContain('Give the user a name.')
    await type('Name', 'root')
    expect(note()).toContain('Every system has its own root: choose another name.')
    await type('Name', 'ada')
    await type('Password of the user', 'lovelace')
    await press('Set')
    await waitForSet()
    expect((await built(fake)).user).toMatchObject({ name: 'ada', sudo: true })
    await tick(/No password: a key alone/)
    expect(note()).toContain('Give the user a password or a key')
    await unfold('Remote login')
    await type(/Another public key/, publicKey)
    await press('Add')
    expect(await built(fake)).toMatchObject({
      user: { name: 'ada', passwordHash: null },
      sshKeys: [publicKey],
    })
  })

  it('offer one’s own keys, and refuse a file that is none in words', async () => {
    const fake = await openInit((api) =>
      api.answer('listPublicKeys', {
        ok: true,
        value: [
          { file: '/home/ada/.ssh/id_ed25519.pub', key: publicKey },
          { file: '/home/ada/.ssh/broken.pub', key: 'hello' },
        ],
      }),
    )
    await unfold('Remote login')
    await tick(/Let people log in/)
    const keys = within(screen.getByRole('group', { name: /Keys that let somebody in as root/ }))
    expect(keys.getAllByRole('checkbox')).toHaveLength(1)
    expect(keys.getByText(publicKeyFingerprint)).toBeTruthy()
    await tick(/ada@workshop/)
    const chooser = document.querySelector<HTMLInputElement>('input[type=file]')
    if (chooser === null) throw new Error('no way to choose a file')
    const file = new File(['-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl'], 'id_ed25519')
    await change(() => fireEvent.change(chooser, { target: { files: [file] } }))
    await waitFor(() => screen.getByText(/This is a private key\. It stays with you/))
    expect(await built(fake)).toMatchObject({ sshServer: true, sshKeys: [publicKey] })
  })

  it('take a fixed address with its router and name servers', async () => {
    const fake = await openInit()
    await unfold('Network')
    await pick('A fixed address')
    expect(isEnabled(/uild disk$/)).toBe(false)
    await type('Address', '192.168.1.20')
    expect(note()).toContain('An address with the length of its network')
    await type('Address', '192.168.1.20/24')
    await type('Router', '192.168.1.1')
    await type('Name servers', '192.168.1.1, 9.9.9.9')
    expect((await built(fake)).network).toEqual({
      kind: 'static',
      address: '192.168.1.20/24',
      gateway: '192.168.1.1',
      nameservers: ['192.168.1.1', '9.9.9.9'],
    })
  })

  it('make a Wi-Fi passphrase into a key, and forget the key when the network’s name changes', async () => {
    const fake = await openInit()
    await unfold('Network')
    await tick('Join a Wi-Fi network')
    await type('Name of the network', 'IEEE')
    await type('Passphrase', 'password')
    await press('Set')
    await waitForSet()
    const chosen = await built(fake)
    expect(chosen.deviceFirmware).toBe(true)
    expect(chosen.wifi).toEqual({
      name: 'IEEE',
      key: 'f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e',
    })
    await type('Name of the network', 'IEEE2')
    expect(note()).toContain('Type the passphrase of the Wi-Fi network.')
  })

  it('belong to the links that they concern', async () => {
    const fake = await openInit()
    await openLink('Disk')
    await tick('Grow to the whole drive')
    await tick('Swap file')
    await openLink('Kernel')
    await tick('Boot entry with a serial console')
    await tick('Firmware for real hardware')
    await openLink('Apps')
    await tick('Run the start command')
    expect(await built(fake)).toMatchObject({
      growRoot: true,
      swapBytes: 1_000_000_000,
      serialConsole: true,
      deviceFirmware: true,
      runCommand: true,
    })
  })

  it('are saved when they can be used, and taken up again', async () => {
    const fake = await openInit()
    await unfold('Name, time, language')
    await type('Host name', 'work shop')
    await type('Host name', 'workshop')
    await waitFor(() => expect(fake.inputsOf('saveSettings')).toHaveLength(1))
    const saved = fake.inputsOf('saveSettings')[0]
    expect(saved).toMatchObject({ imageId: machineImage.id, settings: { machine: { hostname: 'workshop' } } })
    if (saved === undefined) return
    cleanup()
    const again = await openInit((api) => api.answer('readSettings', { ok: true, value: saved.settings }))
    expect((await built(again)).hostname).toBe('workshop')
  })
})
