import { useEffect, useId, useRef, useState, type FocusEvent } from 'react'
import { Button } from './button'
import styles from './field.module.css'

/**
 * A secret that is turned into something else at once: by Enter, by its button
 * or when the focus goes elsewhere. It lives in the input alone, never in a
 * state of the window, and is wiped there before it is handed over.
 * @param error why a text cannot be taken, or null; the text then stays
 * @param onTake is given the text, once
 * @param action the word on the button
 */
export function SecretField(props: {
  label: string
  description?: string
  error: (text: string) => string | null
  onTake: (text: string) => void
  action: string
}) {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [error, setError] = useState<string | null>(null)
  const [isShown, setIsShown] = useState(false)
  const noteLine = useRef<HTMLParagraphElement>(null)
  useEffect(() => {
    if (error !== null) noteLine.current?.scrollIntoView({ block: 'nearest' })
  }, [error])

  const take = (): void => {
    const text = input.current?.value ?? ''
    const wrong = props.error(text)
    setError(wrong)
    if (wrong !== null || input.current === null) return
    input.current.value = ''
    props.onTake(text)
  }
  const leave = ({ currentTarget, relatedTarget }: FocusEvent): void => {
    // When it is the window that loses the focus, no element gets it, and this document's active element stays.
    const next = relatedTarget ?? document.activeElement
    const goesOn = next instanceof Node && currentTarget.contains(next)
    if (!goesOn && (input.current?.value ?? '') !== '') take()
  }
  const note = error ?? props.description
  return (
    <div className={styles.field} onBlur={leave}>
      <label className={styles.label} htmlFor={id}>
        {props.label}
      </label>
      <div className={styles.withButton}>
        <input
          ref={input}
          id={id}
          className={styles.input}
          type={isShown ? 'text' : 'password'}
          autoComplete="off"
          spellCheck={false}
          aria-invalid={error !== null}
          aria-describedby={note === undefined ? undefined : `${id}-note`}
          onChange={() => setError(null)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return
            event.preventDefault()
            take()
          }}
        />
        <Button aria-pressed={isShown} onPress={() => setIsShown(!isShown)}>
          {isShown ? 'Hide' : 'Show'}
        </Button>
        <Button onPress={take}>{props.action}</Button>
      </div>
      {note !== undefined && (
        <p
          ref={noteLine}
          id={`${id}-note`}
          role={error === null ? undefined : 'alert'}
          className={error === null ? styles.description : styles.error}
        >
          {note}
        </p>
      )}
    </div>
  )
}
