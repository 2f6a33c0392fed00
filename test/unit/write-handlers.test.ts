import type { BrowserWindow, MessageBoxOptions, MessageBoxReturnValue } from 'electron'
import { beforeEach, expect, test, vi } from 'vitest'
import { createImageFiles } from '../../src/main/app/image-files'
import { listedDrives } from '../../src/main/drives/watch'
import { buildOntoDrives } from '../../src/main/flash/straight'
import { createWriteHandlers } from '../../src/main/ipc/write-handlers'
import { createJobManager } from '../../src/main/jobs/manager'
import type { Library } from '../../src/main/library/library'
import type { TreeSource } from '../../src/main/source/tree-source'
import { fail, ok } from '../../src/shared/failure'
import { defaultBuildSettings } from '../../src/shared/image'
import { describeFailure } from '../../src/shared/sentences'
import { drivesOf } from '../../src/main/drives/linux/drives'
import { machine, nvmeMounts, nvmeRoot, usbStick } from '../support/machine'

type ShowMessageBox = (window: BrowserWindow, options: MessageBoxOptions) => Promise<MessageBoxReturnValue>
const showMessageBox = vi.hoisted(() => vi.fn<ShowMessageBox>())
vi.mock('electron', () => ({ dialog: { showMessageBox } }))
vi.mock('../../src/main/flash/straight', () => ({
  buildOntoDrives: vi.fn<typeof buildOntoDrives>(() => Promise.resolve(ok(null))),
}))

/** Answers the system's dialog with its button of this number. */
function answer(response: number): void {
  showMessageBox.mockReset()
  showMessageBox.mockResolvedValue({ response, checkboxChecked: false })
}
beforeEach(() => {
  answer(1)
})

const settings = { ...defaultBuildSettings, table: 'gpt' as const }
const tree = { prepare: null } as TreeSource
const listed = listedDrives(
  drivesOf(machine({ blocks: [nvmeRoot(), usbStick('sdb')], mounts: nvmeMounts }), { paths: [], files: [] }),
  false,
)
const stick = listed.find(({ bus }) => bus === 'usb')
if (stick === undefined) throw new Error('no stick')

function handlers(file: string | null): ReturnType<typeof createWriteHandlers> {
  return createWriteHandlers(
    {
      window: null as unknown as BrowserWindow,
      drives: { read: () => listed, subscribe: () => () => undefined },
      library: null as unknown as Library,
      jobs: createJobManager(() => undefined),
      imageFiles: createImageFiles(),
      needed: () => ['/usr/lib/slipway'],
    },
    (id) => (id === 'image-1' ? ok({ source: tree, file }) : fail('image-gone', { image: id })),
  )
}

const typed = { driveKey: stick.key, confirmation: stick.name, unmount: true, expert: null }

for (const file of [null, '/media/ada/server.tar'])
  test(`an image is built onto the drive that was confirmed (${file === null ? 'of an engine' : 'of a file'})`, async () => {
    vi.mocked(buildOntoDrives).mockClear()
    const source = { kind: 'image' as const, id: 'image-1', settings }
    const answer = await handlers(file).flashDisk({
      source,
      targets: [typed],
      everything: false,
      eject: true,
    })
    expect(answer.ok).toBe(true)
    await expect.poll(() => vi.mocked(buildOntoDrives).mock.calls.length).toBe(1)
    const input = vi.mocked(buildOntoDrives).mock.calls[0]?.[1]
    expect(input).toMatchObject({ settings, verify: true, eject: true })
    expect(input?.source).toBe(tree)
    // The archive that is read must not lie on the drive that is written.
    expect(input?.needed).toEqual(['/usr/lib/slipway', ...(file === null ? [] : [file])])
    const [target] = input?.targets ?? []
    expect(target).toMatchObject({ confirmation: stick.name, unmount: true, expert: null })
    expect(target?.drive).toMatchObject({ device: '/dev/sdb', serial: stick.serial })
    expect(target?.drive).not.toHaveProperty('key')
  })

test('the system asks before a drive is erased, by what the main process knows of it, and Cancel is the default', async () => {
  vi.mocked(buildOntoDrives).mockClear()
  answer(0)
  const source = { kind: 'image' as const, id: 'image-1', settings }
  const ask = { source, targets: [typed], everything: false, eject: false }
  expect(await handlers(null).flashDisk(ask)).toEqual(fail('write-declined', {}))
  expect(buildOntoDrives).not.toHaveBeenCalled()
  expect(showMessageBox).toHaveBeenCalledTimes(1)
  expect(showMessageBox.mock.calls[0]?.[1]).toMatchObject({
    message: 'Erase this drive and write to it?',
    detail: 'SanDisk Ultra, 32 GB, sdb, serial number 4C530001\n\nEverything on it will be lost.',
    buttons: ['Cancel', 'Erase and write'],
    defaultId: 0,
    cancelId: 0,
  })
})

test('nothing is begun for an image or a drive that is gone', async () => {
  vi.mocked(buildOntoDrives).mockClear()
  const { flashDisk } = handlers(null)
  const ask = (id: string, driveKey: string): ReturnType<typeof flashDisk> =>
    flashDisk({
      ...{ source: { kind: 'image', id, settings }, everything: false, eject: false },
      targets: [{ ...typed, driveKey }],
    })
  expect(await ask('other', stick.key)).toMatchObject({ ok: false, failure: { code: 'image-gone' } })
  const gone = await ask('image-1', 'other')
  expect(!gone.ok && describeFailure(gone.failure)).toMatchObject({
    happened: 'There is no such drive any more.',
    kept: 'Nothing was written.',
  })
  expect(buildOntoDrives).not.toHaveBeenCalled()
})
