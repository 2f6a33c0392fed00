import { z } from 'zod'

/**
 * What a person may choose for the machine that an image becomes. Each is
 * optional and applied while the disk is written, never to the image. Secrets
 * come in as what the machine itself keeps: passwords as crypt(5) hashes,
 * Wi-Fi passphrases as the key derived from them (IEEE 802.11, J.4). What a schema says is the end of “cannot be used: …”.
 */
const passwordHash = z
  .string()
  .regex(
    /^\$[0-9a-z]+\$[./A-Za-z0-9$=,]{10,250}$/,
    'it is no hash of a password as mkpasswd or openssl passwd write it',
  )

/** A host name of one label (RFC 1123, 2.1). */
const hostname = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'a host name has the letters a to z, digits and dashes, 63 at most, and no dash at its ends',
  )

/** One line of authorized_keys without options (sshd(8)). */
const publicKey = z
  .string()
  .max(8192)
  .regex(
    /^(?:ssh-(?:rsa|ed25519|dss)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/]+={0,3}(?: [^\n\r]*)?$/,
    'it is no public key as ssh-keygen writes it into a file that ends in .pub',
  )

const address = z.union([z.ipv4(), z.ipv6()], 'it is no address, such as 192.168.1.1')

export const machineSettingsSchema = z.object({
  /** Null: named after the image. */
  hostname: hostname.nullable(),
  rootPassword: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('keep') }),
    /** Nobody is asked for one at the console; sshd lets nobody in without one. */
    z.object({ kind: z.literal('empty') }),
    z.object({ kind: z.literal('locked') }),
    z.object({ kind: z.literal('hash'), hash: passwordHash }),
  ]),
  /** A further user; `sudo` lets it become root. Null hash: it logs in by key only. */
  user: z
    .object({
      name: z
        .string()
        .regex(
          /^[a-z_][a-z0-9_-]{0,31}$/,
          'a user’s name begins with a small letter; small letters, digits, dashes and underscores follow, 32 in all at most',
        ),
      passwordHash: passwordHash.nullable(),
      sudo: z.boolean(),
    })
    .nullable(),
  /** Authorized for the user where there is one, else for root. */
  sshKeys: z.array(publicKey).max(50),
  sshServer: z.boolean(),
  network: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('keep') }),
    /** DHCP on every Ethernet. */
    z.object({ kind: z.literal('dhcp') }),
    z.object({
      kind: z.literal('static'),
      /** With prefix length, such as `192.168.1.20/24`. */
      address: z.union(
        [z.cidrv4(), z.cidrv6()],
        'it is no address with a prefix length, such as 192.168.1.20/24',
      ),
      gateway: address.nullable(),
      nameservers: z.array(address).max(3),
    }),
  ]),
  wifi: z
    .object({
      /** The network's name: 1 to 32 bytes of UTF-8 (IEEE 802.11, 9.4.2.2). */
      name: z.string().min(1).max(32),
      /** 32 bytes in hexadecimal digits. */
      key: z
        .string()
        .regex(/^[0-9a-f]{64}$/, 'it is no key of 64 hexadecimal digits as wpa_passphrase derives it'),
    })
    .nullable(),
  /** Such as `Europe/Berlin`. */
  timeZone: z
    .string()
    .regex(
      /^[A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+){0,2}$/,
      'it is no name of a time zone, such as Europe/Berlin',
    )
    .nullable(),
  /** Such as `de_DE.UTF-8`. */
  locale: z
    .string()
    .regex(
      /^(?:C|POSIX|[a-z]{2,3}_[A-Z]{2})(?:\.[A-Za-z0-9-]+)?(?:@[a-z]+)?$/,
      'it is no name of a language, such as de_DE.UTF-8',
    )
    .nullable(),
  /** A layout's name, such as `de`. */
  keyboard: z
    .string()
    .regex(/^[a-z][a-z0-9-]{1,30}$/, 'it is no name of a keyboard layout, such as de')
    .nullable(),
  /** A second boot entry with the console on the first serial port. */
  serialConsole: z.boolean(),
  /** Bytes of a swap file, or null for none. */
  swapBytes: z
    .number()
    .int()
    .min(16 * 1024 * 1024)
    .max(2 ** 40)
    .nullable(),
  /** The root partition and file system take the whole drive at the first boot. */
  growRoot: z.boolean(),
  /** The makers' firmware that drivers load into Wi-Fi, graphics and network adapters, and the processors' microcode. */
  deviceFirmware: z.boolean().default(false),
  /** The image's ENTRYPOINT and CMD run as a service, with its ENV, WORKDIR and USER. */
  runCommand: z.boolean(),
})
export type MachineSettings = z.infer<typeof machineSettingsSchema>

/** Leaves the image as it is. */
export const plainMachineSettings: MachineSettings = {
  hostname: null,
  rootPassword: { kind: 'keep' },
  user: null,
  sshKeys: [],
  sshServer: false,
  network: { kind: 'keep' },
  wifi: null,
  timeZone: null,
  locale: null,
  keyboard: null,
  serialConsole: false,
  swapBytes: null,
  growRoot: false,
  deviceFirmware: false,
  runCommand: false,
}

/** The longest password that crypt(3) of libxcrypt takes, in bytes: what is longer could never be typed in again. */
export const MAXIMUM_PASSWORD_BYTES = 511

/**
 * Reads a file of public keys, such as `~/.ssh/id_ed25519.pub` or an authorized_keys.
 * @param text the file
 * @returns the keys, without comments and empty lines; null when a line is no public key, such as in a private key's file
 */
export function parsePublicKeys(text: string): string[] | null {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  return lines.length > 0 && lines.every((line) => publicKey.safeParse(line).success) ? lines : null
}
