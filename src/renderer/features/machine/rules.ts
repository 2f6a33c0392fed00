import { MAXIMUM_PASSWORD_BYTES, machineSettingsSchema, type MachineSettings } from '../../../shared/machine'
import type { ChainLinkName } from '../../../shared/chain'

/** What a setting that cannot be used is about, and why, in a sentence. */
export interface MachineError {
  field: MachineField
  link: ChainLinkName
  sentence: string
}

export type MachineField =
  | 'hostname'
  | 'rootPassword'
  | 'userName'
  | 'userPassword'
  | 'address'
  | 'gateway'
  | 'nameservers'
  | 'wifiName'
  | 'wifiKey'
  | 'timeZone'
  | 'locale'
  | 'keyboard'
  | 'swap'

const shape = machineSettingsSchema.shape
const user = shape.user.unwrap().shape
const wifi = shape.wifi.unwrap().shape
const fixed = shape.network.options[2].shape

const accepts = (schema: { safeParse: (value: unknown) => { success: boolean } }, value: unknown): boolean =>
  schema.safeParse(value).success

/** Accounts that systems bring or keep for themselves; a further user cannot take their names. */
const takenNames = new Set(
  'root daemon bin sys sync games man lp mail news uucp proxy backup list irc nobody operator halt shutdown ftp sshd'.split(
    ' ',
  ),
)

/** Why a password cannot be used, or null. */
export function passwordError(password: string): string | null {
  if (password === '') return 'Type a password.'
  const bytes = new TextEncoder().encode(password).length
  if (bytes > MAXIMUM_PASSWORD_BYTES) {
    return `This password has ${Array.from(password).length} characters. A login takes ${MAXIMUM_PASSWORD_BYTES} bytes at most, so nobody could log in with it: choose a shorter one.`
  }
  // eslint-disable-next-line no-control-regex -- such characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(password)) {
    return 'This password has a character that cannot be typed at a login, such as a tab or a line’s end.'
  }
  return null
}

/** Why a Wi-Fi passphrase cannot be used, or null (IEEE 802.11-2020, J.4.1). */
export function passphraseError(passphrase: string): string | null {
  if (/^[0-9a-f]{64}$/i.test(passphrase)) return null
  if (!/^[\x20-\x7e]*$/.test(passphrase)) {
    return 'A passphrase for Wi-Fi has only the letters, digits and signs of an English keyboard.'
  }
  if (passphrase.length < 8 || passphrase.length > 63) {
    return `A passphrase for Wi-Fi has 8 to 63 characters; this one has ${passphrase.length}.`
  }
  return null
}

/** Whether a machine has a time zone of this name. Other names for the same one count, wrong capitals do not: they name no file. */
function isTimeZone(name: string): boolean {
  if (!accepts(shape.timeZone, name)) return false
  try {
    const known = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone
    return known === name || known.toLowerCase() !== name.toLowerCase()
  } catch {
    return false
  }
}

/** Every setting that cannot be used, in the order of the window. */
export function machineErrors(machine: MachineSettings): MachineError[] {
  const errors: MachineError[] = []
  const check = (field: MachineField, isRight: boolean, sentence: string, link: ChainLinkName = 'init') => {
    if (!isRight) errors.push({ field, link, sentence })
  }
  check('swap', accepts(shape.swapBytes, machine.swapBytes), 'A swap file has 16 MB at least.', 'disk')
  check(
    'hostname',
    accepts(shape.hostname, machine.hostname),
    'A host name has the letters a to z, digits and dashes, 63 at most, and no dash at its ends.',
  )
  check(
    'timeZone',
    machine.timeZone === null || isTimeZone(machine.timeZone),
    'Take a time zone from the list, such as Europe/Berlin.',
  )
  check('locale', accepts(shape.locale, machine.locale), 'A language is written as in de_DE.UTF-8.')
  check(
    'keyboard',
    accepts(shape.keyboard, machine.keyboard),
    'A keyboard is a short name, such as de or us.',
  )
  check('rootPassword', accepts(shape.rootPassword, machine.rootPassword), 'Type a password for root.')
  if (machine.user !== null) {
    const { name } = machine.user
    if (takenNames.has(name))
      check('userName', false, `Every system has its own ${name}: choose another name.`)
    else {
      check(
        'userName',
        accepts(user.name, name),
        name === ''
          ? 'Give the user a name.'
          : 'A user’s name begins with a small letter; small letters, digits, dashes and underscores follow, 32 in all at most.',
      )
    }
    check(
      'userPassword',
      accepts(user.passwordHash, machine.user.passwordHash),
      'Type a password for the user.',
    )
    if (machine.user.passwordHash === null && machine.sshKeys.length === 0) {
      check('userPassword', false, 'Give the user a password or a key: else it could not log in.')
    }
  }
  if (machine.network.kind === 'static') {
    const { address, gateway, nameservers } = machine.network
    check(
      'address',
      accepts(fixed.address, address),
      'An address with the length of its network, such as 192.168.1.20/24.',
    )
    check('gateway', accepts(fixed.gateway, gateway), 'An address such as 192.168.1.1, or nothing.')
    check(
      'nameservers',
      accepts(fixed.nameservers, nameservers),
      'Up to three addresses, such as 192.168.1.1, with commas between.',
    )
  }
  if (machine.wifi !== null) {
    const bytes = new TextEncoder().encode(machine.wifi.name).length
    check(
      'wifiName',
      accepts(wifi.name, machine.wifi.name) && bytes <= 32,
      'The name of a Wi-Fi network has 1 to 32 bytes, as its sign says.',
    )
    check('wifiKey', accepts(wifi.key, machine.wifi.key), 'Type the passphrase of the Wi-Fi network.')
  }
  return errors
}
