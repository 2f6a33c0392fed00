import { fireEvent, screen, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { portChannel } from '../../src/renderer/features/preview/port-channel'
import { change, chooseIn, isEnabled, openWindow, press } from './support/open-window'
import { ended, fullTopics, previewJob, previewState } from './support/samples'

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

async function openPreview(portsComeFirst = true) {
  const fake = await openWindow(fullTopics)
  const { port1, port2 } = new MessageChannel()
  const typed: string[] = []
  port1.onmessage = (event) => typed.push(new TextDecoder().decode(event.data as Uint8Array))
  await chooseIn('Disks', 'my-machine.img')
  if (portsComeFirst) await handOnPort(port2)
  await press('Preview')
  if (!portsComeFirst) await handOnPort(port2)
  await change(() => fake.set('jobs', [previewJob]))
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

  it.each([
    ['before', true],
    ['after', false],
  ])(
    'carries the serial console both ways, with ports that come %s the answer',
    async (_, portsComeFirst) => {
      const { port, typed } = await openPreview(portsComeFirst)
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
    },
  )

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

  it('resets, types the clipboard, saves a picture and fills the screen', async () => {
    const { fake, port } = await openPreview()
    await press('Reset')
    expect(fake.inputsOf('resetPreview')).toEqual([{ previewId: 'machine-1' }])
    await press('Type the clipboard')
    expect(fake.inputsOf('pasteIntoPreview')).toEqual([{ previewId: 'machine-1' }])
    await press('Picture…')
    expect(screen.getByText('Saved /home/ada/screen.png')).toBeTruthy()
    await press('Full screen')
    expect(fake.inputsOf('setFullScreen')).toEqual([{ isFull: true }])
    await press('Leave full screen')
    expect(fake.inputsOf('setFullScreen')).toEqual([{ isFull: true }, { isFull: false }])
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
    expect(screen.getByRole('main').textContent).toContain('Its changes are kept in the file.')
    port.close()
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
    await handOnPort(port2, null)
    await press('Preview')
    await change(() => fake.set('jobs', [previewJob]))
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
