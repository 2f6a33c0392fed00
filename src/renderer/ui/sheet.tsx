import type { ReactNode } from 'react'
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components'
import { cx } from './cx'
import styles from './sheet.module.css'

/**
 * A sheet over the page. Esc closes it; a click beside it does not, because
 * what was typed in it would be lost.
 * @param role `alertdialog` for a question that must be answered
 * @param footer buttons, the one that acts last
 */
export function Sheet(props: {
  title: string
  isOpen: boolean
  onClose: () => void
  size?: 'small' | 'large'
  role?: 'dialog' | 'alertdialog'
  footer: ReactNode
  children: ReactNode
}) {
  return (
    <ModalOverlay
      className={styles.shade ?? ''}
      isOpen={props.isOpen}
      onOpenChange={(isOpen) => {
        if (!isOpen) props.onClose()
      }}
    >
      <Modal className={cx(styles.sheet, props.size === 'large' && styles.large)}>
        <Dialog className={styles.dialog ?? ''} role={props.role ?? 'dialog'}>
          <Heading slot="title" className={styles.title ?? ''}>
            {props.title}
          </Heading>
          <div className={styles.body}>{props.children}</div>
          <div className={styles.footer}>{props.footer}</div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  )
}
