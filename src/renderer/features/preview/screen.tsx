import { useEffect, useRef } from 'react'
import { Button } from '../../ui/button'
import { isLeavingKey } from './keys'
import type { PreviewSession } from './sessions'
import styles from './preview.module.css'

/**
 * The machine's screen. It takes the keyboard when it is clicked; Ctrl, Alt
 * and G together (QEMU's own keys for it) give the keyboard back, because
 * every other key, Tab too, belongs to the machine.
 */
export function Screen({ session, isRunning }: { session: PreviewSession; isRunning: boolean }) {
  const place = useRef<HTMLDivElement>(null)
  const after = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    const parent = place.current
    if (parent === null) return
    const takeOut = session.showScreen(parent)
    const onKeyDown = (event: KeyboardEvent): void => {
      if (!isLeavingKey(event)) return
      event.preventDefault()
      event.stopPropagation()
      session.releaseKeyboard()
      after.current?.focus()
    }
    parent.addEventListener('keydown', onKeyDown, { capture: true })
    return () => {
      parent.removeEventListener('keydown', onKeyDown, { capture: true })
      takeOut()
    }
  }, [session])
  return (
    <div className={styles.screenArea}>
      <div ref={place} className={styles.screen} role="group" aria-label="Screen of the machine" />
      {!isRunning && <p className={styles.quiet}>The machine has ended, and its picture with it.</p>}
      <div className={styles.hint} hidden={!isRunning}>
        <span>Click the screen to type. Ctrl+Alt+G gives the keyboard back.</span>
        <Button look="quiet" ref={after} onPress={session.focusScreen}>
          Type into the machine
        </Button>
      </div>
    </div>
  )
}
