import { fireEvent, screen, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import type { ListedDisk } from '../../src/shared/ipc/contract'
import { portChannel } from '../../src/renderer/features/preview/port-channel'
import { change, chooseIn, isEnabled, openWindow, press } from './support/open-window'
import { ended, fullTopics, host, previewJob, previewState, unprovenDisk } from './support/samples'

async function handOnPort(port: MessagePort, source: Window | null = window): Promise<void> {
  // As the preload does it.
  await change(() => {
    window.dispatchEvent(
      new MessageEvent('message', {
        source,
        data: { channel: 'slipway:preview-port', previewId: 'machine-1', stream: 'serial' },
        ports: [port],
      }),
    )
  })
}

/** Starts the preview of a disk, as the main process tells of it, and answers the machine's end of its serial console. */
async function openPreview() {
  const fake = await openWindow(fullTopics)
  const { port1, port2 } = new MessageChannel()
  const typed: string[] = []
  port1.onmessage = (event) => typed.push(new TextDecoder().decode(event.data as Uint8Array))
  await chooseIn('Disks', 'my-machine.img')
  await press('Preview')
  await change(() => fake.set('jobs', [previewJob]))
  await change(() => fake.set('previews', [previewState]))
  await handOnPort(port2)
  return { fake, port: port1, typed }
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !condition(); tries++) {
    await change(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(condition()).toBe(true)
}

describe('the preview', () => {
  it('starts when its page is opened, once, and goes on while other pages are shown', async () => {
    const { fake, port } = await openPreview()
    await chooseIn('Drives', 'SanDisk Ultra')
    await press('Show preview')
    expect(fake.inputsOf('startPreview')).toEqual([
      {
        diskId: 'disk-machine',
        choice: {
          firmware: 'bios',
          attachment: 'usb',
          memoryBytes: 2 ** 30,
          processors: 2,
          keepChanges: false,
        },
      },
    ])
    expect(screen.getByRole('tab', { name: 'Screen', selected: true })).toBeTruthy()
    port.close()
  })

  it('carries the serial console both ways', async () => {
    const { port, typed } = await openPreview()
    await change(() => screen.getByRole('tab', { name: 'Serial console' }).click())
    port.postMessage(new TextEncoder().encode('\u001b[0;32mmy-machine\u001b[0m login: '))
    const console = screen.getByRole('group', { name: 'Serial console of the machine' })
    await waitFor(() => console.textContent.includes('my-machine login:'))
    const input = within(console).getByRole('textbox', { name: 'Terminal input' })
    await change(() => {
      fireEvent.keyDown(input, { key: 'Enter', keyCode: 13 })
      fireEvent.keyDown(input, { key: 'c', keyCode: 67, ctrlKey: true })
    })
    await waitFor(() => typed.join('') === '\r\u0003')
    port.close()
  })

  it('of a window that was loaded anew is found, with its screen and console, and not started again', async () => {
    const fake = await openWindow({ ...fullTopics, jobs: [previewJob], previews: [previewState] })
    expect(fake.inputsOf('attachPreview')).toEqual([{ previewId: 'machine-1' }])
    const { port1, port2 } = new MessageChannel()
    await handOnPort(port2)
    await chooseIn('Disks', 'my-machine.img')
    await change(() => screen.getAllByRole('button', { name: 'Show preview' })[0]?.click())
    await change(() => screen.getByRole('tab', { name: 'Serial console' }).click())
    port1.postMessage(new TextEncoder().encode('still here'))
    const console = screen.getByRole('group', { name: 'Serial console of the machine' })
    await waitFor(() => console.textContent.includes('still here'))
    expect(fake.inputsOf('startPreview')).toEqual([])
    // Each change of the machine's state is no new machine.
    await change(() => fake.set('previews', [{ ...previewState, outcome: 'login' }]))
    expect(fake.inputsOf('attachPreview')).toHaveLength(1)
    port1.close()
  })

  it('powers off and stops by its own id', async () => {
    const { fake, port } = await openPreview()
    await press('Power button')
    expect(fake.inputsOf('powerDownPreview')).toEqual([{ previewId: 'machine-1' }])
    await change(() => screen.getByRole('button', { name: 'Force off' }).click())
    expect(fake.inputsOf('stopPreview')).toEqual([{ previewId: 'machine-1' }])
    await change(() => fake.set('jobs', [ended(previewJob, 'succeeded')]))
    expect(screen.getByRole('main').textContent).toContain('The machine is off.')
    expect(isEnabled('Start again')).toBe(true)
    port.close()
  })

  it('resets, and saves a picture', async () => {
    const { fake, port } = await openPreview()
    await press('Reset')
    expect(fake.inputsOf('resetPreview')).toEqual([{ previewId: 'machine-1' }])
    await press('Picture…')
    expect(screen.getByText('Saved /home/ada/screen.png')).toBeTruthy()
    port.close()
  })

  it('types the clipboard where the person looks, and stops when told to', async () => {
    const { fake, port } = await openPreview()
    await press('Type the clipboard')
    await change(() => screen.getByRole('tab', { name: 'Serial console' }).click())
    await press('Type the clipboard')
    expect(fake.inputsOf('pasteIntoPreview')).toEqual([
      { previewId: 'machine-1', place: 'screen' },
      { previewId: 'machine-1', place: 'serial' },
    ])
    // Keys that are pressed together are the screen's.
    expect(screen.queryByRole('button', { name: 'Keys' })).toBeNull()
    await change(() => screen.getByRole('tab', { name: 'Screen' }).click())
    let typed: (answer: { ok: true; value: null }) => void = () => undefined
    fake.answer('pasteIntoPreview', new Promise((resolve) => (typed = resolve)))
    await press('Type the clipboard')
    await press('Stop typing')
    expect(fake.inputsOf('stopPastingIntoPreview')).toEqual([{ previewId: 'machine-1' }])
    await change(() => typed({ ok: true, value: null }))
    expect(isEnabled('Type the clipboard')).toBe(true)
    port.close()
  })

  it('fills the screen, and goes back to its page when the window does, by whichever wish', async () => {
    const { fake, port } = await openPreview()
    await press('Full screen')
    expect(fake.inputsOf('setFullScreen')).toEqual([{ isFull: true }])
    await change(() => fake.set('fullScreen', true))
    await press('Leave full screen')
    expect(fake.inputsOf('setFullScreen')).toEqual([{ isFull: true }, { isFull: false }])
    await change(() => fake.set('fullScreen', false))
    await press('Full screen')
    await change(() => fake.set('fullScreen', true))
    // The menu or the system's own keys.
    await change(() => fake.set('fullScreen', false))
    expect(isEnabled('Full screen')).toBe(true)
    await chooseIn('Drives', 'SanDisk Ultra')
    expect(fake.inputsOf('setFullScreen')).toHaveLength(3)
    port.close()
  })

  it('leaves a window full that was full before it', async () => {
    const { fake, port } = await openPreview()
    await change(() => fake.set('fullScreen', true))
    await press('Full screen')
    await chooseIn('Drives', 'SanDisk Ultra')
    expect(fake.inputsOf('setFullScreen')).toEqual([])
    port.close()
  })

  it('says that an accelerator failed, which one and why', async () => {
    const { fake, port } = await openPreview()
    const fallback = { from: 'kvm', detail: 'the machine stopped with an internal error' }
    await change(() => fake.set('previews', [{ ...previewState, fallback }]))
    expect(screen.getByRole('main').textContent).toContain(
      'KVM did not work on this computer, so the machine was started again without it, which is slower: the machine stopped with an internal error.',
    )
    port.close()
  })

  it('opens a web server of the machine by its port alone, and only when one answers', async () => {
    const { fake, port } = await openPreview()
    const ports = [{ guestPort: 80, hostPort: 43_210, answer: null }]
    await change(() => fake.set('previews', [{ ...previewState, ports }]))
    expect(screen.getByText('Port 80: nothing answers yet')).toBeTruthy()
    await change(() =>
      fake.set('previews', [
        { ...previewState, ports: [{ guestPort: 80, hostPort: 43_210, answer: 'http' }] },
      ]),
    )
    await press('Open http://127.0.0.1:43210 (port 80)')
    expect(fake.inputsOf('openPreviewPort')).toEqual([{ previewId: 'machine-1', guestPort: 80 }])
    port.close()
  })

  it('says what runs it and what the boot came to', async () => {
    const { fake, port } = await openPreview()
    await change(() => fake.set('previews', [{ ...previewState, outcome: 'login' }]))
    expect(screen.getByRole('main').textContent).toContain(
      'Running under BIOS, emulated: it came to a login. The file stays as it was built.',
    )
    port.close()
  })

  it('starts another machine when one was chosen, and says that it keeps the changes', async () => {
    const { fake, port } = await openPreview()
    await press('Machine…')
    const sheet = screen.getByRole('dialog')
    await change(() => within(sheet).getByRole('radio', { name: 'UEFI with Secure Boot' }).click())
    await change(() => within(sheet).getByRole('radio', { name: 'NVMe drive' }).click())
    await change(() =>
      within(sheet)
        .getByRole('checkbox', { name: /Keep the changes/ })
        .click(),
    )
    await press('Stop, and start this one')
    expect(fake.inputsOf('stopPreview')).toEqual([{ previewId: 'machine-1' }])
    expect(fake.inputsOf('startPreview').at(-1)).toEqual({
      diskId: 'disk-machine',
      choice: {
        firmware: 'secure-boot',
        attachment: 'nvme',
        memoryBytes: 2 ** 30,
        processors: 2,
        keepChanges: true,
      },
    })
    const { choice } = fake.inputsOf('startPreview').at(-1) ?? previewState
    await change(() => fake.set('previews', [{ ...previewState, previewId: 'machine-2', choice }]))
    expect(fake.inputsOf('attachPreview').at(-1)).toEqual({ previewId: 'machine-2' })
    expect(screen.getByRole('main').textContent).toContain('Its changes are kept in the file.')
    port.close()
  })

  it('of which another page asked is not started twice, and what is stopped is the one that starts', async () => {
    const before = { ...previewState, previewId: 'machine-0', jobId: 'preview-0' }
    const fake = await openWindow({ ...fullTopics, previews: [before] })
    await change(() => fake.set('previews', []))
    await change(() => fake.set('jobs', [previewJob]))
    await chooseIn('Disks', 'my-machine.img')
    await change(() => screen.getAllByRole('button', { name: 'Show preview' })[0]?.click())
    expect(fake.inputsOf('startPreview')).toEqual([])
    expect(isEnabled('Machine…')).toBe(false)
    await press('Force off')
    expect(fake.inputsOf('stopPreview')).toEqual([])
    expect(fake.inputsOf('cancelJob')).toEqual([{ jobId: 'preview-1' }])
    await change(() => fake.set('previews', [previewState]))
    expect(isEnabled('Machine…')).toBe(true)
  })

  it('says what failed last', async () => {
    const { fake, port } = await openPreview()
    const refuse = (detail: string) =>
      ({ ok: false, failure: { code: 'preview-failed', facts: { detail } } }) as const
    const told = (): string | null | undefined => screen.queryByRole('alert')?.textContent
    fake.answer('powerDownPreview', refuse('QEMU did not answer'))
    await press('Power button')
    expect(told()).toContain('QEMU did not answer')
    await press('Reset')
    expect(told()).toBeUndefined()
    await press('Power button')
    const { failure } = refuse('QEMU was ended by SIGKILL')
    const { id, kind, title, startedAt, diskId } = previewJob
    const failed = {
      id,
      kind,
      title,
      startedAt,
      diskId,
      state: 'failed',
      endedAt: startedAt,
      failure,
    } as const
    await change(() => fake.set('jobs', [failed]))
    expect(told()).toContain('QEMU was ended by SIGKILL')
    fake.answer('startPreview', { ok: false, failure: { code: 'busy', facts: { what: 'file:/a.img' } } })
    await press('Start again')
    expect(told()).toContain('Something is already being done with /a.img.')
    fake.answer('startPreview', { ok: true, value: { jobId: 'preview-2', previewId: 'machine-2' } })
    await press('Start again')
    await change(() => fake.set('jobs', [{ ...previewJob, id: 'preview-2' }]))
    await change(() =>
      fake.set('previews', [{ ...previewState, jobId: 'preview-2', previewId: 'machine-2' }]),
    )
    expect(told()).toBeUndefined()
    port.close()
  })

  it('offers an arm64 disk what boots there, and says why the rest does not', async () => {
    const arm: ListedDisk = { ...unprovenDisk, architecture: 'arm64', firmware: ['uefi'] }
    const firmware: typeof host.qemu.firmware = { amd64: ['bios'], arm64: ['uefi', 'secure-boot'] }
    await openWindow({ ...fullTopics, disks: [arm], host: { ...host, qemu: { ...host.qemu, firmware } } })
    await chooseIn('Disks', 'my-machine.img')
    await press('Preview')
    await press('Machine…')
    const sheet = within(screen.getByRole('dialog'))
    const isOffered = (name: string): boolean =>
      !sheet.getByRole<HTMLInputElement>('radio', { name }).disabled
    expect(['BIOS', 'UEFI', 'UEFI with Secure Boot'].map(isOffered)).toEqual([false, true, true])
    expect(['USB stick', 'SATA drive', 'NVMe drive', 'virtio disk'].map(isOffered)).toEqual([
      true,
      false,
      true,
      true,
    ])
    expect(sheet.getByText('There is none for arm64.')).toBeTruthy()
    expect(sheet.getByText('The firmware of arm64 machines here finds nothing on one.')).toBeTruthy()
  })

  it('says why it could not be started', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('startPreview', {
      ok: false,
      failure: { code: 'tool-missing', facts: { tool: 'qemu-system-x86_64', package: 'qemu-system-x86' } },
    })
    await chooseIn('Disks', 'my-machine.img')
    await press('Preview')
    expect(screen.getByRole('alert').textContent).toContain(
      'The program qemu-system-x86_64 is not installed.',
    )
    await press('How to install QEMU')
    expect(fake.inputsOf('openHelp')).toEqual([{ page: 'qemu-install' }])
  })

  it('takes no port from another window', async () => {
    const fake = await openWindow(fullTopics)
    const { port1, port2 } = new MessageChannel()
    await chooseIn('Disks', 'my-machine.img')
    await press('Preview')
    await change(() => fake.set('jobs', [previewJob]))
    await change(() => fake.set('previews', [previewState]))
    await handOnPort(port2, null)
    await change(() => screen.getByRole('tab', { name: 'Serial console' }).click())
    port1.postMessage(new TextEncoder().encode('not for you'))
    await new Promise((resolve) => setTimeout(resolve, 120))
    await change(() => undefined)
    const console = screen.getByRole('group', { name: 'Serial console of the machine' })
    expect(console.textContent).not.toContain('not for you')
    expect(screen.getByText(/Nothing came from the serial console yet/)).toBeTruthy()
    port1.close()
    port2.close()
  })
})

describe('the channel that noVNC is given', () => {
  it('keeps bytes that came before it listened, and copies what it sends', async () => {
    const { port1, port2 } = new MessageChannel()
    port1.postMessage(new Uint8Array([82, 70, 66]))
    const channel = portChannel(port2)
    const received: number[] = []
    channel.onmessage = ({ data }) => received.push(...new Uint8Array(data))
    await waitFor(() => received.length === 3)
    const sent: Uint8Array[] = []
    port1.onmessage = (event) => sent.push(event.data as Uint8Array)
    const buffer = new Uint8Array(1024)
    buffer.set([1, 2, 3])
    channel.send(buffer.subarray(0, 3))
    buffer.fill(9)
    await waitFor(() => sent.length === 1)
    expect([...(sent[0] ?? [])]).toEqual([1, 2, 3])
    expect(sent[0]?.buffer.byteLength).toBe(3)
    channel.close()
    expect(channel.readyState).toBe('closed')
    port1.close()
  })
})
