import { expect, test } from 'vitest'
import { readForwards } from '../../src/main/preview/ports'
import { keysFor, typeText } from '../../src/main/preview/typing'

test('every printable character of ASCII has its keys, and line ends of all systems are Enter', () => {
  const printable = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join('')
  const pressed = keysFor(printable)
  expect(pressed.ok && pressed.value).toHaveLength(95)
  expect(new Set(pressed.ok ? pressed.value.map((keys) => keys.join('+')) : []).size).toBe(95)
  expect(keysFor('aA1!\r\n\r\n\t')).toEqual({
    ok: true,
    value: [['a'], ['shift', 'a'], ['1'], ['shift', '1'], ['ret'], ['ret'], ['tab']],
  })
})

const never = new AbortController().signal

test('a text that a US keyboard cannot type is refused before its first key', async () => {
  const sent: string[] = []
  const execute = (command: string): Promise<{ ok: true; value: unknown }> => {
    sent.push(command)
    return Promise.resolve({ ok: true, value: {} })
  }
  expect(await typeText({ execute }, 'abcé', never)).toMatchObject({
    ok: false,
    failure: { code: 'not-supported', facts: { what: 'typing “é”, which a US keyboard does not have' } },
  })
  expect(await typeText({ execute }, 'a'.repeat(2001), never)).toMatchObject({ ok: false })
  expect(sent).toEqual([])
  expect(await typeText({ execute }, 'ab', never)).toEqual({ ok: true, value: null })
  expect(sent).toEqual(['send-key', 'send-key'])
})

test('typing ends when it is stopped', async () => {
  const abort = new AbortController()
  let sent = 0
  const execute = (): Promise<{ ok: true; value: unknown }> => {
    if (++sent === 3) abort.abort()
    return Promise.resolve({ ok: true, value: {} })
  }
  expect(await typeText({ execute }, 'a'.repeat(50), abort.signal)).toEqual({ ok: true, value: null })
  expect(sent).toBe(3)
})

test('the ports that QEMU chose', () => {
  // As QEMU 7.2 prints it: a forwarded port, one that is connected, and another protocol.
  const text = [
    'Hub -1 (network):',
    '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ',
    '  TCP[HOST_FORWARD]  14       127.0.0.1 34567       10.0.2.15    80     0     0',
    '  TCP[ESTABLISHED]   15       127.0.0.1 34567       10.0.2.15    80     0     0',
    '  UDP[236 sec]       16       10.0.2.15 68             0.0.0.0    67     0     0',
    '  TCP[HOST_FORWARD]  17       127.0.0.1  2222       10.0.2.15    22     0     0',
  ].join('\r\n')
  expect(readForwards(text)).toEqual([
    { hostPort: 34567, guestPort: 80 },
    { hostPort: 2222, guestPort: 22 },
  ])
})
