import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { topicChannel, type TopicName } from '../../src/shared/ipc/channels'
import type { ListedDrive, TopicValue } from '../../src/shared/ipc/contract'
import { axeViolations, openTestWindow, type TestWindow } from '../support/window'
import { disks, freeDrive, mountedDrive, systemDrive, twinDrives } from '../window/support/samples'

const longName = `Boot disk, ${'do not choose '.repeat(6)}${'W'.repeat(60)}`
/** A drive that makes itself as broad as it can. */
const hostileDrive: ListedDrive = {
  ...freeDrive,
  ...{ key: 'hostile', device: '/dev/sde', name: longName, nameToType: longName, serial: 'A'.repeat(200) },
  volumes: freeDrive.volumes.map((volume) => ({ ...volume, label: 'W'.repeat(200) })),
}
const crowdedDrive: ListedDrive = {
  ...mountedDrive,
  ...{ key: 'crowded', device: '/dev/sdf', name: 'Crowded', nameToType: 'Crowded' },
  volumes: Array.from({ length: 100 }, (_, index) => ({
    ...freeDrive.volumes[0],
    ...{
      device: `/dev/sdf${index + 1}`,
      label: 'DATA',
      fileSystem: 'ext4',
      mountpoints: [],
      usedBytes: null,
    },
    ...{ sizeBytes: 150_000_000, startBytes: 1_048_576 + index * 155_000_000 },
  })),
}

/** The sheet and the drive page in real Electron, over drives that no test could plug in. */
describe('what is shown of a drive', () => {
  let folder = ''
  let window: TestWindow

  /** Shows a state in the place of the main process's own, which is sent no more. */
  async function show<N extends TopicName>(name: N, value: TopicValue<N>): Promise<void> {
    await window.app.evaluate(
      ({ BrowserWindow }, { channel, shown }) => {
        const contents = BrowserWindow.getAllWindows()[0]?.webContents
        if (contents === undefined) throw new Error('no window')
        type Send = typeof contents.send
        const kept = contents as typeof contents & { ownSend?: Send }
        const send = kept.ownSend ?? contents.send.bind(contents)
        kept.ownSend = send
        contents.send = () => undefined
        send(channel, shown)
      },
      { channel: topicChannel(name), shown: value },
    )
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'slipway-e2e-'))
    window = await openTestWindow(folder, { DOCKER_HOST: `unix://${folder}/nobody.sock` })
    await window.page
      .getByRole('listbox', { name: 'Drives' })
      .or(window.page.getByText('Plug in'))
      .first()
      .waitFor()
    await window.page.emulateMedia({ reducedMotion: 'reduce' })
    await show('disks', disks)
  })
  afterAll(async () => {
    await window.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function closeSheet(): Promise<void> {
    const sheet = window.page.getByRole('dialog')
    if (await sheet.isVisible()) await sheet.getByRole('button', { name: 'Close' }).click()
    await sheet.waitFor({ state: 'detached' })
  }
  afterEach(closeSheet)

  /** What is broader than its place, and so is cut off or has to be scrolled sideways. */
  function tooBroad(): Promise<string[]> {
    return window.page.evaluate(() =>
      [...document.querySelectorAll('[role=dialog] *, main *')]
        .filter((element) => element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1)
        .filter((element) => getComputedStyle(element).textOverflow !== 'ellipsis')
        .map((element) => `${element.tagName} ${element.className}`),
    )
  }

  const cases: [string, ListedDrive[], RegExp[]][] = [
    ['one drive', [freeDrive], [/sdb/]],
    ['several, alike and mounted', [...twinDrives, mountedDrive, systemDrive], [/sdb/, /sdd/, /sdc/]],
    ['one with names that take all the room', [hostileDrive], [/sde/]],
    ['one with a hundred volumes', [crowdedDrive], [/sdf/]],
  ]
  it.each(cases)('fits the sheet at its smallest, in light and dark: %s', async (name, drives, choices) => {
    const { app, page } = window
    await app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]?.setContentSize(860, 560))
    await show('drives', drives)
    await page.getByRole('option', { name: /my-machine\.img/ }).click()
    await page.getByRole('button', { name: 'Write to a stick…' }).click()
    const sheet = page.getByRole('dialog')
    for (const choice of choices) await sheet.getByRole('option', { name: choice }).click()
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      expect(await tooBroad()).toEqual([])
      expect(await axeViolations(page)).toEqual([])
      await window.picture(`sheet-${name.split(/\W/, 3).join('-')}-${colorScheme}`)
    }
    await closeSheet()
    await page.getByRole('listbox', { name: 'Drives' }).getByRole('option').first().click()
    expect(await tooBroad()).toEqual([])
    expect(await axeViolations(page)).toEqual([])
    await window.picture(`drive-${name.split(/\W/, 3).join('-')}`)
  })
})
