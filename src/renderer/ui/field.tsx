import { useEffect, useRef, type ReactNode } from 'react'
import {
  FieldError,
  Group,
  Input,
  Label,
  NumberField as AriaNumberField,
  RadioButton,
  RadioField,
  RadioGroup,
  SearchField as AriaSearchField,
  Text,
  TextArea as AriaTextArea,
  TextField as AriaTextField,
  Button as AriaButton,
  CheckboxButton,
  CheckboxField,
} from 'react-aria-components'
import { cx } from './cx'
import { CheckIcon, CloseIcon, SearchIcon } from './icons'
import styles from './field.module.css'

/**
 * One line of text with its label above.
 * @param placeholder what holds while it is empty
 * @param error why the text cannot be used, or null; it takes the place of the description
 */
export function TextField(props: {
  label: ReactNode
  value: string
  onChange: (value: string) => void
  placeholder?: string
  description?: string
  error?: string | null
  isDisabled?: boolean
}) {
  const error = props.error ?? null
  return (
    <AriaTextField
      className={styles.field ?? ''}
      value={props.value}
      onChange={props.onChange}
      isInvalid={error !== null}
      isDisabled={props.isDisabled ?? false}
    >
      <Label className={styles.label ?? ''}>{props.label}</Label>
      <Input
        className={styles.input ?? ''}
        autoComplete="off"
        spellCheck={false}
        placeholder={props.placeholder ?? ''}
      />
      <FieldNote description={props.description} error={error} />
    </AriaTextField>
  )
}

/** Several lines of monospaced text, such as a file's. */
export function TextArea(props: {
  label: ReactNode
  value: string
  onChange: (value: string) => void
  rows: number
  placeholder?: string
  description?: string
  error?: string | null
}) {
  const error = props.error ?? null
  return (
    <AriaTextField
      className={styles.field ?? ''}
      value={props.value}
      onChange={props.onChange}
      isInvalid={error !== null}
    >
      <Label className={styles.label ?? ''}>{props.label}</Label>
      <AriaTextArea
        className={cx(styles.input, styles.area)}
        rows={props.rows}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
        placeholder={props.placeholder ?? ''}
      />
      <FieldNote description={props.description} error={error} />
    </AriaTextField>
  )
}

/** What stands below a field of React Aria: why its value cannot be used, else what it is for. */
export function FieldNote({
  description,
  error,
}: {
  description?: string | undefined
  error: string | null
}) {
  if (error !== null) return <FieldError className={styles.error ?? ''}>{error}</FieldError>
  if (description === undefined) return null
  return (
    <Text slot="description" className={styles.description ?? ''}>
      {description}
    </Text>
  )
}

/**
 * A number with a unit behind it, written as the system's language does.
 * @param error why the number cannot be used, or null
 */
export function NumberField(props: {
  label: string
  unit: string
  value: number
  onChange: (value: number) => void
  minimum: number
  step: number
  error: string | null
  isDisabled?: boolean
}) {
  return (
    <AriaNumberField
      className={styles.field ?? ''}
      aria-label={props.label}
      value={props.value}
      onChange={props.onChange}
      minValue={props.minimum}
      step={props.step}
      isInvalid={props.error !== null}
      isDisabled={props.isDisabled ?? false}
      formatOptions={{ maximumFractionDigits: 2 }}
    >
      <Group className={styles.number ?? ''}>
        <Input className={styles.input ?? ''} />
        <span className={styles.unit}>{props.unit}</span>
      </Group>
      {props.error !== null && <FieldError className={styles.error ?? ''}>{props.error}</FieldError>}
    </AriaNumberField>
  )
}

/** The search of a list; Ctrl or Cmd and F go to it. */
export function SearchField(props: { label: string; value: string; onChange: (value: string) => void }) {
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent): void => {
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== 'f') return
      event.preventDefault()
      input.current?.focus()
      input.current?.select()
    }
    window.addEventListener('keydown', onKeyDown)
    return () => {
      window.removeEventListener('keydown', onKeyDown)
    }
  }, [])
  return (
    <AriaSearchField
      className={styles.search ?? ''}
      aria-label={props.label}
      value={props.value}
      onChange={props.onChange}
    >
      <SearchIcon size={14} />
      <Input className={styles.searchInput ?? ''} placeholder="Search" ref={input} />
      <AriaButton className={styles.clear ?? ''} aria-label="Clear the search">
        <CloseIcon size={12} />
      </AriaButton>
    </AriaSearchField>
  )
}

export interface Choice {
  value: string
  title: string
  detail: ReactNode
  isDisabled?: boolean
}

/** One of a few, each with a sentence that says what it means. */
export function Choices(props: {
  label: string
  value: string
  onChange: (value: string) => void
  choices: readonly Choice[]
  isDisabled?: boolean
}) {
  return (
    <RadioGroup
      className={styles.choices ?? ''}
      value={props.value}
      onChange={props.onChange}
      isDisabled={props.isDisabled ?? false}
    >
      <Label className={styles.label ?? ''}>{props.label}</Label>
      {props.choices.map((choice) => (
        <RadioField
          key={choice.value}
          value={choice.value}
          className={styles.choice ?? ''}
          isDisabled={choice.isDisabled ?? false}
        >
          <RadioButton className={styles.choiceButton ?? ''}>
            <span className={styles.dot} />
            {choice.title}
          </RadioButton>
          <Text slot="description" className={styles.description ?? ''}>
            {choice.detail}
          </Text>
        </RadioField>
      ))}
    </RadioGroup>
  )
}

/** Something that is done or allowed by a tick. @param detail a sentence that says what it means */
export function Checkbox(props: {
  isSelected: boolean
  onChange: (isSelected: boolean) => void
  detail?: ReactNode
  isDisabled?: boolean
  children: ReactNode
}) {
  return (
    <CheckboxField
      className={styles.choice ?? ''}
      isSelected={props.isSelected}
      onChange={props.onChange}
      isDisabled={props.isDisabled ?? false}
    >
      <CheckboxButton className={styles.checkbox ?? ''}>
        <span className={styles.box}>{props.isSelected && <CheckIcon size={12} />}</span>
        <span className={styles.checkboxText}>{props.children}</span>
      </CheckboxButton>
      {props.detail !== undefined && (
        <Text slot="description" className={styles.description ?? ''}>
          {props.detail}
        </Text>
      )}
    </CheckboxField>
  )
}
