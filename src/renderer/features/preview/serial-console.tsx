import { useEffect, useRef, useSyncExternalStore } from 'react'
import { keySequence } from './serial-text'
import type { PreviewSession } from './sessions'
import styles from './preview.module.css'

/** The machine's serial console as plain text; keys go to it as they are pressed. */
export function SerialConsole({ session }: { session: PreviewSession }) {
  const { serial } = session
  const { lines, line, column } = useSyncExternalStore(serial.subscribe, serial.text)
  const output = useRef<HTMLPreElement>(null)
  const input = useRef<HTMLTextAreaElement>(null)
  const followsEnd = useRef(true)
  useEffect(() => {
    if (followsEnd.current && output.current !== null) output.current.scrollTop = output.current.scrollHeight
  }, [lines, line])
  const current = line.padEnd(column + 1)
  const isEmpty = lines.length === 0 && line === ''
  return (
    <div className={styles.console}>
      <pre
        ref={output}
        className={styles.output}
        role="log"
        aria-label="Output of the serial console"
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          followsEnd.current = scrollHeight - scrollTop - clientHeight < 40
        }}
        onClick={() => {
          if (window.getSelection()?.isCollapsed === true) input.current?.focus()
        }}
      >
        {lines.map((text) => `${text}\n`).join('')}
        {current.slice(0, column)}
        <span className={styles.cursor}>{current.charAt(column)}</span>
        {current.slice(column + 1)}
      </pre>
      {isEmpty && (
        <p className={styles.quiet}>
          Nothing came from the serial console yet. A machine writes to it when its kernel is told to: give it
          the words console=tty0 console=ttyS0 under Kernel before the disk is built.
        </p>
      )}
      <textarea
        ref={input}
        className={styles.input}
        aria-label="Type into the serial console"
        rows={1}
        autoComplete="off"
        autoCorrect="off"
        autoCapitalize="off"
        spellCheck={false}
        placeholder="Type here: every key goes to the machine. Shift+Tab leaves."
        onKeyDown={(event) => {
          const sequence = keySequence(event)
          if (sequence === null) return
          event.preventDefault()
          serial.send(sequence)
        }}
        onInput={(event) => {
          serial.send(event.currentTarget.value.replaceAll('\n', '\r'))
          event.currentTarget.value = ''
        }}
      />
    </div>
  )
}
