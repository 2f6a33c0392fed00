import { createHash } from 'node:crypto'
import type { MachineState } from './machine-state'
import type { LsblkNode } from './parse'

/**
 * Digests of what is on a drive, for its identity: a stick that is partitioned or formatted anew is not the one that
 * was confirmed.
 * @param names kernel names of the drive and of its partitions
 * @returns `layout`: where partitions begin and end, which everybody may see. `contents`: file systems, labels and
 *   ids; null where this process cannot read them, as an ordinary user without udev
 */
export function contentsOf(
  names: readonly string[],
  state: MachineState,
  nodes: ReadonlyMap<string, LsblkNode>,
): { layout: string; contents: string | null } {
  const sorted = [...names].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const layout = sorted.map((name) => {
    const facts = state.blocks[name]
    return [name, facts?.startBytes, facts?.sizeBytes]
  })
  const contents = sorted.map((name) => {
    const node = nodes.get(name)
    return [node?.fileSystem, node?.label, node?.uuid, node?.partLabel, node?.partUuid]
  })
  return { layout: digest(layout), contents: state.contentsReadable ? digest(contents) : null }
}

function digest(facts: unknown): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex')
}
