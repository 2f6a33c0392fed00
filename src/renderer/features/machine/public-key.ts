import { sha256 } from '@noble/hashes/sha2.js'
import { machineSettingsSchema } from '../../../shared/machine'

const keyLine = machineSettingsSchema.shape.sshKeys.element

/** Longer text is no file of public keys: characters. */
export const MOST_KEY_TEXT = 65_536

/** What a line of public keys is shown as. */
export interface PublicKey {
  /** Type, key and comment, parted by single blanks. */
  line: string
  /** `ed25519` */
  type: string
  comment: string
  /** As `ssh-keygen -l` writes it: SHA-256 in base64 (RFC 4648) without its padding. */
  fingerprint: string
}

/**
 * Reads one public key.
 * @param line as in `id_ed25519.pub` or authorized_keys
 * @returns the key, or null when it is none
 */
export function parsePublicKey(line: string): PublicKey | null {
  const [type = '', body = '', ...comment] = line.trim().split(/[ \t]+/)
  const whole = [type, body, ...comment].join(' ')
  if (!keyLine.safeParse(whole).success) return null
  const bytes = decode(body)
  if (bytes === null || !bytes.ok || bytes.type !== type) return null
  return {
    line: whole,
    type: type.replace(/^(?:ssh-|ecdsa-sha2-)/, ''),
    comment: comment.join(' '),
    fingerprint: `SHA256:${btoa(String.fromCharCode(...sha256(bytes.all))).replace(/=+$/, '')}`,
  }
}

/**
 * Reads what somebody pasted or chose as a file: one public key on each line.
 * @param text the whole text
 * @returns the keys, or why it holds none, in words
 */
export function readPublicKeys(
  text: string,
): { ok: true; keys: PublicKey[] } | { ok: false; reason: string } {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----|^PuTTY-User-Key-File/m.test(text)) {
    return {
      ok: false,
      reason:
        'This is a private key. It stays with you: choose the public one, whose file name ends in .pub. Nothing was kept.',
    }
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trim().startsWith('#'))
  const keys = lines.map(parsePublicKey)
  const whole = keys.filter((key) => key !== null)
  if (text.length <= MOST_KEY_TEXT && whole.length > 0 && whole.length === keys.length) {
    return { ok: true, keys: whole }
  }
  const which = keys.length > 1 && whole.length > 0 ? `Line ${keys.indexOf(null) + 1}` : 'This'
  return {
    ok: false,
    reason: `${which} is not a public key. One is a line that begins with a word such as ssh-ed25519 or ssh-rsa.`,
  }
}

/** The bytes of a key's middle part, whether they are whole, and the type that they name first (RFC 4253, 6.6). */
function decode(body: string): { all: Uint8Array; type: string; ok: boolean } | null {
  let all: Uint8Array
  try {
    all = Uint8Array.from(atob(body), (character) => character.charCodeAt(0))
  } catch {
    return null
  }
  // A key is a row of strings, each after its length in four bytes: one that was cut off does not end with a whole one.
  const view = new DataView(all.buffer)
  let position = 0
  let type: string | null = null
  while (position + 4 <= all.length) {
    const end = position + 4 + view.getUint32(position)
    if (end > all.length) break
    type ??= new TextDecoder().decode(all.subarray(position + 4, end))
    position = end
  }
  return type === null ? null : { all, type, ok: position === all.length }
}
