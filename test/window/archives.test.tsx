import { fireEvent, screen, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import type { ImageFacts, ImageSummary } from '../../src/shared/image'
import { change, chooseIn, entryOf, isEnabled, openWindow, press, settle } from './support/open-window'
import { applicationImage, engineStopped, fullTopics, images, machineFacts } from './support/samples'

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
