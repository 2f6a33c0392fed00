/**
 * Bytes of a UUID in the order in which it is written (RFC 9562).
 * @throws Error when the text is not a UUID
 */
export function uuidBytes(uuid: string): Uint8Array {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(uuid)) throw new Error(`not a UUID: ${uuid}`)
  return new Uint8Array(Buffer.from(uuid.replaceAll('-', ''), 'hex'))
}

/** Bytes of a GUID as EFI stores it: the first three fields little-endian (UEFI 2.10, appendix A). */
export function guidBytes(guid: string): Uint8Array {
  const bytes = uuidBytes(guid)
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}
