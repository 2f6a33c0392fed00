import { useCallback, useEffect, useState } from 'react'
import type { BuildSettings } from '../../../shared/image'
import type { Failure } from '../../../shared/failure'
import type { CallValue } from '../../../shared/ipc/contract'
import { useApi } from '../../api/api'

export interface Inspection {
  facts: CallValue<'inspectImage'>
  estimate: CallValue<'estimateBuild'>
  /** What was last chosen for images of this name, or null. */
  saved: BuildSettings | null
}

/**
 * Looks into an image, and what a disk of it would need.
 * @param imageId the image; the caller gives its component this as its key
 * @param occasion asks anew when it changes: where a disk would go depends on the disks that are there
 * @returns the inspection and the failure, both null while it is under way, and a way to ask again
 */
export function useInspection(
  imageId: string,
  occasion: number,
): { inspection: Inspection | null; failure: Failure | null; again: () => void } {
  const call = useApi()
  const [inspection, setInspection] = useState<Inspection | null>(null)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    let current = true
    void Promise.all([
      call('inspectImage', { imageId }),
      call('estimateBuild', { imageId }),
      call('readSettings', { imageId }),
    ]).then(([facts, estimate, saved]) => {
      if (!current) return
      if (!facts.ok) setFailure(facts.failure)
      else if (!estimate.ok) setFailure(estimate.failure)
      else {
        setFailure(null)
        // Settings that cannot be read are no reason to keep somebody from building: the defaults serve.
        setInspection({
          facts: facts.value,
          estimate: estimate.value,
          saved: saved.ok ? saved.value : null,
        })
      }
    })
    return () => {
      current = false
    }
  }, [call, imageId, occasion, attempt])
  const again = useCallback(() => {
    setFailure(null)
    setAttempt((count) => count + 1)
  }, [])
  return { inspection, failure, again }
}
