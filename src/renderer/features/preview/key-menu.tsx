import { Menu, MenuItem, MenuTrigger, Popover } from 'react-aria-components'
import { Button } from '../../ui/button'
import { KeyboardIcon } from '../../ui/icons'
import { keyCombinations } from './keys'
import styles from './preview.module.css'
import type { PreviewSession } from './sessions'

/** Keys that the desktop or this window would keep for themselves. */
export function KeyMenu({ session, isDisabled }: { session: PreviewSession; isDisabled: boolean }) {
  return (
    <MenuTrigger>
      <Button look="quiet" icon={<KeyboardIcon />} isDisabled={isDisabled}>
        Keys
      </Button>
      <Popover className={styles.popover ?? ''} placement="bottom end">
        <Menu
          className={styles.menu ?? ''}
          aria-label="Keys for the machine"
          onAction={(id) => {
            const combination = keyCombinations.find((one) => one.id === id)
            if (combination !== undefined) session.pressKeys(combination.keys)
          }}
        >
          {keyCombinations.map(({ id, title }) => (
            <MenuItem key={id} id={id} className={styles.item ?? ''}>
              {title}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  )
}
