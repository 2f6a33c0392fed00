import { formatAge, formatBytes } from '../../shared/amounts'
import { errorText, findEngine } from '../docker/connect'
import { listImages } from '../docker/images'
import { fail } from '../../shared/failure'
import type { ExitCode, Reporter } from './reporter'
import { table } from './table'

/** `slipway images`. */
export async function runImages(reporter: Reporter): Promise<ExitCode> {
  const engine = await findEngine()
  if (!engine.ok) return reporter.fail(engine.failure)
  let images
  try {
    images = await listImages(engine.value.docker)
  } catch (error) {
    return reporter.fail(fail('engine-lost', { detail: errorText(error) }).failure)
  }
  const { name, version, socket } = engine.value
  const rows = images.flatMap((image) =>
    (image.names.length === 0 ? [image.id.slice(7, 19)] : image.names).map((imageName) => [
      imageName,
      image.architecture,
      formatBytes(image.sizeBytes),
      formatAge(Date.now() - image.createdAt),
    ]),
  )
  const text = rows.length === 0 ? `${name} at ${socket} has no images.` : table(rows)
  return reporter.succeed({ engine: { name, version, socket }, images }, text)
}
