import { Button as AriaButton, type ButtonProps as AriaButtonProps } from 'react-aria-components'
import type { ReactNode, Ref } from 'react'
import { cx } from './cx'
import styles from './button.module.css'

export interface ButtonProps extends Omit<AriaButtonProps, 'className' | 'style' | 'children'> {
  /** `primary` once a page; `danger` only where data is erased; `quiet` has no frame. */
  look?: 'primary' | 'plain' | 'quiet' | 'danger'
  size?: 'normal' | 'small'
  icon?: ReactNode
  ref?: Ref<HTMLButtonElement>
  children: ReactNode
}

/** A button: always a word, with an icon where that helps to find it. */
export function Button({ look = 'plain', size = 'normal', icon, ref, children, ...props }: ButtonProps) {
  return (
    <AriaButton
      {...props}
      ref={ref ?? null}
      className={cx(styles.button, styles[look], size === 'small' && styles.small)}
    >
      {icon}
      <span className={styles.label}>{children}</span>
    </AriaButton>
  )
}

/** A button in the middle of a sentence, such as “Show how”. */
export function LinkButton({ onPress, children }: { onPress: () => void; children: ReactNode }) {
  return (
    <AriaButton className={styles.link ?? ''} onPress={onPress}>
      {children}
    </AriaButton>
  )
}
