import { fireEvent, screen } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import { createSerialText, keySequence } from '../../src/renderer/features/preview/serial-text'
import { portChannel } from '../../src/renderer/features/preview/port-channel'
import { change, chooseIn, isEnabled, openWindow, press } from './support/open-window'
import { ended, fullTopics, previewJob } from './support/samples'

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
      const output = screen.getByRole('log', { name: 'Output of the serial console' })
      await waitFor(() => output.textContent.includes('my-machine login: '))
      const input = screen.getByRole('textbox', { name: 'Type into the serial console' })
      await change(() => {
        fireEvent.input(input, { target: { value: 'root' } })
        fireEvent.keyDown(input, { key: 'Enter' })
        fireEvent.keyDown(input, { key: 'c', ctrlKey: true })
      })
      await waitFor(() => typed.join('') === 'root\r\u0003')
      port.close()
    },
  )

  it('powers off and stops by its own id', async () => {
    const { fake, port } = await openPreview()
    await press('Power off')
    expect(fake.inputsOf('powerDownPreview')).toEqual([{ previewId: 'machine-1' }])
    await change(() => screen.getAllByRole('button', { name: 'Stop' })[0]?.click())
    expect(fake.inputsOf('stopPreview')).toEqual([{ previewId: 'machine-1' }])
    await change(() => fake.set('jobs', [ended(previewJob, 'succeeded')]))
    expect(screen.getByRole('main').textContent).toContain('The machine is off.')
    expect(isEnabled('Start again')).toBe(true)
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
    expect(screen.getByRole('log', { name: 'Output of the serial console' }).textContent.trim()).toBe('')
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

describe('the text of a serial console', () => {
  function shown(input: string): string {
    const console = createSerialText()
    console.write(input)
    const { lines, line } = console.text()
    return [...lines, line].join('\n')
  }

  it.each([
    ['lines', 'a\r\nb', 'a\nb'],
    ['a line that is written over', '10%\r20%', '20%'],
    ['backspace as a terminal echoes it', 'rox\b \bot', 'root'],
    ['colours taken out', '[\u001b[0;32m  OK  \u001b[0m] Started', '[  OK  ] Started'],
    ['the rest of a line erased', 'abcdef\r\u001b[3C\u001b[K', 'abc'],
    ['a screen erased', 'before\r\n\u001b[2Jafter', 'after'],
    ['a title taken out', '\u001b]0;root@machine\u0007# ', '# '],
    ['a character set taken out', '\u001b(Bx', 'x'],
    ['tabs to the next eighth', 'a\tb', 'a       b'],
  ])('%s', (_, input, expected) => {
    expect(shown(input)).toBe(expected)
  })

  it('follows a sequence that comes in two pieces', () => {
    const console = createSerialText()
    console.write('a\u001b[0;3')
    console.write('1mb')
    expect(console.text().line).toBe('ab')
  })

  it('keeps the last four thousand lines', () => {
    const console = createSerialText()
    for (let line = 0; line < 4100; line++) console.write(`${line}\r\n`)
    expect(console.text().lines).toHaveLength(4000)
    expect(console.text().lines[0]).toBe('100')
  })

  const plain = { ctrlKey: false, altKey: false, metaKey: false, shiftKey: false }
  it.each([
    ['Enter', plain, '\r'],
    ['ArrowUp', plain, '\u001b[A'],
    ['Tab', plain, '\t'],
    ['Tab', { ...plain, shiftKey: true }, null],
    ['d', { ...plain, ctrlKey: true }, '\u0004'],
    ['C', { ...plain, ctrlKey: true, shiftKey: true }, null],
    ['é', plain, null],
  ])('the key %s with %o', (key, modifiers, expected) => {
    expect(keySequence({ key, ...modifiers })).toBe(expected)
  })
})
