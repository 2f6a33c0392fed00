import { expect, it } from 'vitest'
import { FINISHED_LABEL, PREPARED_LABEL } from '../../src/main/docker/container'
import { listImages } from '../../src/main/docker/images'
import { pretendEngine, sendJson } from '../support/pretend-engine'

it('lists what people build of a prepared image, and neither that nor what is left of one', async () => {
  const finished = { [PREPARED_LABEL]: 'a', [FINISHED_LABEL]: 'a' }
  const image = (Id: string, RepoTags: string[] | null, Labels: Record<string, string> | null) => ({
    ...{ Id, RepoTags, Labels, Size: 1, Created: 0 },
  })
  const engine = await pretendEngine(({ url }, response) => {
    if (url.startsWith('/images/json')) {
      sendJson(response, [
        image('sha256:plain', ['debian:12'], null),
        image('sha256:prepared', ['slipway/prepared:0123456789ab'], finished),
        image('sha256:podman', ['localhost/slipway/prepared:0123456789ab'], finished),
        image('sha256:broken', null, { [PREPARED_LABEL]: 'a' }),
        // Of a preparation of what somebody built of a prepared one.
        image('sha256:broken-again', ['<none>:<none>'], { ...finished, [PREPARED_LABEL]: 'b' }),
        image('sha256:derived', ['mine:1'], finished),
        image('sha256:nameless', null, finished),
      ])
    } else sendJson(response, { Architecture: 'amd64' })
  })
  try {
    const ids = (await listImages(engine.docker)).map(({ id }) => id)
    expect(ids).toEqual(['sha256:derived', 'sha256:plain', 'sha256:nameless'])
  } finally {
    await engine.stop()
  }
})
