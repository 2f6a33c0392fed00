/** Tags of POSIX access control lists (kernel, include/uapi/linux/posix_acl.h): for the owner, and for a name. */
const TAGS: Record<string, readonly [own: number, named: number]> = {
  user: [0x01, 0x02],
  u: [0x01, 0x02],
  group: [0x04, 0x08],
  g: [0x04, 0x08],
  mask: [0x10, 0x10],
  m: [0x10, 0x10],
  other: [0x20, 0x20],
  o: [0x20, 0x20],
}
const NO_ID = 0xffffffff

/**
 * Turns the text of SCHILY.acl.access or SCHILY.acl.default (star, GNU tar --acls) into the form of the extended
 * attribute system.posix_acl_access. Names count when a number stands in their place or follows the permissions:
 * the image's users are not those of this machine.
 * @returns null when the text is no ACL or has a name without a number
 */
export function aclFromText(text: string): Uint8Array | null {
  const entries: [tag: number, permissions: number, id: number][] = []
  for (const part of text.split(/[,\n]/)) {
    const line = part.replace(/#.*/, '').trim()
    if (line === '') continue
    const [kind = '', name = '', letters = '', number] = line.split(':')
    const tags = TAGS[kind]
    const known = /^([r-])([w-])([x-])$/.exec(letters)
    if (tags === undefined || known === null) return null
    const permissions = (known[1] === 'r' ? 4 : 0) + (known[2] === 'w' ? 2 : 0) + (known[3] === 'x' ? 1 : 0)
    if (name === '') {
      entries.push([tags[0], permissions, NO_ID])
      continue
    }
    const id = number ?? name
    if (!/^\d{1,10}$/.test(id) || Number(id) >= NO_ID) return null
    entries.push([tags[1], permissions, Number(id)])
  }
  entries.sort((a, b) => a[0] - b[0] || a[2] - b[2])
  const bytes = new DataView(new ArrayBuffer(4 + entries.length * 8))
  bytes.setUint32(0, 2, true)
  entries.forEach(([tag, permissions, id], index) => {
    bytes.setUint16(4 + index * 8, tag, true)
    bytes.setUint16(6 + index * 8, permissions, true)
    bytes.setUint32(8 + index * 8, id, true)
  })
  return new Uint8Array(bytes.buffer)
}
