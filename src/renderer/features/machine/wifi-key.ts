/**
 * The key of a Wi-Fi network from its passphrase, as the machine keeps it:
 * PBKDF2 with HMAC-SHA1, the network's name as salt, 4096 rounds, 32 bytes.
 * Source: IEEE 802.11-2020, J.4.1.
 * @param name the network's name (SSID)
 * @param passphrase 8 to 63 printable characters of ASCII, or the key itself as 64 hexadecimal digits
 * @returns 64 hexadecimal digits
 */
export async function wifiKey(name: string, passphrase: string): Promise<string> {
  if (/^[0-9a-f]{64}$/i.test(passphrase)) return passphrase.toLowerCase()
  const text = new TextEncoder()
  const secret = await crypto.subtle.importKey('raw', text.encode(passphrase), 'PBKDF2', false, [
    'deriveBits',
  ])
  const bits = await crypto.subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-1', salt: text.encode(name), iterations: 4096 },
    secret,
    256,
  )
  return [...new Uint8Array(bits)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
