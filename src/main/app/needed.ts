import { dataRootOf } from '../docker/data-root'
import type { EngineWatcher } from '../docker/watch'
import { libraryFolder } from '../library/library'

/**
 * Follows what no drive may take away: this program, its list of disks, and what the Docker Engine keeps while one
 * answers.
 * @param engine is asked whenever its state changes
 * @returns the paths as they are known now; links are not followed yet
 */
export function watchNeeded(engine: EngineWatcher): () => readonly string[] {
  const own = [process.execPath, __dirname, libraryFolder(process.env)]
  let dataRoot: string | null = null
  const ask = async (): Promise<void> => {
    const current = engine.engine()
    // An engine that was stopped keeps what it has.
    if (current.ok) dataRoot = (await dataRootOf(current.value.docker)) ?? dataRoot
  }
  engine.onState(() => void ask())
  return () => (dataRoot === null ? own : [...own, dataRoot])
}
