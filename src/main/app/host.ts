import { existsSync } from 'node:fs'
import type { HostState } from '../../shared/ipc/contract'
import { findKernelTools } from '../convert/kernel/tools'
import { describeQemu } from '../preview/find'

/** Looks at what this machine can do, for the window to say before something is tried. */
export async function describeHost(): Promise<HostState> {
  const isRoot = process.getuid?.() === 0
  const isLinux = process.platform === 'linux'
  const kernelTools = findKernelTools()
  const missing =
    kernelTools.ok || kernelTools.failure.code !== 'tool-missing' ? [] : [kernelTools.failure.facts.package]
  return {
    platform: process.platform,
    qemu: await describeQemu(),
    elevation: {
      needed: !isRoot,
      found: isRoot || !isLinux || existsSync('/usr/bin/pkexec'),
      remedy: 'sudo apt install pkexec polkitd',
    },
    kernelEngine: {
      found: isLinux && kernelTools.ok,
      missing,
      remedy: missing.length === 0 ? '' : `sudo apt install ${missing.join(' ')}`,
    },
  }
}
