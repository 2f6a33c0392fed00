import { fireEvent, screen, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import type { ListedDisk } from '../../src/shared/ipc/contract'
import { change, chooseIn, entryOf, isEnabled, openWindow, press, settle } from './support/open-window'
import {
  buildJob,
  deceptiveDrive,
  drives,
  ended,
  failedBuild,
  freeDrive,
  fullTopics,
  host,
  previewJob,
  proofJob,
  provenDisk,
  systemDrive,
  unprovenDisk,
} from './support/samples'

function foot(): HTMLElement {
  return screen.getByRole('contentinfo', { name: 'Work in progress' })
}

describe('the bar of work', () => {
  it('says the stage, the share, the speed and the time left, on every page', async () => {
    await openWindow({ ...fullTopics, jobs: [buildJob] })
    for (const [list, entry] of [
      ['Images', 'my-machine:latest'],
      ['Disks', 'my-machine.img'],
      ['Drives', 'SanDisk Ultra'],
    ] as const) {
      await chooseIn(list, entry)
      expect(foot().textContent).toMatch(/Copying files.*my-machine\.img.*62%.*410 MB\/s.*3 s left/)
    }
    expect(within(foot()).getByRole('progressbar').getAttribute('aria-valuenow')).toBe('0.62')
  })

  it('cancels, and says so until the clean-up is done', async () => {
    const fake = await openWindow({ ...fullTopics, jobs: [buildJob] })
    await press('Cancel')
    expect(fake.inputsOf('cancelJob')).toEqual([{ jobId: 'build-1' }])
    const { id, kind, title, startedAt, diskId } = buildJob
    await change(() => fake.set('jobs', [{ id, kind, title, startedAt, diskId, state: 'cancelling' }]))
    expect(foot().textContent).toContain('Cancelling')
    expect(isEnabled('Cancel')).toBe(false)
    await change(() => fake.set('jobs', [ended(buildJob, 'cancelled')]))
    expect(foot().textContent).toContain('Cancelled, and cleaned up')
    await press('Dismiss')
    expect(fake.inputsOf('dismissJob')).toEqual([{ jobId: 'build-1' }])
  })

  it('opens into the log', async () => {
    await openWindow({ ...fullTopics, jobs: [buildJob] })
    expect(screen.queryByRole('log')).toBeNull()
    await press('Log')
    await settle()
    expect(screen.getByRole('log', { name: 'Log' }).textContent).toContain('mkfs.ext4')
  })

  it('gives the three sentences of a failure', async () => {
    await openWindow({ ...fullTopics, jobs: [failedBuild] })
    expect(foot().textContent).toContain('There is not enough free space at /home/ada/Disks')
    await press('What to do')
    const alert = screen.getByRole('alert').textContent
    expect(alert).toContain('2.29 GB are needed, 512 MB are free')
    expect(alert).toContain('No disk was made, and nothing is left behind.')
    expect(alert).toContain('Free some space')
  })

  it('announces stages, not every percent', async () => {
    const fake = await openWindow({ ...fullTopics, jobs: [buildJob] })
    const announcement = within(foot()).getByRole('status')
    const before = announcement.textContent
    await change(() => fake.set('jobs', [{ ...buildJob, fraction: 0.63 } as typeof buildJob]))
    expect(announcement.textContent).toBe(before)
    await change(() => fake.set('jobs', [{ ...buildJob, phase: 'check' } as typeof buildJob]))
    expect(announcement.textContent).toBe('my-machine.img: Checking the disk')
  })

  it('shows work before a machine that merely runs', async () => {
    await openWindow({ ...fullTopics, jobs: [buildJob, previewJob] })
    expect(foot().textContent).toContain('Copying files')
  })
})

describe('a disk', () => {
  it('is come back to from its preview by its entry in the side bar', async () => {
    await openWindow({ ...fullTopics, jobs: [previewJob] })
    await chooseIn('Disks', 'my-machine.img')
    await change(() => screen.getAllByRole('button', { name: 'Show preview' })[0]?.click())
    expect(screen.queryByRole('heading', { name: 'Origin' })).toBeNull()
    await chooseIn('Disks', 'my-machine.img')
    expect(screen.getByRole('heading', { name: 'Origin' })).toBeTruthy()
  })

  it('says where it comes from and that it is unproven', async () => {
    await openWindow(fullTopics)
    await chooseIn('Disks', 'my-machine.img')
    const page = screen.getByRole('main').textContent
    expect(page).toContain('Unproven: never booted.')
    expect(page).toContain(unprovenDisk.source.digest)
    expect(page).toContain('/home/ada/Disks/my-machine.img')
    await chooseIn('Disks', 'server.img')
    expect(screen.getByRole('main').textContent).toContain('Under UEFI it boots: login after 38 s on tcg.')
  })

  it('copies its digest by the right button', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Disks', 'my-machine.img')
    await change(() => fireEvent.contextMenu(screen.getByText(unprovenDisk.source.digest)))
    await change(() => screen.getByRole('menuitem', { name: 'Copy image digest' }).click())
    expect(fake.inputsOf('copyText')).toEqual([{ text: unprovenDisk.source.digest }])
  })

  it('is proven on request, and once at a time', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Disks', 'my-machine.img')
    await press('Prove that it boots')
    expect(fake.inputsOf('proveDisk')).toEqual([{ diskId: 'disk-machine' }])
    await change(() => fake.set('jobs', [proofJob]))
    expect(isEnabled('Being proven')).toBe(false)
  })

  it('of data has nothing to prove, and one that shows a picture wants to be looked at', async () => {
    const data: ListedDisk = { ...unprovenDisk, firmware: [] }
    const [proof] = provenDisk.proofs
    const kiosk: ListedDisk = {
      ...provenDisk,
      proofs: proof === undefined ? [] : [{ ...proof, outcome: 'picture', picture: false }],
    }
    await openWindow({ ...fullTopics, disks: [data, kiosk] })
    await chooseIn('Disks', 'my-machine.img')
    expect(isEnabled('Prove that it boots')).toBe(false)
    expect(screen.getByRole('main').textContent).toContain('This disk holds data alone')
    await chooseIn('Disks', 'server.img')
    const page = screen.getByRole('main').textContent
    expect(page).toContain('Under UEFI it is unproven: the screen shows a picture without text')
    expect(page).not.toContain('does not boot')
    expect(screen.getByRole('option', { name: /server\.img/ }).textContent).toContain(
      'shows a picture under UEFI',
    )
  })

  it('that did not come up says under which firmware and why, in its page and in the list', async () => {
    const [boots] = provenDisk.proofs
    if (boots === undefined) throw new Error('the sample has a proof')
    const proofs: ListedDisk['proofs'] = [
      { ...boots, firmware: 'bios', failedUnits: ['apache2.service'] },
      { ...boots, firmware: 'uefi', outcome: 'kernel-panic', lines: ['Kernel panic - not syncing'] },
    ]
    await openWindow({ ...fullTopics, disks: [{ ...provenDisk, proofs }] })
    expect(entryOf('Disks', 'server.img').textContent).toContain('does not boot under UEFI')
    await chooseIn('Disks', 'server.img')
    const page = screen.getByRole('main').textContent
    expect(page).toContain(
      'Under BIOS it boots: login after 38 s on tcg. Units that failed: apache2.service.',
    )
    expect(page).toContain('Under UEFI it does not boot: the kernel gave up (panic).')
    expect(screen.getByLabelText('Last lines under UEFI').textContent).toBe('Kernel panic - not syncing')
    expect(screen.queryByLabelText('Last lines under BIOS')).toBeNull()
    expect(page).toContain('Unproven under UEFI with Secure Boot.')
    await change(() => screen.getByRole('img', { name: 'Screen under UEFI, show it large' }).click())
    expect(screen.getByRole('img', { name: 'Kernel panic - not syncing' })).toBeTruthy()
  })

  it('is deleted only after a question, whose Esc deletes nothing', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Disks', 'my-machine.img')
    await press('Delete…')
    await change(() => fireEvent.keyDown(screen.getByRole('alertdialog'), { key: 'Escape' }))
    expect(screen.queryByRole('alertdialog')).toBeNull()
    expect(fake.inputsOf('deleteDisk')).toEqual([])
    await press('Delete…')
    await press('Delete the file')
    expect(fake.inputsOf('deleteDisk')).toEqual([{ diskId: 'disk-machine' }])
  })

  it('whose file is gone can only be taken off the list', async () => {
    const fake = await openWindow({ ...fullTopics, disks: [{ ...unprovenDisk, present: false }] })
    await chooseIn('Disks', 'my-machine.img')
    expect(isEnabled('Preview')).toBe(false)
    expect(isEnabled('Write to a stick…')).toBe(false)
    await press('Take off the list')
    expect(fake.inputsOf('forgetDisk')).toEqual([{ diskId: 'disk-machine' }])
  })

  it('cannot be previewed without QEMU, and says how to get it', async () => {
    await openWindow({
      ...fullTopics,
      host: { ...host, qemu: { ...host.qemu, firmware: { amd64: [], arm64: [] } } },
    })
    await chooseIn('Disks', 'my-machine.img')
    expect(isEnabled('Preview')).toBe(false)
    expect(isEnabled('Prove that it boots')).toBe(false)
    expect(isEnabled('Write to a stick…')).toBe(true)
    expect(screen.getByText('sudo apt install qemu-system-x86 qemu-utils ovmf')).toBeTruthy()
  })

  it('for arm64 needs a QEMU of its own, and a packed one is not booted', async () => {
    const arm: ListedDisk = { ...unprovenDisk, architecture: 'arm64', firmware: ['uefi'] }
    const fake = await openWindow({
      ...fullTopics,
      disks: [arm, { ...provenDisk, name: 'server.img.gz', format: 'gz' }],
    })
    await chooseIn('Disks', 'my-machine.img')
    expect(isEnabled('Preview')).toBe(false)
    expect(isEnabled('Prove that it boots')).toBe(false)
    expect(screen.getByText('sudo apt install qemu-system-arm qemu-utils qemu-efi-aarch64')).toBeTruthy()
    // Its own QEMU counts, whatever there is for others.
    const qemu = { ...host.qemu, firmware: { amd64: [], arm64: ['uefi' as const] } }
    await change(() => fake.set('host', { ...host, qemu }))
    expect(isEnabled('Preview')).toBe(true)
    expect(isEnabled('Prove that it boots')).toBe(true)
    await chooseIn('Disks', 'server.img.gz')
    expect(isEnabled('Prove that it boots')).toBe(false)
    expect(screen.getByRole('main').textContent).toContain('A packed disk is not booted here.')
  })

  it('of data alone has nothing to boot, and says so', async () => {
    await openWindow({ ...fullTopics, disks: [{ ...unprovenDisk, firmware: [] }] })
    await chooseIn('Disks', 'my-machine.img')
    expect(isEnabled('Prove that it boots')).toBe(false)
    expect(isEnabled('Preview')).toBe(false)
    expect(isEnabled('Write to a stick…')).toBe(true)
    const page = screen.getByRole('main').textContent
    expect(page).toContain('There is nothing on it to be previewed or proven.')
    expect(page).not.toContain('Unproven')
    expect(entryOf('Disks', 'my-machine.img').textContent).toContain('data alone')
  })
})

