import type Docker from 'dockerode'
import { Readable } from 'node:stream'
import { fail, ok, type Result } from '../../shared/failure'
import type { JobContext } from '../../shared/job'
import { containerFiles } from '../docker/archive'
import { asReadable, errorText, statusCode } from '../docker/connect'
import { createUnstarted, engineFailure } from '../docker/container'
import type { TreeFiles } from '../source/tree-files'
import { networkOption, watchBuild } from './build-image'
import { contextTar } from './context-tar'

/** Another number when the Dockerfile below changes. The image stays in the engine; nothing removes it. */
export const LOADER_IMAGE = 'slipway/boot-loaders:1'

/**
 * Debian's boot loaders, unpacked and not installed: so nothing of them runs, and one image has those for all kinds
 * of computers, whatever the engine's own is.
 */
const dockerfile = `FROM debian:12
RUN dpkg --add-architecture amd64 && dpkg --add-architecture arm64 && apt-get update \\
 && mkdir /packages && cd /packages \\
 && apt-get -o APT::Sandbox::User=root download extlinux:amd64 syslinux-common:all \\
    grub-efi-amd64-bin:amd64 grub-efi-amd64-signed:amd64 shim-signed:amd64 \\
    grub-efi-arm64-bin:arm64 grub-efi-arm64-signed:arm64 shim-signed:arm64 \\
 && for package in *.deb; do dpkg -x "$package" / || exit 1; done \\
 && rm -rf /packages /var/lib/apt/lists/*
`

/**
 * The files of an image with boot loaders, which the engine builds when it does not have it yet.
 * @param docker the engine
 * @param context of the job; the builder's output goes to its log, and a container to read from lasts as long as it
 * @returns `tool-missing` when it could not be built, `engine-lost`, `engine-refused`
 * @throws the signal's reason when cancelled
 */
export async function loaderFiles(
  docker: Docker,
  context: Pick<JobContext, 'signal' | 'log' | 'defer'>,
): Promise<Result<TreeFiles>> {
  const { signal, log, defer } = context
  try {
    await docker.getImage(LOADER_IMAGE).inspect()
  } catch (error) {
    if (statusCode(error) !== 404) return { ok: false, failure: engineFailure(error, LOADER_IMAGE) }
    log(`no boot loaders here: the engine makes ${LOADER_IMAGE}`)
    const built = await build(docker, context)
    if (!built.ok) return built
  }
  const created = await createUnstarted(docker, LOADER_IMAGE)
  if (!created.ok) return created
  defer(created.value.remove)
  signal.throwIfAborted()
  return ok(containerFiles(created.value.container, signal))
}

async function build(
  docker: Docker,
  { signal, log }: Pick<JobContext, 'signal' | 'log'>,
): Promise<Result<null>> {
  const watcher = watchBuild(log)
  try {
    const answer = await docker.buildImage(Readable.from([contextTar('Dockerfile', dockerfile)]), {
      t: LOADER_IMAGE,
      rm: true,
      forcerm: true,
      ...networkOption(),
      abortSignal: signal,
    })
    for await (const chunk of asReadable(answer)) watcher.push(chunk as Buffer)
  } catch (error) {
    signal.throwIfAborted()
    if (statusCode(error) === null) return { ok: false, failure: engineFailure(error, LOADER_IMAGE) }
    log(errorText(error))
    return missing()
  }
  const failed = watcher.failure()
  if (failed === null) return ok(null)
  log(failed.output)
  return missing()
}

/** Without a network the packages of this computer are the way. */
function missing(): Result<null> {
  return fail('tool-missing', {
    tool: 'extlinux',
    package: 'extlinux syslinux-common grub-efi-amd64-bin',
  })
}
