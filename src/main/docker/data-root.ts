import type Docker from 'dockerode'
import { z } from 'zod'

/** Milliseconds that an engine has to answer; without an answer a drive is judged without it. */
const ANSWER_TIMEOUT = 2000

const information = z.object({ DockerRootDir: z.string().startsWith('/') })

/**
 * Asks an engine where it keeps images and containers, so that no drive that holds them is overwritten.
 * @param docker the engine
 * @returns the folder as the engine names it, or null when it does not say (Engine API, `GET /info`)
 */
export async function dataRootOf(docker: Docker): Promise<string | null> {
  // dockerode takes options here as everywhere, which its types leave out.
  const ask = docker.info.bind(docker) as (options: { abortSignal: AbortSignal }) => Promise<unknown>
  try {
    const answer = await ask({ abortSignal: AbortSignal.timeout(ANSWER_TIMEOUT) })
    return information.parse(answer).DockerRootDir
  } catch {
    return null
  }
}
