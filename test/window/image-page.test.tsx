import { fireEvent, screen } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { change, chooseIn, entryOf, isEnabled, openWindow, press } from './support/open-window'
import { defaultBuildSettings } from '../../src/shared/image'
import {
  applicationFacts,
  applicationImage,
  buildJob,
  ended,
  engineReady,
  engineStopped,
  fullTopics,
  host,
  images,
  machineFacts,
  machineImage,
  unprovenDisk,
} from './support/samples'

const MACHINE = 'my-machine:latest'
const APPLICATION = 'tiny-app:latest'

function chainWords(): string[] {
  return screen.getAllByRole('tab').map((tab) => [...tab.children].map((part) => part.textContent).join('|'))
}

describe('the chain', () => {
  it('says in words what the image has and what Slipway adds', async () => {
    await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    expect(chainWords()).toEqual([
      '|Disk|2.21 GB|Slipway adds it',
      '|Partition|MBR|Slipway adds it',
      '|Boot loader|BIOS + UEFI|Slipway adds it',
      '|Kernel|6.1.0-37-amd64|in the image',
      '|Init|systemd|no network',
      '|Apps|/bin/bash|in the image',
    ])
  })

  it('says what an image of an unknown distribution lacks, and that it cannot be built', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('inspectImage', { ok: true, value: { ...applicationFacts, recipe: null } })
    await chooseIn('Images', APPLICATION)
    expect(chainWords()[3]).toBe('|Kernel|none|missing')
    expect(chainWords()[4]).toBe('|Init|none|missing')
    expect(screen.getByRole('tab', { selected: true }).textContent).toContain('Kernel')
    const panel = screen.getByRole('tabpanel').textContent
    expect(panel).toContain('has no Linux kernel')
    expect(panel).toContain('Slipway has no recipe that makes tiny-app:latest bootable')
    expect(isEnabled('Build disk')).toBe(false)
    expect(
      screen.getByText(/^Cannot be built yet: the image lacks a kernel and an init system\./),
    ).toBeTruthy()
    expect(fake.inputsOf('buildDisk')).toEqual([])
    expect(fake.inputsOf('proposeDockerfile')).toEqual([])
  })

  it('says what a machine that boots will not have, and what is known of the image', async () => {
    const fake = await openWindow(fullTopics)
    const bob = { name: 'bob', id: 1000, hasPassword: false, hasKeys: true }
    const applications = {
      ...machineFacts.applications,
      ...{
        environment: ['PATH=/bin', 'TOKEN=secret'],
        volumes: ['/data'],
        user: 'www',
        workingDirectory: '/srv',
      },
    }
    fake.answer('inspectImage', {
      ok: true,
      value: { ...machineFacts, rootLogin: 'locked', users: [bob], applications },
    })
    await chooseIn('Images', MACHINE)
    expect(chainWords()[4]).toBe('|Init|systemd|no login, no network')
    await change(() => screen.getByRole('tab', { name: /^Init/ }).click())
    const init = screen.getByRole('tabpanel').textContent
    expect(init).toContain('Nobody can log in to this machine')
    expect(init).toContain('It will have no network')
    expect(init).toContain('bob (key)')
    await change(() => screen.getByRole('tab', { name: /^Apps/ }).click())
    const apps = screen.getByRole('tabpanel').textContent
    for (const fact of ['apt', 'www', '/srv', 'TOKEN', '/data']) expect(apps).toContain(fact)
    expect(apps).not.toContain('secret')
    // Neither keeps it from being built.
    expect(isEnabled('Build disk')).toBe(true)
  })

  it('shows the panel of the chosen link', async () => {
    await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    await change(() => screen.getByRole('tab', { name: /Kernel/ }).click())
    expect(screen.getByRole('tabpanel').textContent).toContain('/initrd.img')
    await change(() => screen.getByRole('tab', { name: /Init/ }).click())
    expect(screen.getByRole('tabpanel').textContent).toContain('root logs in without a password')
  })
})

describe('the proof after a build', () => {
  const checkbox = (): HTMLInputElement => screen.getByRole('checkbox', { name: /^Prove after build/ })

  it('is ticked, remembered with the settings, and asked for', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    expect(checkbox().checked).toBe(false)
    await change(() => checkbox().click())
    await expect.poll(() => fake.inputsOf('saveSettings').at(-1)?.settings).toMatchObject({ prove: true })
    await press('Build disk')
    expect(fake.inputsOf('buildDisk')[0]?.settings.prove).toBe(true)
  })

  it('is as it was left the last time', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('readSettings', { ok: true, value: { ...defaultBuildSettings, prove: true } })
    await chooseIn('Images', MACHINE)
    expect(checkbox().checked).toBe(true)
  })

  it.each([
    ['a packed disk', { format: 'xz' as const }, host, 'Not of a packed disk.'],
    ['a disk of data', { boot: false }, host, 'Nothing on a data disk boots.'],
    [
      'a computer without QEMU',
      {},
      { ...host, qemu: { ...host.qemu, firmware: { amd64: [], arm64: [] } } },
      'QEMU is not installed.',
    ],
  ])('is not offered for %s, and says why', async (_, changed, computer, reason) => {
    const fake = await openWindow({ ...fullTopics, host: computer })
    const value = { ...defaultBuildSettings, prove: true, ...changed }
    fake.answer('readSettings', { ok: true, value })
    await chooseIn('Images', MACHINE)
    expect(checkbox().disabled).toBe(true)
    expect(checkbox().checked).toBe(false)
    expect(screen.getByText(reason)).toBeTruthy()
    await press('Build disk')
    expect(fake.inputsOf('buildDisk')[0]?.settings.prove).toBe(false)
  })
})

