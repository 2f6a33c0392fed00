import { cleanup, fireEvent, screen, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { change, chooseIn, entryOf, isEnabled, openWindow, press } from './support/open-window'
import type { Failure } from '../../src/shared/failure'
import type { ListedDrive } from '../../src/shared/ipc/contract'
import type { JobSnapshot, JobTarget } from '../../src/shared/job'
import {
  applicationFacts,
  builtInDrive,
  ended,
  flashJob,
  freeDrive,
  fullTopics,
  host,
  mountedDrive,
  smallDrive,
  systemDrive,
  twinDrives,
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

/** What the sheet has read out. */
function statusWords(): string {
  return within(screen.getByRole('dialog'))
    .getAllByRole('status')
    .map(({ textContent }) => textContent)
    .join('')
}

describe('the page of a drive', () => {
  it.each([
    [['large'], 'Only by the expert setting.'],
    [['mounted', 'large'], 'Only by the expert setting.'],
    [['mounted'], 'Only after it is unmounted.'],
    [['system', 'large'], 'No.'],
  ] as const)('says of %j: %s', async (reasons, verdict) => {
    await openWindow({ ...fullTopics, drives: [{ ...freeDrive, reasons: [...reasons] }] })
    await chooseIn('Drives', freeDrive.name)
    expect(screen.getByText(verdict)).toBeTruthy()
  })
})

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
    expect(screen.getByRole('heading', { name: /^Everything on SanDisk Ultra will be lost/ })).toBeTruthy()
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

  it('says beside the button what is still to do, in the order in which it is done', async () => {
    await openSheet()
    const next = (): string | undefined =>
      screen.queryAllByRole('status').find(({ textContent }) => textContent.endsWith('.'))?.textContent
    expect(next()).toBe('Choose a drive.')
    await chooseIn(DRIVES, mountedDrive.name)
    expect(next()).toBe('Allow to unmount /dev/sdc.')
    await change(() => screen.getByRole('checkbox', { name: /Unmount it first/ }).click())
    expect(next()).toBe('Type the name to confirm.')
    await type(mountedDrive.name)
    expect(next()).toBeUndefined()
    expect(isEnabled('Erase and write')).toBe(true)
    await chooseIn(DRIVES, freeDrive.name)
    expect(next()).toBe('Type the name of /dev/sdb to confirm.')
  })

  it('says what will be lost', async () => {
    await openSheet()
    await chooseIn(DRIVES, mountedDrive.name)
    const loss = screen.getByRole('group', { name: 'What will be lost' }).textContent
    expect(loss).toContain('BACKUP')
    expect(loss).toContain('7.4 GB in use')
    expect(loss).toContain('/media/ada/BACKUP')
  })

  it('does not add up use that it does not know', async () => {
    await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    const loss = (): string => screen.getByRole('group', { name: 'What will be lost' }).textContent
    expect(loss()).toContain('2 volumes, use unknown:')
    const [first] = mountedDrive.volumes
    const half = {
      ...mountedDrive,
      volumes: [...mountedDrive.volumes, { ...first, device: '/dev/sdc2', usedBytes: null }],
    } as ListedDrive
    cleanup()
    await openSheet({ ...fullTopics, drives: [half] })
    await chooseIn(DRIVES, mountedDrive.name)
    expect(loss()).toContain('2 volumes, at least 7.4 GB in use:')
  })

  it('shows by what the drive is told from others', async () => {
    const drive = { ...freeDrive, wwn: '0x5001b44' }
    await openSheet({ ...fullTopics, drives: [drive] })
    await chooseIn(DRIVES, drive.name)
    const loss = screen.getByRole('group', { name: 'What will be lost' }).textContent
    for (const fact of [
      drive.serial,
      drive.wwn,
      drive.byId[0],
      'USB',
      drive.port,
      drive.majorMinor,
      'medium 12',
    ])
      expect(loss).toContain(fact)
  })

  it('asks for the device too where two drives have one name', async () => {
    const fake = await openSheet({ ...fullTopics, drives: twinDrives })
    const second = twinDrives[1] as ListedDrive
    await change(() =>
      within(screen.getByRole('listbox', { name: DRIVES }))
        .getAllByRole('option')[1]
        ?.click(),
    )
    await type('SanDisk Ultra')
    expect(isEnabled('Erase and write')).toBe(false)
    await type('SanDisk Ultra sdb')
    expect(isEnabled('Erase and write')).toBe(false)
    await type('SanDisk Ultra sdd')
    await press('Erase and write')
    expect(fake.inputsOf('flashDisk')[0]?.targets).toMatchObject([
      { driveKey: second.key, confirmation: 'SanDisk Ultra sdd' },
    ])
  })

  it('says that cards are not ejected', async () => {
    await openSheet({ ...fullTopics, drives: [freeDrive, { ...smallDrive, sizeBytes: 32e9 }] })
    await chooseIn(DRIVES, freeDrive.name)
    expect(screen.queryByText(/Cards and built-in drives stay/)).toBeNull()
    await chooseIn(DRIVES, smallDrive.name)
    expect(screen.getByText(/Cards and built-in drives stay/)).toBeTruthy()
  })

  it('says that a drive does not answer', async () => {
    const target = {
      name: 'SanDisk Ultra',
      device: '/dev/sdb',
      state: 'write',
      isBegun: true,
      fraction: 0.4,
      failure: null,
    } as const
    const job = (stalled: boolean): JobSnapshot => ({ ...flashJob, targets: [{ ...target, stalled }] })
    const fake = await openSheet({ ...fullTopics, jobs: [job(false)] })
    expect(screen.queryByText(/does not answer/)).toBeNull()
    await change(() => fake.set('jobs', [job(true)]))
    expect(screen.getByText(/does not answer/)).toBeTruthy()
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
    expect(statusWords()).toContain('the stick holds no usable disk')
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

  it('writes several drives, each after its own name was typed', async () => {
    const fake = await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    await chooseIn(DRIVES, mountedDrive.name)
    expect(chosenDrives()).toHaveLength(2)
    expect(isEnabled('Erase and write 2 drives')).toBe(false)
    const card = (name: string): HTMLElement => screen.getByRole('region', { name: new RegExp(`^${name},`) })
    const typeFor = (name: string, text: string): Promise<void> =>
      change(() => {
        const field = within(card(name)).getByRole('textbox', { name: /type the drive’s name/ })
        fireEvent.change(field, { target: { value: text } })
      })
    await change(() =>
      within(card(mountedDrive.name))
        .getByRole('checkbox', { name: /Unmount/ })
        .click(),
    )
    await typeFor(freeDrive.name, freeDrive.name)
    await typeFor(mountedDrive.name, freeDrive.name)
    expect(isEnabled('Erase and write 2 drives')).toBe(false)
    await typeFor(mountedDrive.name, mountedDrive.name)
    await press('Erase and write 2 drives')
    expect(fake.inputsOf('flashDisk')[0]?.targets).toEqual([
      { driveKey: freeDrive.key, confirmation: freeDrive.name, unmount: false, expert: null },
      { driveKey: mountedDrive.key, confirmation: mountedDrive.name, unmount: true, expert: null },
    ])
  })

  it('forgets what was typed for a drive that is chosen again', async () => {
    await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    await chooseIn(DRIVES, freeDrive.name)
    expect(chosenDrives()).toHaveLength(0)
    await chooseIn(DRIVES, freeDrive.name)
    expect(isEnabled('Erase and write')).toBe(false)
  })

  it('shows built-in drives under the expert setting alone, and asks for their device name too', async () => {
    const fake = await openSheet({ ...fullTopics, drives: [freeDrive, builtInDrive, systemDrive] })
    const names = (): number => screen.queryAllByText(builtInDrive.name).length
    expect(names()).toBe(0)
    await chooseIn(DRIVES, freeDrive.name)
    await change(() => screen.getByRole('checkbox', { name: /^Expert/ }).click())
    expect(chosenDrives()).toHaveLength(0)
    expect(screen.queryByText(/nothing is chosen any more/)).toBeNull()
    expect(names()).toBe(1)
    await chooseIn(DRIVES, systemDrive.name)
    expect(chosenDrives()).toHaveLength(0)
    await chooseIn(DRIVES, builtInDrive.name)
    await type(builtInDrive.name)
    expect(isEnabled('Erase and write')).toBe(false)
    await change(() => {
      const again = screen.getByRole('textbox', { name: /type its device name/ })
      fireEvent.change(again, { target: { value: 'nvme1n1' } })
    })
    await press('Erase and write')
    expect(fake.inputsOf('flashDisk')[0]?.targets[0]).toMatchObject({ expert: 'nvme1n1' })
  })

  it('writes everything and ejects when asked to', async () => {
    const fake = await openSheet()
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    await change(() => screen.getByRole('checkbox', { name: /^Write everything/ }).click())
    await change(() => screen.getByRole('checkbox', { name: /^Eject/ }).click())
    await press('Erase and write')
    expect(fake.inputsOf('flashDisk')[0]).toMatchObject({ everything: true, eject: true })
  })

  it('follows each of several drives, and says of each how it ended', async () => {
    const state = { isBegun: true, fraction: 0.4, stalled: false, failure: null }
    const targets: JobTarget[] = [
      { name: 'SanDisk Ultra', device: '/dev/sdb', state: 'write', ...state },
      {
        ...{
          name: 'Kingston',
          device: '/dev/sdc',
          state: 'failed',
          isBegun: true,
          fraction: 0.1,
          stalled: false,
        },
        failure: { code: 'drive-gone', facts: { device: '/dev/sdc' } },
      },
    ]
    const job = { ...flashJob, targets } as JobSnapshot
    const fake = await openSheet({ ...fullTopics, jobs: [job] })
    const list = (): string[] =>
      within(screen.getByRole('list', { name: 'Drives' }))
        .getAllByRole('listitem')
        .map((item) => item.textContent)
    expect(list()[0]).toContain('Writing, 40%')
    expect(list()[1]).toContain('The drive /dev/sdc is no longer there.')
    const failure: Failure = { code: 'drives-failed', facts: { failed: ['/dev/sdc'], total: 2 } }
    const done = targets.map((target, index) =>
      index === 0 ? { ...target, state: 'done' as const } : target,
    )
    const stalled = targets.map((target) => ({ ...target, stalled: target.state === 'write' }))
    await change(() => fake.set('jobs', [{ ...job, targets: stalled }]))
    expect(statusWords()).toMatch(/^\/dev\/sdb does not answer\.[^/]*$/)
    const end: JobSnapshot = {
      ...{ id: job.id, kind: job.kind, title: job.title, startedAt: job.startedAt, diskId: job.diskId },
      ...{ targets: done, state: 'failed', endedAt: job.startedAt + 9000, failure },
    }
    await change(() => fake.set('jobs', [end]))
    expect(screen.getByRole('alert').textContent).toContain('1 of 2 drives could not be written')
    expect(list()[0]).toContain('Written and compared')
  })

  it.each([
    [true, 'The drive is blank at its beginning and holds no usable disk.'],
    [false, 'No disk was made, and nothing is left behind.'],
  ])('says what a failure leaves of a drive, begun or not: %s', async (isBegun, kept) => {
    const fake = await openSheet({ ...fullTopics, jobs: [flashJob] })
    const target = { name: 'SanDisk Ultra', device: '/dev/sdb', state: 'write', isBegun } as const
    const end: JobSnapshot = {
      ...ended(flashJob, 'cancelled'),
      ...{ state: 'failed', failure: { code: 'engine-lost', facts: { detail: 'socket hang up' } } },
      targets: [{ ...target, fraction: 0.4, stalled: false, failure: null }],
    } as JobSnapshot
    await change(() => fake.set('jobs', [end]))
    expect(screen.getByRole('alert').textContent).toContain(kept)
    await press('Close')
    await press('What to do')
    expect(screen.getByRole('alert').textContent).toContain(kept)
  })

  it('writes an image file that the main process opened', async () => {
    const fake = await openWindow(fullTopics)
    await press('Write an image file…')
    expect(screen.getByRole('heading', { name: 'Write other.img.xz to a stick' })).toBeTruthy()
    expect(chosenDrives()).toHaveLength(0)
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    await press('Erase and write')
    expect(fake.inputsOf('flashDisk')[0]?.source).toEqual({ kind: 'file', id: 'file-1' })
  })
})

describe('an image that is written to a stick directly', () => {
  async function openImage(): Promise<FakeApi> {
    const fake = await openWindow(fullTopics)
    await chooseIn('Images', 'my-machine:latest')
    await press('Write to a stick directly…')
    return fake
  }

  it('is confirmed as any other write, and asks for no file', async () => {
    const fake = await openImage()
    const sheet = screen.getByRole('dialog', { name: 'Write my-machine:latest to a stick' })
    expect(sheet.textContent).toContain('no file is made')
    expect(chosenDrives()).toHaveLength(0)
    await chooseIn(DRIVES, freeDrive.name)
    expect(screen.queryByRole('checkbox', { name: /Write everything/ })).toBeNull()
    expect(isEnabled('Erase and write')).toBe(false)
    await type('SanDisk Ultra')
    await press('Erase and write')
    expect(fake.inputsOf('buildDisk')).toEqual([])
    expect(fake.inputsOf('flashDisk')).toMatchObject([
      {
        source: { kind: 'image', settings: { engine: 'direct', sizeBytes: null, format: 'raw' } },
        targets: [{ driveKey: freeDrive.key, confirmation: 'SanDisk Ultra', unmount: false, expert: null }],
      },
    ])
    await change(() => fake.set('jobs', [flashJob]))
    expect(screen.getByRole('dialog', { name: 'Writing my-machine:latest' })).toBeTruthy()
  })

  it('knows beforehand a drive on which there is no room', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('estimateBuild', {
      ok: true,
      value: {
        neededBytes: freeDrive.sizeBytes + 1,
        defaultBytes: freeDrive.sizeBytes + 2,
        outputPath: '/x',
      },
    })
    await chooseIn('Images', 'my-machine:latest')
    await press('Write to a stick directly…')
    const drive = entryOf(DRIVES, freeDrive.name)
    expect(drive.getAttribute('aria-disabled')).toBe('true')
    expect(drive.textContent).toContain('smaller than the disk')
  })

  it('cannot be begun while the image lacks what boots', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('inspectImage', { ok: true, value: { ...applicationFacts, recipe: null } })
    await chooseIn('Images', 'tiny-app:latest')
    expect(isEnabled('Write to a stick directly…')).toBe(false)
  })
})

describe('a system on which writing was never proven', () => {
  it('is said on the sheet (macOS)', async () => {
    await openSheet({ ...fullTopics, host: { ...host, platform: 'darwin' } })
    const sheet = screen.getByRole('dialog', { name: /^Write my-machine/ })
    expect(sheet.textContent).toContain('Writing drives on macOS is not yet proven on hardware')
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    expect(isEnabled('Erase and write')).toBe(true)
  })

  it('is said on the sheet, and nothing is written where it cannot be (Windows)', async () => {
    await openSheet({ ...fullTopics, host: { ...host, platform: 'win32' } })
    const sheet = screen.getByRole('dialog', { name: /^Write my-machine/ })
    expect(sheet.textContent).toContain('on Windows are not yet proven on hardware')
    await chooseIn(DRIVES, freeDrive.name)
    await type('SanDisk Ultra')
    expect(isEnabled('Erase and write')).toBe(false)
  })

  it('is not Linux', async () => {
    await openSheet()
    expect(screen.queryByText(/not yet proven on hardware/)).toBeNull()
  })
})
