/** Lines that are kept; older ones go. */
const KEPT_LINES = 4000

/** The text of a serial console: finished lines and the line that the cursor is in. */
export interface SerialText {
  lines: string[]
  line: string
  /** Position of the next character in `line`. */
  column: number
}

/**
 * A plain text console, not a terminal: it follows carriage return, line
 * feed, backspace, tab, and of the control sequences (ECMA-48) erasing in the
 * line and in the display, and moving in the line. Colours and all other
 * sequences are taken out. Programs that use the whole screen look wrong in it.
 */
export function createSerialText(): { write: (text: string) => void; text: () => SerialText } {
  const lines: string[] = []
  let line = ''
  let column = 0
  /** What was received of a control sequence that is not complete, or null outside of one. */
  let sequence: string | null = null

  function put(character: string): void {
    line = line.padEnd(column).slice(0, column) + character + line.slice(column + 1)
    column++
  }

  function control(final: string, parameters: string): void {
    const number = Number.parseInt(parameters, 10)
    const count = Number.isNaN(number) ? 1 : number
    if (final === 'K') {
      if (parameters === '2') line = ''
      else if (parameters === '1') line = ' '.repeat(column) + line.slice(column)
      else line = line.slice(0, column)
    } else if (final === 'J' && parameters !== '' && parameters !== '0') {
      lines.length = 0
      line = ''
      column = 0
    } else if (final === 'J') line = line.slice(0, column)
    else if (final === 'C') column += count
    else if (final === 'D') column = Math.max(0, column - count)
    else if (final === 'G') column = Math.max(0, count - 1)
    else if (final === 'P') line = line.slice(0, column) + line.slice(column + count)
  }

  /** Takes one character of an escape sequence; answers whether the sequence goes on. */
  function inSequence(soFar: string, character: string): string | null {
    if (soFar === '') return '[]()#'.includes(character) ? character : null
    if (soFar === '(' || soFar === ')' || soFar === '#') return null
    if (soFar.startsWith(']')) {
      // An operating system command ends with BEL, or ESC and a backslash.
      return character === '\u0007' || character === '\\' ? null : soFar + character
    }
    if (character < '@' || character > '~') return soFar + character
    control(character, soFar.slice(1))
    return null
  }

  function write(text: string): void {
    for (const character of text) {
      if (sequence !== null) sequence = inSequence(sequence, character)
      else if (character === '\u001b') sequence = ''
      else if (character === '\n') {
        lines.push(line)
        line = ''
        column = 0
        if (lines.length > KEPT_LINES) lines.splice(0, lines.length - KEPT_LINES)
      } else if (character === '\r') column = 0
      else if (character === '\b') column = Math.max(0, column - 1)
      else if (character === '\t') column = (Math.floor(column / 8) + 1) * 8
      else if (character >= ' ' && character !== '\u007f') put(character)
    }
  }

  return { write, text: () => ({ lines: [...lines], line, column }) }
}

const keySequences: Record<string, string> = {
  Enter: '\r',
  Backspace: '\u007f',
  Escape: '\u001b',
  ArrowUp: '\u001b[A',
  ArrowDown: '\u001b[B',
  ArrowRight: '\u001b[C',
  ArrowLeft: '\u001b[D',
  Home: '\u001b[H',
  End: '\u001b[F',
  Delete: '\u001b[3~',
  Tab: '\t',
}

/**
 * What a key sends to the console, or null when the key is not for it (then
 * the text field's own input is sent, which covers dead keys and input methods).
 */
export function keySequence(event: {
  key: string
  ctrlKey: boolean
  altKey: boolean
  metaKey: boolean
  shiftKey: boolean
}): string | null {
  if (event.metaKey || event.altKey) return null
  if (event.ctrlKey) {
    const code = event.key.toUpperCase().charCodeAt(0)
    // Ctrl and Shift together stay the window's own, for copy and paste.
    return event.key.length === 1 && !event.shiftKey && code >= 64 && code < 96
      ? String.fromCharCode(code - 64)
      : null
  }
  if (event.key === 'Tab' && event.shiftKey) return null
  return keySequences[event.key] ?? null
}
