import { encodeOctal, header, padded, paxBody } from './tar-encode'

/** A member as the generators make it. Names are bytes. */
export interface Member {
  type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo'
  path: Buffer
  target?: Buffer
  mode: number
  uid: number
  gid: number
  seconds: number
  nanoseconds: number
  accessed?: { seconds: number; nanoseconds: number } | undefined
  major?: number
  minor?: number
  /** of a file; for a sparse one the data of its segments alone */
  data?: Buffer
  /** offset and length of each part of a sparse file, and its size */
  sparse?: { segments: number[]; size: number; version: 'old' | '0.1' | '1.0' }
  xattrs?: Map<string, Buffer>
  acl?: string
}

const FLAGS = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
}

/** Seconds and nanoseconds as PAX writes them, before 1970 with a minus in front of the whole. */
export function paxTimeText(seconds: number, nanoseconds: number): string {
  if (seconds >= 0 || nanoseconds === 0) return `${seconds}.${String(nanoseconds).padStart(9, '0')}`
  return `-${-seconds - 1}.${String(1_000_000_000 - nanoseconds).padStart(9, '0')}`
}

/** One member with all headers that it needs, in PAX form. */
export function encodeMember(member: Member): Buffer {
  const { path, type, sparse } = member
  const records: [string, Buffer][] = []
  const text = (key: string, value: string): void => void records.push([key, Buffer.from(value, 'latin1')])
  let data = member.data ?? Buffer.alloc(0)
  let name = path
  let flag = FLAGS[type]
  let extra: Buffer[] = []
  let old: { segments: number[]; size: number } | undefined
  if (sparse?.version === '1.0') {
    const map = [sparse.segments.length / 2, ...sparse.segments].map((n) => `${n}\n`).join('')
    data = Buffer.concat([padded(Buffer.from(map)), data])
    text('GNU.sparse.major', '1')
    text('GNU.sparse.minor', '0')
    records.push(['GNU.sparse.name', path])
    text('GNU.sparse.realsize', String(sparse.size))
    name = Buffer.from('GNUSparseFile.0/x')
  } else if (sparse?.version === '0.1') {
    text('GNU.sparse.size', String(sparse.size))
    text('GNU.sparse.numblocks', String(sparse.segments.length / 2))
    text('GNU.sparse.map', sparse.segments.join(','))
  } else if (sparse !== undefined) {
    flag = 'S'
    old = { segments: sparse.segments.slice(0, 8), size: sparse.size }
    extra = sparseBlocks(sparse.segments.slice(8))
  }
  if (name.length > 100) records.push(['path', name])
  if ((member.target?.length ?? 0) > 100) records.push(['linkpath', member.target as Buffer])
  text('mtime', paxTimeText(member.seconds, member.nanoseconds))
  const { accessed } = member
  if (accessed !== undefined) text('atime', paxTimeText(accessed.seconds, accessed.nanoseconds))
  if (member.uid > 0o7777777) text('uid', String(member.uid))
  if (member.gid > 0o7777777) text('gid', String(member.gid))
  for (const [key, value] of member.xattrs ?? []) records.push([`SCHILY.xattr.${key}`, value])
  if (member.acl !== undefined) text('SCHILY.acl.access', member.acl)
  const pax = paxBody(records)
  return Buffer.concat([
    header({ name: Buffer.from('PaxHeaders/x'), flag: 'x', size: pax.length, mode: 0o644 }),
    padded(pax),
    header({
      name: name.subarray(0, 100),
      flag,
      size: data.length,
      mode: member.mode,
      uid: Math.min(member.uid, 0o7777777),
      gid: Math.min(member.gid, 0o7777777),
      target: member.target?.subarray(0, 100),
      major: member.major,
      minor: member.minor,
      oldSparse: old === undefined ? undefined : { ...old, extended: extra.length > 0 },
    }),
    ...extra,
    padded(data),
  ])
}

/** The blocks of old GNU sparse maps that do not fit into the header. */
function sparseBlocks(segments: number[]): Buffer[] {
  const blocks: Buffer[] = []
  for (let from = 0; from < segments.length; from += 42) {
    const block = Buffer.alloc(512)
    segments.slice(from, from + 42).forEach((value, index) => encodeOctal(block, index * 12, 12, value))
    block[504] = from + 42 < segments.length ? 1 : 0
    blocks.push(block)
  }
  return blocks
}

/** A whole archive. */
export function encodeArchive(members: Member[]): Buffer {
  return Buffer.concat([...members.map(encodeMember), Buffer.alloc(1024)])
}
