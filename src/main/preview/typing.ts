import { fail, ok, type Result } from '../../shared/failure'
import type { QmpClient } from './qmp'

/** Characters that are typed at most: at this pace two minutes. */
const CHARACTERS_LIMIT = 2000
/** Milliseconds that a key is down, and between two keys: a PS/2 keyboard holds sixteen codes until the guest reads them. */
const KEY_HOLD = 20
const KEY_PAUSE = 60

/** Keys of a US keyboard whose name is not their character (QEMU's QKeyCode), plain and with Shift. */
const keys: readonly (readonly [key: string, plain: string, shifted: string])[] = [
  ['ret', '\n', ''],
  ['tab', '\t', ''],
  ['spc', ' ', ''],
  ['grave_accent', '`', '~'],
  ['1', '1', '!'],
  ['2', '2', '@'],
  ['3', '3', '#'],
  ['4', '4', '$'],
  ['5', '5', '%'],
  ['6', '6', '^'],
  ['7', '7', '&'],
  ['8', '8', '*'],
  ['9', '9', '('],
  ['0', '0', ')'],
  ['minus', '-', '_'],
  ['equal', '=', '+'],
  ['bracket_left', '[', '{'],
  ['bracket_right', ']', '}'],
  ['backslash', '\\', '|'],
  ['semicolon', ';', ':'],
  ['apostrophe', "'", '"'],
  ['comma', ',', '<'],
  ['dot', '.', '>'],
  ['slash', '/', '?'],
  ...Array.from('abcdefghijklmnopqrstuvwxyz', (letter) => [letter, letter, letter.toUpperCase()] as const),
]

const strokes = new Map<string, string[]>(
  keys.flatMap(([key, plain, shifted]): [string, string[]][] => [
    [plain, [key]],
    ...(shifted === '' ? [] : ([[shifted, ['shift', key]]] as [string, string[]][])),
  ]),
)

/**
 * The keys for a text on a US keyboard, which is what a machine believes to
 * have until it is told otherwise. Line ends of all systems are Enter.
 * @returns for each character the keys pressed together; `not-supported` when a character has none, or when there are too many
 */
export function keysFor(text: string): Result<string[][]> {
  const characters = Array.from(text.replace(/\r\n?/g, '\n'))
  if (characters.length > CHARACTERS_LIMIT) {
    return fail('not-supported', { what: `typing more than ${CHARACTERS_LIMIT} characters at once` })
  }
  const pressed: string[][] = []
  for (const character of characters) {
    const together = strokes.get(character)
    if (together === undefined) {
      return fail('not-supported', { what: `typing “${character}”, which a US keyboard does not have` })
    }
    pressed.push(together)
  }
  return ok(pressed)
}

/**
 * Types a text into a machine, as fast as a slow one follows.
 * @param qmp control of the machine
 * @param signal its abort ends the typing after the key that is down; what was typed before stays
 * @returns when the last key was pressed; `not-supported` before the first, or `preview-failed` when QEMU ends meanwhile
 */
export async function typeText(
  qmp: Pick<QmpClient, 'execute'>,
  text: string,
  signal: AbortSignal,
): Promise<Result<null>> {
  const pressed = keysFor(text)
  if (!pressed.ok) return pressed
  for (const together of pressed.value) {
    if (signal.aborted) return ok(null)
    const sent = await qmp.execute('send-key', {
      keys: together.map((data) => ({ type: 'qcode', data })),
      'hold-time': KEY_HOLD,
    })
    if (!sent.ok) return sent
    await new Promise((resolve) => setTimeout(resolve, KEY_PAUSE))
  }
  return ok(null)
}