describe('a drive', () => {
  it('shows its partitions with their labels, and that it can be written', async () => {
    await openWindow(fullTopics)
    await chooseIn('Drives', freeDrive.name)
    const bar = screen.getByRole('list', { name: 'Layout of the drive' })
    expect(
      within(bar)
        .getAllByRole('listitem')
        .map((part) => part.textContent),
    ).toEqual(['PHOTOS 201924 GB', 'ext45 GB', 'Empty3.01 GB'])
    expect(screen.getByRole('main').textContent).toContain('Yes.')
  })

  it('that is built into the computer is not offered', async () => {
    const builtIn: typeof freeDrive = {
      ...freeDrive,
      key: 'sata',
      name: 'WDC WD10',
      reasons: ['system', 'not-removable'],
    }
    await openWindow({ ...fullTopics, drives: [builtIn, freeDrive] })
    expect(() => entryOf('Drives', 'WDC WD10')).toThrow()
    await chooseIn('Disks', 'my-machine.img')
    await press('Write to a stick…')
    expect(() => entryOf('Drives to write to', 'WDC WD10')).toThrow()
    expect(entryOf('Drives to write to', freeDrive.name)).toBeTruthy()
  })

  it('of the running system says why it cannot be written', async () => {
    await openWindow(fullTopics)
    await chooseIn('Drives', systemDrive.name)
    expect(screen.getByText(/This computer runs from it/).textContent).toContain('/, /boot/efi')
  })

  it('that is unplugged goes from the list and from its page', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Drives', freeDrive.name)
    await change(() => fake.set('drives', drives.slice(1)))
    expect(screen.getByRole('heading', { name: 'This drive is gone' })).toBeTruthy()
  })

  it('shows no characters with which it could lie about its name', async () => {
    await openWindow({ ...fullTopics, drives: [deceptiveDrive] })
    await chooseIn('Drives', freeDrive.name)
    expect(screen.getByRole('main').textContent).not.toContain('\u202e')
    expect(screen.getByRole('main').textContent).toContain('safetxt.gpj')
  })
})