describe('building', () => {
  it('builds with what was set', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    await change(() => screen.getByRole('radio', { name: /kernel/ }).click())
    expect(chainWords()[2]).toBe('|Boot loader|BIOS|Slipway adds it')
    await change(() => screen.getByRole('tab', { name: /Kernel/ }).click())
    await change(() => {
      fireEvent.change(screen.getByRole('textbox', { name: /command line/ }), {
        target: { value: 'console=ttyS0' },
      })
    })
    await change(() => screen.getByRole('checkbox', { name: 'Prove after build' }).click())
    await press('Build disk')
    expect(fake.inputsOf('buildDisk')).toEqual([
      {
        imageId: machineImage.id,
        settings: {
          ...defaultBuildSettings,
          ...{ engine: 'kernel', kernelArguments: 'console=ttyS0', prove: true },
        },
      },
    ])
  })

  it('refuses a size that is too small before anything is asked', async () => {
    await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    await change(() => screen.getByRole('radio', { name: 'Another size' }).click())
    const size = screen.getByRole('textbox', { name: /Size of the disk/ })
    await change(() => {
      fireEvent.change(size, { target: { value: '1' } })
      fireEvent.blur(size)
    })
    expect(screen.getAllByText(/1 GB is too small for this image: it needs 1.36 GB/).length).toBeGreaterThan(
      0,
    )
    expect(isEnabled('Build disk')).toBe(false)
  })

  it('counts the swap file with the disk wherever a size is said', async () => {
    const machine = { ...defaultBuildSettings.machine, swapBytes: 8_000_000_000 }
    const fake = await openWindow(fullTopics)
    fake.answer('readSettings', { ok: true, value: { ...defaultBuildSettings, machine } })
    await chooseIn('Images', MACHINE)
    expect(document.getElementById('build-note')?.textContent).toContain('10.3 GB.')
    expect(screen.getByText('At least 9.36 GB.')).toBeTruthy()
    await change(() => screen.getByRole('radio', { name: 'Another size' }).click())
    const size = screen.getByRole('textbox', { name: /Size of the disk/ })
    await change(() => {
      fireEvent.change(size, { target: { value: '4' } })
      fireEvent.blur(size)
    })
    expect(screen.getAllByText(/4 GB is too small for this image: it needs 9.36 GB/)).toHaveLength(2)
    expect(isEnabled('Build disk')).toBe(false)
    await press('Write to a stick directly…')
    expect(screen.getByRole('dialog').textContent).toContain('It must hold 9.36 GB at least.')
  })

  it('keeps the settings of an image while another page is shown', async () => {
    await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    await change(() => screen.getByRole('radio', { name: 'By Slipway itself' }).click())
    await chooseIn('Drives', 'SanDisk Ultra')
    await chooseIn('Images', MACHINE)
    expect(screen.getByRole<HTMLInputElement>('radio', { name: 'By Slipway itself' }).checked).toBe(true)
  })

  it('names the file after its kind, and has GPT for disks of its own alone', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    await change(() => screen.getByRole('radio', { name: 'GPT' }).click())
    await change(() => screen.getByRole('radio', { name: 'QEMU (.qcow2)' }).click())
    expect(screen.getByText('/home/ada/Disks/my-machine.qcow2')).toBeTruthy()
    await press('Build disk')
    expect(fake.inputsOf('buildDisk')).toMatchObject([{ settings: { table: 'gpt', format: 'qcow2' } }])
    await change(() => screen.getByRole('radio', { name: 'By this system’s kernel' }).click())
    expect(screen.getByRole<HTMLInputElement>('radio', { name: 'MBR' }).checked).toBe(true)
  })

  it('shows the chosen path', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    expect(screen.getByText('/home/ada/Disks/my-machine.img')).toBeTruthy()
    await press('Change…')
    expect(fake.inputsOf('chooseDiskPath')).toEqual([{ imageId: machineImage.id }])
    expect(screen.getByText('/home/ada/Machines/server.img')).toBeTruthy()
  })

  it('says what is in the way, that the file was not touched, and offers another place', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('buildDisk', {
      ok: false,
      failure: { code: 'output-exists', facts: { path: '/home/ada/Disks/my-machine.img' } },
    })
    await chooseIn('Images', MACHINE)
    await press('Build disk')
    const alert = screen.getByRole('alert').textContent
    expect(alert).toContain('There already is a file at /home/ada/Disks/my-machine.img.')
    expect(alert).toContain('That file was not touched.')
    await press('Choose another place…')
    expect(screen.queryByRole('alert')).toBeNull()
  })

  it('cannot be begun twice, and leads to the disk at the end', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Images', MACHINE)
    await press('Build disk')
    await change(() => fake.set('jobs', [buildJob]))
    expect(isEnabled('Building')).toBe(false)
    const disk = { ...unprovenDisk, id: 'disk-new', name: 'fresh.img' }
    await change(() => {
      fake.set('disks', [disk])
      fake.set('jobs', [ended(buildJob, 'succeeded')])
    })
    await change(() => screen.getAllByRole('button', { name: 'Show the disk' })[0]?.click())
    expect(screen.getByRole('heading', { level: 1, name: 'fresh.img' })).toBeTruthy()
  })

  it('says what an engine lacks on this computer', async () => {
    await openWindow({
      ...fullTopics,
      host: {
        ...host,
        engines: {
          direct: { firmware: [], missing: ['extlinux'], remedy: 'sudo apt install extlinux' },
          kernel: { firmware: ['bios'], missing: [], remedy: '' },
        },
      },
    })
    await chooseIn('Images', MACHINE)
    expect(screen.getByText(/sudo apt install extlinux/)).toBeTruthy()
    expect(isEnabled('Build disk')).toBe(false)
    await change(() => screen.getByRole('tab', { name: /Disk/ }).click())
    await change(() => screen.getByRole('radio', { name: /kernel/ }).click())
    expect(isEnabled('Build disk')).toBe(true)
  })

  it('shows why an image could not be inspected, and tries again', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('inspectImage', { ok: false, failure: { code: 'engine-lost', facts: { detail: 'EPIPE' } } })
    await chooseIn('Images', MACHINE)
    expect(screen.getByRole('alert').textContent).toContain('The connection to Docker broke: EPIPE.')
    await press('Try again')
    expect(fake.inputsOf('inspectImage')).toHaveLength(2)
  })
})

