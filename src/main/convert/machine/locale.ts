import type { MachineSettings } from '../../../shared/machine'
import type { AddedEntry, TreeEdits } from '../edits'
import { linkTo, textFile } from './text'

/**
 * Time zone, language and keyboard, in the places of Debian and of systemd
 * (localtime(5), locale.conf(5), vconsole.conf(5), keyboard(5)).
 * @param machine what was chosen
 */
export function localeEdits({ timeZone, locale, keyboard }: MachineSettings): TreeEdits {
  const added: AddedEntry[] = []
  const removed: string[] = []
  if (timeZone !== null) {
    added.push(
      linkTo('etc/localtime', `/usr/share/zoneinfo/${timeZone}`),
      textFile('etc/timezone', [timeZone]),
    )
  }
  if (locale !== null) {
    for (const path of ['etc/locale.conf', 'etc/default/locale'])
      added.push(textFile(path, [`LANG=${locale}`]))
  }
  if (keyboard !== null) {
    added.push(
      textFile('etc/default/keyboard', [
        ...[
          'XKBMODEL="pc105"',
          `XKBLAYOUT="${keyboard}"`,
          'XKBVARIANT=""',
          'XKBOPTIONS=""',
          'BACKSPACE="guess"',
        ],
      ]),
      textFile('etc/vconsole.conf', [`KEYMAP=${keyboard}`, `XKBLAYOUT=${keyboard}`]),
    )
    // Debian's console-setup loads the keymap of the package's installation as long as this is there.
    removed.push('etc/console-setup/cached_setup_keyboard.sh')
  }
  return { removed, emptied: [], added }
}
