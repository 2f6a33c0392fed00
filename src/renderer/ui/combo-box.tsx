import { useMemo } from 'react'
import {
  Button,
  ComboBox as AriaComboBox,
  Input,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
} from 'react-aria-components'
import { FieldNote } from './field'
import { ChevronDownIcon } from './icons'
import styles from './field.module.css'

/** A longer list takes a second to open, and nobody reads it: typing narrows it. */
const MOST_SHOWN = 100

/** The list's height at most, in pixels: nine entries. */
const LIST_HEIGHT = 264

/**
 * A line of text with a list of values that it may be. Typing narrows the list
 * by value and by name; a value that is not on the list can be typed too.
 * @param placeholder what holds while it is empty
 * @param error why the text cannot be used, or null
 */
export function ComboBox(props: {
  label: string
  value: string
  onChange: (value: string) => void
  choices: readonly { value: string; name: string }[]
  placeholder: string
  description?: string
  error: string | null
}) {
  const { value, choices } = props
  const items = useMemo(() => {
    const isChosen = choices.some((choice) => choice.value === value)
    const wanted = value.trim().toLowerCase()
    // The whole list after a choice, so that another one can be made.
    const shown = isChosen
      ? choices
      : choices.filter((choice) => `${choice.value} ${choice.name}`.toLowerCase().includes(wanted))
    return shown.map((choice) => ({ id: choice.value, ...choice }))
  }, [choices, value])
  const more = items.length - MOST_SHOWN
  return (
    <AriaComboBox
      className={styles.field ?? ''}
      allowsCustomValue
      allowsEmptyCollection
      items={more > 0 ? items.slice(0, MOST_SHOWN) : items}
      inputValue={value}
      onInputChange={props.onChange}
      isInvalid={props.error !== null}
    >
      <Label className={styles.label ?? ''}>{props.label}</Label>
      <div className={styles.combo}>
        <Input
          className={styles.input ?? ''}
          autoComplete="off"
          spellCheck={false}
          placeholder={props.placeholder}
        />
        <Button className={styles.open ?? ''} aria-label={`Show the list for ${props.label}`}>
          <ChevronDownIcon size={14} />
        </Button>
      </div>
      <FieldNote description={props.description} error={props.error} />
      <Popover className={styles.popover ?? ''} maxHeight={LIST_HEIGHT}>
        <ListBox
          className={styles.options ?? ''}
          renderEmptyState={() => <p className={styles.none}>Not on the list.</p>}
        >
          {(item: { id: string; value: string; name: string }) => (
            <ListBoxItem id={item.id} textValue={item.value} className={styles.option ?? ''}>
              <span>{item.name}</span>
              <code>{item.value}</code>
            </ListBoxItem>
          )}
        </ListBox>
        {more > 0 && <p className={styles.none}>And {more} more: type a part of the name.</p>}
      </Popover>
    </AriaComboBox>
  )
}
