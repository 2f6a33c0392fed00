import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkProtected, isProtected } from '../../src/main/elevation/protection'

test.each([
  ['a file of root', { uid: 0, gid: 0, mode: 0o100755 }, true],
  ['one that root’s group may write', { uid: 0, gid: 0, mode: 0o100775 }, true],
  ['one that another group may write', { uid: 0, gid: 50, mode: 0o42775 }, false],
  ['one that everybody may write', { uid: 0, gid: 0, mode: 0o100757 }, false],
  ['a folder like /tmp', { uid: 0, gid: 0, mode: 0o41777 }, false],
  ['a file of a user', { uid: 1000, gid: 1000, mode: 0o100555 }, false],
  ['a link of root', { uid: 0, gid: 0, mode: 0o120777, isLink: true }, true],
  ['a link of a user', { uid: 1000, gid: 0, mode: 0o120777, isLink: true }, false],
])('%s', (_, ownership, expected) => {
  expect(isProtected({ isLink: false, ...ownership })).toBe(expected)
})

test('programs of the system are nobody’s but root’s', async () => {
  expect(await checkProtected(['/usr/bin/env'])).toEqual({ ok: true, value: null })
})

test('what lies where others can exchange it is refused, and so is a link to it and what is not there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-protection-'))
  try {
    const program = join(folder, 'program')
    await writeFile(program, '')
    await symlink('/usr/bin/env', join(folder, 'link'))
    for (const path of [program, join(folder, 'link'), '/usr/bin/no-such-program']) {
      expect(await checkProtected(['/usr/bin/env', path])).toMatchObject({
        ok: false,
        failure: { code: 'elevation-unprotected' },
      })
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
