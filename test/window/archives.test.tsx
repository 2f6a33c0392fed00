import { fireEvent, screen, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import type { Result } from '../../src/shared/failure'
import type { ImageFacts, ImageSummary } from '../../src/shared/image'
import type { FakeApi } from './support/fake-api'
import { change, chooseIn, entryOf, isEnabled, openWindow, press, settle } from './support/open-window'
import {
  applicationImage,
  ended,
  engineStopped,
  fullTopics,
  images,
  machineFacts,
  openJob,
} from './support/samples'

const path = '/home/ada/Downloads/server.tar'
const archived: ImageSummary = {
  ...applicationImage,
  id: `file:0123456789abcdef:${applicationImage.id}`,
  names: ['server:3'],
  file: path,
}
const bootable: ImageFacts = { ...machineFacts, name: 'server:3', file: path, recipe: null }
const bare: ImageFacts = {
  ...bootable,
  kernel: null,
  initramfs: null,
  init: null,
  missing: ['kernel', 'initramfs', 'init'],
}
const openButton = 'Open archive…'

function drag(kind: 'dragOver' | 'drop', files: readonly File[]): Promise<void> {
  return change(() => {
    fireEvent[kind](document.body, { dataTransfer: { types: ['Files'], files } })
  })
}

describe('an archive', () => {
  it('is opened by the button, listed as a file, and shown', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('openArchive', { ok: true, value: [archived.id] })
    fake.answer('inspectImage', { ok: true, value: bootable })
    await change(() => fake.set('images', [archived, ...images]))
    await press(openButton)
    expect(fake.inputsOf('openArchive')).toEqual([null])
    expect(entryOf('Images', 'server:3').textContent).toContain('File, 124 MB')
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('server:3')
    expect(screen.getByText(new RegExp(`from the file ${path}`))).toBeTruthy()
    expect(isEnabled('Build disk')).toBe(true)
    await press('Build disk')
    expect(fake.inputsOf('buildDisk')).toMatchObject([
      { imageId: archived.id, settings: { preparation: null } },
    ])
    await press('Close file')
    expect(fake.inputsOf('closeArchive')).toEqual([{ imageId: archived.id }])
  })

  it('is opened by Ctrl+O, and nothing happens when the dialog is closed', async () => {
    const fake = await openWindow(fullTopics)
    await change(() => {
      fireEvent.keyDown(document.body, { key: 'o', ctrlKey: true })
    })
    expect(fake.inputsOf('openArchive')).toEqual([null])
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Choose an image')
  })

  it('is opened by dropping it anywhere on the window', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('openArchive', { ok: true, value: [archived.id] })
    fake.answer('inspectImage', { ok: true, value: bootable })
    const file = new File(['x'], 'server.tar')
    await drag('dragOver', [])
    expect(screen.getByText(/^Drop to open/)).toBeTruthy()
    await change(() => fake.set('images', [archived, ...images]))
    await drag('drop', [file])
    expect(screen.queryByText(/^Drop to open/)).toBeNull()
    expect(fake.dropped).toEqual([file])
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('server:3')
  })

  it('that cannot be used says why, and leaves the window as it was', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('openArchive', {
      ok: false,
      failure: { code: 'archive-invalid', facts: { path, reason: 'it holds no image' } },
    })
    await press(openButton)
    const sheet = screen.getByRole('dialog', { name: 'This file was not opened' })
    expect(sheet.textContent).toContain(`${path} cannot be used: it holds no image.`)
    await change(() => {
      within(sheet).getByRole('button', { name: 'Close' }).click()
    })
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Choose an image')
  })

  it('works without any engine', async () => {
    const fake = await openWindow({ ...fullTopics, engine: engineStopped, images: [] })
    expect(screen.getByText(/can be built without Docker/)).toBeTruthy()
    expect(screen.getAllByRole('button', { name: openButton })).toHaveLength(2)
    fake.answer('inspectImage', { ok: true, value: bootable })
    await change(() => fake.set('images', [archived]))
    await chooseIn('Images', 'server:3')
    await settle()
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('server:3')
    expect(isEnabled('Build disk')).toBe(true)
  })

  it('that lacks a kernel is not prepared, and says what to do instead', async () => {
    const fake = await openWindow({ ...fullTopics, images: [archived, ...images] })
    fake.answer('inspectImage', { ok: true, value: bare })
    await chooseIn('Images', 'server:3')
    expect(screen.getByText(/cannot prepare an image in a file.*docker load/)).toBeTruthy()
    expect(isEnabled('Build disk')).toBe(false)
    expect(fake.inputsOf('proposeDockerfile')).toEqual([])
  })
})