describe('the list of images', () => {
  it('is searched by name and digest, with Ctrl+F', async () => {
    await openWindow(fullTopics)
    await change(() => fireEvent.keyDown(window, { key: 'f', ctrlKey: true }))
    const search = screen.getByRole<HTMLInputElement>('searchbox', { name: 'Search images' })
    expect(document.activeElement).toBe(search)
    await change(() => fireEvent.change(search, { target: { value: 'NGINX' } }))
    expect(
      screen
        .getAllByRole('option')
        .map((option) => option.textContent)
        .join(),
    ).toContain('nginx:1.27')
    expect(() => entryOf('Images', MACHINE)).toThrow()
    await change(() => fireEvent.change(search, { target: { value: 'no such' } }))
    expect(screen.getByText('No image is called “no such”.')).toBeTruthy()
  })

  it('follows the engine: an image that is removed goes, and its page says so', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Images', APPLICATION)
    await change(() =>
      fake.set(
        'images',
        images.filter(({ id }) => id !== applicationImage.id),
      ),
    )
    expect(() => entryOf('Images', APPLICATION)).toThrow()
    expect(screen.getByRole('heading', { name: 'This image is gone' })).toBeTruthy()
  })

  it('says how to make a first image when there is none', async () => {
    const fake = await openWindow()
    expect(screen.getByText('docker build -t my-machine .')).toBeTruthy()
    await change(() => fake.set('images', images))
    expect(screen.getByRole('heading', { name: 'Choose an image' })).toBeTruthy()
  })
})

describe('an engine that is not there', () => {
  it('takes the page, says what to do, and recovers by itself', async () => {
    const fake = await openWindow({ ...fullTopics, images: [], engine: engineStopped })
    expect(screen.getByRole('heading', { name: 'Docker is not running' })).toBeTruthy()
    expect(screen.getByText(/sudo systemctl start docker/)).toBeTruthy()
    expect(screen.getByRole('status', { name: 'Container engine' }).textContent).toContain('not available')
    await change(() => {
      fake.set('engine', engineReady)
      fake.set('images', images)
    })
    expect(screen.queryByRole('heading', { name: 'Docker is not running' })).toBeNull()
    expect(entryOf('Images', MACHINE)).toBeTruthy()
    expect(screen.getByRole('status', { name: 'Container engine' }).textContent).toContain('ready')
  })

  it('leaves disks and drives usable', async () => {
    await openWindow({ ...fullTopics, images: [], engine: engineStopped })
    await chooseIn('Disks', 'my-machine.img')
    expect(isEnabled('Preview')).toBe(true)
    expect(isEnabled('Write to a stick…')).toBe(true)
  })

  it('opens the page that helps', async () => {
    const fake = await openWindow({
      engine: {
        state: 'unavailable',
        failure: { code: 'engine-forbidden', facts: { socket: '/var/run/docker.sock' } },
      },
    })
    await press('How to allow it')
    expect(fake.inputsOf('openHelp')).toEqual([{ page: 'docker-permission' }])
  })
})
