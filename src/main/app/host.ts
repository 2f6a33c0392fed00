import { existsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import type { HostState } from '../../shared/ipc/contract'
import { firmwareOf, prepareEngine } from '../convert/engines'
import { findBootLoaders } from '../convert/loaders/find'
import { hostPlace } from '../convert/loaders/places'
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
    engines: { direct: await directAbility(), kernel: kernelAbility() },
  }
}

/** What a direct build finds on this computer, for an image that brings no boot loaders itself. */
async function directAbility(): Promise<HostState['engines']['direct']> {
  const found = await findBootLoaders([await hostPlace()], {
    ...{ architecture: 'amd64', table: 'mbr', distribution: null, isKernelSigned: false },
  })
  // Without any here, the engine makes an image that has both.
  return { firmware: found.ok ? firmwareOf(found.value.loaders) : ['bios', 'uefi'], missing: [], remedy: '' }
}

function kernelAbility(): HostState['engines']['kernel'] {
  const prepared = prepareEngine('kernel')
  if (prepared.ok) return { firmware: ['bios'], missing: [], remedy: '' }
  const { failure } = prepared
  if (failure.code !== 'tool-missing') return { firmware: [], missing: ['Linux'], remedy: '' }
  return {
    firmware: [],
    missing: [failure.facts.tool],
    remedy: `sudo apt install ${failure.facts.package}`,
  }
}
