import { useEffect, useRef, useSyncExternalStore } from 'react'
import { Button } from '../../ui/button'
import { isLeavingKey } from './keys'
import styles from './preview.module.css'
import type { PreviewSession } from './sessions'

/** The machine's serial console as a terminal. Ctrl, Alt and G together give the keyboard back. */
export function SerialConsole({ session }: { session: PreviewSession }) {
  const { serial } = session
  const hasSpoken = useSyncExternalStore(serial.subscribe, serial.hasSpoken)
  const place = useRef<HTMLDivElement>(null)
  const after = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    const parent = place.current
    if (parent === null) return
    const takeOut = serial.show(parent)
    const onKeyDown = (event: KeyboardEvent): void => {
      if (!isLeavingKey(event)) return
      event.preventDefault()
      serial.release()
      after.current?.focus()
    }
    parent.addEventListener('keydown', onKeyDown)
    return () => {
      parent.removeEventListener('keydown', onKeyDown)
      takeOut()
    }
  }, [serial])
  return (
    <div className={styles.screenArea}>
      <div className={styles.console}>
        <div
          ref={place}
          className={styles.terminal}
          role="group"
          aria-label="Serial console of the machine"
        />
        {!hasSpoken && (
          <p className={styles.quiet}>
            Nothing came from the serial console yet. A machine writes to it when its kernel is told to: give
            it the words console=tty0 console=ttyS0 under Kernel before the disk is built.
          </p>
        )}
      </div>
      <div className={styles.hint}>
        <span>Click the console to type. Ctrl+Alt+G gives the keyboard back.</span>
        <Button look="quiet" ref={after} onPress={serial.focus}>
          Type into the console
        </Button>
      </div>
    </div>
  )
}
