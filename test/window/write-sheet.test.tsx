import { fireEvent, screen, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { change, chooseIn, isEnabled, openWindow, press } from './support/open-window'
import {
  ended,
  flashJob,
  freeDrive,
  fullTopics,
  mountedDrive,
  smallDrive,
  systemDrive,
} from './support/samples'
import type { FakeApi } from './support/fake-api'

const DRIVES = 'Drives to write to'

async function openSheet(topics = fullTopics): Promise<FakeApi> {
  const fake = await openWindow(topics)
  await chooseIn('Disks', 'my-machine.img')
  await press('Write to a stick…')
  return fake
}

async function type(text: string): Promise<void> {
  await change(() => {
    fireEvent.change(screen.getByRole('textbox', { name: /type the drive’s name/ }), {
      target: { value: text },
    })
  })
}

function chosenDrives(): HTMLElement[] {
  return within(screen.getByRole('listbox', { name: DRIVES })).queryAllByRole('option', { selected: true })
}

describe('the write sheet', () => {
  it('chooses no drive beforehand, not even the only one', async () => {
    await openSheet({ ...fullTopics, drives: [freeDrive] })
    expect(chosenDrives()).toHaveLength(0)
    expect(isEnabled('Erase and write')).toBe(false)
  })

  it('chooses no drive although one was looked at before', async () => {
    await openWindow(fullTopics)
    await chooseIn('Drives', freeDrive.name)
    await chooseIn('Disks', 'my-machine.img')
    await press('Write to a stick…')
    expect(chosenDrives()).toHaveLength(0)
  })

  it('writes only after the name of the drive was typed', async () => {
    const fake = await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    expect(screen.getByRole('heading', { name: 'Everything on SanDisk Ultra will be lost' })).toBeTruthy()
    expect(isEnabled('Erase and write')).toBe(false)
    await type('SanDisk')
    expect(isEnabled('Erase and write')).toBe(false)
    await type('sandisk ultra')
    expect(isEnabled('Erase and write')).toBe(true)
    await press('Erase and write')
    expect(fake.inputsOf('flashDisk')).toEqual([
      {
        source: { kind: 'disk', id: 'disk-machine' },
        targets: [{ driveKey: freeDrive.key, confirmation: 'sandisk ultra', unmount: false, expert: null }],
        everything: false,
        eject: false,
      },
    ])
  })

  it('says what will be lost', async () => {
    await openSheet()
    await chooseIn(DRIVES, mountedDrive.name)
    const loss = screen.getByRole('region', { name: 'What will be lost' }).textContent
    expect(loss).toContain('BACKUP')
    expect(loss).toContain('7.4 GB in use')
    expect(loss).toContain('/media/ada/BACKUP')
  })

  it('drops the choice and the typed name when the list of drives changes', async () => {
    const fake = await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    await change(() => fake.set('drives', [freeDrive, mountedDrive]))
    expect(chosenDrives()).toHaveLength(0)
    expect(isEnabled('Erase and write')).toBe(false)
    expect(screen.getByText(/nothing is chosen any more/)).toBeTruthy()
    await chooseIn(DRIVES, freeDrive.name)
    expect(screen.getByRole<HTMLInputElement>('textbox', { name: /type the drive’s name/ }).value).toBe('')
  })

  it('drops the choice when another stick takes the place of the chosen one', async () => {
    const fake = await openSheet({ ...fullTopics, drives: [freeDrive] })
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    await change(() => fake.set('drives', [{ ...freeDrive, key: 'usb-sandisk-other', serial: 'other' }]))
    expect(chosenDrives()).toHaveLength(0)
    expect(isEnabled('Erase and write')).toBe(false)
  })

  it('keeps the choice when the same list is told again', async () => {
    const fake = await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    await change(() => fake.set('drives', structuredClone(fullTopics.drives)))
    expect(chosenDrives()).toHaveLength(1)
  })

  it('does not let a drive be chosen that is too small or that the system runs from, and says why', async () => {
    await openSheet()
    for (const drive of [smallDrive, systemDrive]) {
      const option = screen.getByRole('listbox', { name: DRIVES }).querySelector(`[data-key="${drive.key}"]`)
      expect(option?.getAttribute('aria-disabled')).toBe('true')
    }
    await chooseIn(DRIVES, smallDrive.name)
    expect(chosenDrives()).toHaveLength(0)
    expect(screen.getByText('It is smaller than the disk.')).toBeTruthy()
  })

  it('writes a mounted drive only after unmounting was allowed', async () => {
    const fake = await openSheet()
    await chooseIn(DRIVES, mountedDrive.name)
    await type(mountedDrive.name)
    expect(isEnabled('Erase and write')).toBe(false)
    await change(() => screen.getByRole('checkbox', { name: /Unmount it first/ }).click())
    await type(mountedDrive.name)
    await press('Erase and write')
    expect(fake.inputsOf('flashDisk')[0]).toMatchObject({
      targets: [{ driveKey: mountedDrive.key, unmount: true }],
    })
  })

  it('follows the write, cancels it, and says at the end that the stick may be pulled', async () => {
    const fake = await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    await press('Erase and write')
    await change(() => fake.set('jobs', [flashJob]))
    expect(screen.getByRole('dialog').textContent).toContain('81%')
    expect(screen.getByText('Comparing', { selector: '[aria-current=step]' })).toBeTruthy()
    await press('Cancel writing')
    expect(fake.inputsOf('cancelJob')).toEqual([{ jobId: 'flash-1' }])
    await change(() => fake.set('jobs', [ended(flashJob, 'succeeded')]))
    expect(screen.getByText('The stick may be pulled.')).toBeTruthy()
  })

  it('does not say that a cancelled stick may be used, and starts over without a choice', async () => {
    const fake = await openSheet({ ...fullTopics, jobs: [flashJob] })
    await change(() => fake.set('jobs', [ended(flashJob, 'cancelled')]))
    expect(screen.queryByText(/may be pulled/, { selector: '[role=dialog] *' })).toBeNull()
    expect(screen.getByText(/the stick holds no usable disk/)).toBeTruthy()
    await press('Choose again')
    expect(chosenDrives()).toHaveLength(0)
  })

  it('shows the three sentences of a refusal', async () => {
    const fake = await openSheet()
    fake.answer('flashDisk', {
      ok: false,
      failure: {
        code: 'drive-changed',
        facts: { device: '/dev/sdb', field: 'serial', confirmed: '4C53', found: '9999' },
      },
    })
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    await press('Erase and write')
    const alert = screen.getByRole('alert').textContent
    expect(alert).toContain('is not the drive that was confirmed')
    expect(alert).toContain('Nothing was written to the drive.')
    expect(alert).toContain('choose again')
    expect(chosenDrives()).toHaveLength(0)
  })
})
