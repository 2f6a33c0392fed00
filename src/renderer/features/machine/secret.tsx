import { useEffect, useRef, useState } from 'react'
import { Button } from '../../ui/button'
import { SecretField } from '../../ui/secret-field'
import styles from './machine.module.css'

/**
 * A secret of the machine, of which the settings have only what was made of it.
 * @param isSet whether there is something made of one already
 * @param kept what is kept in its place, in a sentence
 * @param error why a text cannot be taken, or null
 * @param make makes what is kept, such as a hash, and hands it on; takes a moment
 * @param onClear forgets what is kept, so that another secret can be typed
 */
export function Secret(props: {
  label: string
  isSet: boolean
  kept: string
  description?: string
  error: (text: string) => string | null
  make: (text: string) => Promise<void>
  onClear: () => void
}) {
  const [isMaking, setIsMaking] = useState(false)
  const change = useRef<HTMLButtonElement>(null)
  const wasMaking = useRef(false)
  useEffect(() => {
    // The field that had the focus is gone: without this a keyboard would begin at the window's top again.
    if (wasMaking.current && !isMaking && document.activeElement === document.body) change.current?.focus()
    wasMaking.current = isMaking
  }, [isMaking])

  const take = async (text: string): Promise<void> => {
    setIsMaking(true)
    await props.make(text)
    setIsMaking(false)
  }
  if (!isMaking && !props.isSet) {
    return (
      <SecretField
        label={props.label}
        {...(props.description === undefined ? {} : { description: props.description })}
        error={props.error}
        onTake={(text) => void take(text)}
        action="Set"
      />
    )
  }
  return (
    <div className={styles.secret}>
      <p className={styles.label}>{props.label}</p>
      <div className={styles.secretRow}>
        <p role="status">{isMaking ? 'One moment.' : props.kept}</p>
        <Button
          ref={change}
          size="small"
          isDisabled={isMaking}
          aria-label={`Change: ${props.label}`}
          onPress={props.onClear}
        >
          Change…
        </Button>
      </div>
    </div>
  )
}
