import type { AddedEntry } from '../edits'
import { linkTo } from './text'

/**
 * A word in a unit's setting (systemd.syntax(7), "Quoting"): in double quotes, with the escapes of C for what would end
 * them or the line, and specifiers taken at their word (systemd.unit(5), "Specifiers").
 */
export function unitWord(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    // What else would not be taken as text: control characters.
    // eslint-disable-next-line no-control-regex -- those are what is looked for
    .replace(/[\x01-\x1f\x7f]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('%', '%%')
  return `"${escaped}"`
}

/** A word of a command line, in which variables are looked for, too (systemd.service(5), "Command lines"). */
export function commandWord(text: string): string {
  return unitWord(text).replaceAll('$', '$$$$')
}

/**
 * A link by which a unit is started with another (systemd.unit(5), `[Install]`).
 * @param unit of the image's own or of ours
 * @param target such as `multi-user.target`
 */
export function wantedBy(unit: string, target: string): AddedEntry {
  // The link's name alone counts; /lib is a link to /usr/lib, or where the units lie.
  return linkTo(`etc/systemd/system/${target}.wants/${unit}`, `/lib/systemd/system/${unit}`)
}

/** The same for a unit that is added to /etc. */
export function ownWantedBy(unit: string, target: string): AddedEntry {
  return linkTo(`etc/systemd/system/${target}.wants/${unit}`, `../${unit}`)
}

/** A second name of a unit, by which D-Bus starts it. */
export function alias(name: string, unit: string): AddedEntry {
  return linkTo(`etc/systemd/system/${name}`, `/lib/systemd/system/${unit}`)
}