describe('an archive that is packed as a whole', () => {
  const foot = (): HTMLElement => screen.getByRole('contentinfo', { name: 'Work in progress' })

  /** Begins to open one, in a window that shows its unpacking. */
  async function openPacked(
    how: () => Promise<void>,
  ): Promise<{ fake: FakeApi; answer: (opened: Result<string[] | null>) => Promise<void> }> {
    const fake = await openWindow(fullTopics)
    let settleCall: (opened: Result<string[] | null>) => void = () => undefined
    fake.answer('openArchive', new Promise((resolve) => (settleCall = resolve)))
    await how()
    await change(() => fake.set('jobs', [openJob]))
    return { fake, answer: (opened) => change(() => settleCall(opened)) }
  }
  const byButton = (): Promise<void> => press(openButton)
  const byDropping = (): Promise<void> => drag('drop', [new File(['x'], 'server.tar.xz')])

  it('shows how much of it was read, says so once, and shows the image when it is there', async () => {
    const { fake, answer } = await openPacked(byButton)
    expect(isEnabled(openButton)).toBe(false)
    expect(foot().textContent).toMatch(/Unpacking the archive.*server\.tar\.xz.*31%.*12 MB\/s.*9 s left/)
    const bar = within(foot()).getByRole('progressbar', { name: 'Unpacking the archive, server.tar.xz' })
    expect(bar.getAttribute('aria-valuenow')).toBe('0.31')
    const announcement = within(foot()).getByRole('status')
    expect(announcement.textContent).toBe('server.tar.xz: Unpacking the archive')
    await change(() => fake.set('jobs', [{ ...openJob, fraction: 0.32 } as typeof openJob]))
    expect(bar.getAttribute('aria-valuenow')).toBe('0.32')
    expect(announcement.textContent).toBe('server.tar.xz: Unpacking the archive')
    fake.answer('inspectImage', { ok: true, value: bootable })
    await change(() => {
      fake.set('images', [archived, ...images])
      fake.set('jobs', [])
    })
    await answer({ ok: true, value: [archived.id] })
    expect(within(foot()).queryByRole('progressbar')).toBeNull()
    expect(isEnabled(openButton)).toBe(true)
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('server:3')
  })

  it.each([
    ['the button', byButton],
    ['dropping it', byDropping],
  ])('that was opened by %s is given up by Cancel, and the window is as it was', async (_name, how) => {
    const { fake, answer } = await openPacked(how)
    const listed = screen.getByRole('listbox', { name: 'Images' }).textContent
    await press('Cancel')
    expect(fake.inputsOf('cancelJob')).toEqual([{ jobId: 'open-1' }])
    await change(() => fake.set('jobs', [ended(openJob, 'cancelled')]))
    await answer({ ok: true, value: null })
    expect(foot().textContent).toContain('Cancelled, and cleaned up')
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Choose an image')
    expect(screen.getByRole('listbox', { name: 'Images' }).textContent).toBe(listed)
    expect(isEnabled(openButton)).toBe(true)
    await press('Dismiss')
    expect(fake.inputsOf('dismissJob')).toEqual([{ jobId: 'open-1' }])
  })

  it('that turns out broken says why, as any other', async () => {
    const { fake, answer } = await openPacked(byButton)
    await change(() => fake.set('jobs', []))
    await answer({
      ok: false,
      failure: {
        code: 'archive-no-room',
        facts: { path, folder: '/var/tmp', neededBytes: 9e9, freeBytes: 1e9 },
      },
    })
    expect(screen.getByRole('dialog', { name: 'This file was not opened' }).textContent).toContain('/var/tmp')
    expect(isEnabled(openButton)).toBe(true)
  })
})

describe('a disk that is dropped on the window', () => {
  const opened = { id: 'file-7', name: 'debian.iso', sizeBytes: 700_000_000, isSizeKnown: true }

  it('goes to the sheet that writes it, with nothing chosen', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('openImageFile', { ok: true, value: opened })
    const file = new File(['x'], 'debian.iso')
    await drag('drop', [file])
    expect(fake.dropped).toEqual([file])
    const sheet = screen.getByRole('dialog', { name: 'Write debian.iso to a stick' })
    expect(within(sheet).queryAllByRole('option', { selected: true })).toHaveLength(0)
    expect(isEnabled('Erase and write')).toBe(false)
  })

  it('that cannot be written says why', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('openImageFile', {
      ok: false,
      failure: { code: 'disk-not-bootable', facts: { path: '/home/ada/notes.img' } },
    })
    await drag('drop', [new File(['x'], 'notes.img')])
    expect(screen.getByRole('dialog', { name: 'This file was not opened' }).textContent).toContain(
      'notes.img',
    )
  })

  it('does not take the place of what is being confirmed', async () => {
    const fake = await openWindow(fullTopics)
    await chooseIn('Disks', 'my-machine.img')
    await press('Write to a stick…')
    fake.answer('openImageFile', { ok: true, value: opened })
    await drag('drop', [new File(['x'], 'debian.iso')])
    expect(screen.getByRole('dialog', { name: /^Write my-machine/ })).toBeTruthy()
  })
})
