import { existsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import type { BuildSettings } from '../../shared/image'
import type { HostState } from '../../shared/ipc/contract'
import { prepareEngine } from '../convert/engines'
import { describeQemu } from '../preview/find'

/** Looks at what this machine can do, for the window to say before something is tried. */
export async function describeHost(): Promise<HostState> {
  const isRoot = process.getuid?.() === 0
  const isLinux = process.platform === 'linux'
  return {
    platform: process.platform,
    qemu: await describeQemu(),
    processors: availableParallelism(),
    memoryBytes: totalmem(),
    elevation: {
      needed: !isRoot,
      found: isRoot || !isLinux || existsSync('/usr/bin/pkexec'),
      remedy: 'sudo apt install pkexec polkitd',
    },
    engines: { direct: await abilityOf('direct'), kernel: await abilityOf('kernel') },
  }
}

async function abilityOf(engine: BuildSettings['engine']): Promise<HostState['engines']['direct']> {
  const prepared = await prepareEngine(engine, true)
  if (prepared.ok) return { firmware: prepared.value.firmware, missing: [], remedy: '' }
  const { failure } = prepared
  if (failure.code !== 'tool-missing') return { firmware: [], missing: ['Linux'], remedy: '' }
  return {
    firmware: [],
    missing: [failure.facts.tool],
    remedy: `sudo apt install ${failure.facts.package}`,
  }
}
