import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openScope } from '../../src/main/jobs/scope'
import { testEngine, type TestEngine } from '../support/engine'
import { layerOf, machineWords, newDockerSave, tarOf } from '../support/image-archives'
import { ARTIFACTS, axeViolations, openTestWindow } from '../support/window'

describe('days on which something is wrong', () => {
  const scope = openScope()
  let engine: TestEngine
  let folder = ''

  beforeAll(async () => {
    engine = await testEngine()
    scope.defer(() => engine.stop())
    folder = await mkdtemp(join(tmpdir(), 'slipway-e2e-'))
    scope.defer(() => rm(folder, { recursive: true, force: true }))
  })
  afterAll(() => scope.close())

  it('an engine that is not there is said with what to do, and comes back by itself', async () => {
    const socket = join(folder, 'engine.sock')
    const window = await openTestWindow(folder, { DOCKER_HOST: `unix://${socket}` })
    try {
      const { page } = window
      await page.getByRole('status', { name: 'Container engine' }).getByText('not available').waitFor()
      await page.getByText(socket).first().waitFor()
      expect(await axeViolations(page)).toEqual([])
      await window.picture('engine-away')
      await buildsFromArchive(page)
      await symlink(engine.socket, socket)
      await page.getByRole('option', { name: /my-machine/ }).waitFor({ timeout: 15_000 })
      await rm(socket)
    } finally {
      await window.close()
    }
  })

  /** Drops an archive on the window. */
  async function dropArchive(page: Page): Promise<void> {
    const archive = join(folder, 'saved.tar')
    const image = { names: ['in-a-file:1'], layers: [layerOf(machineWords)] }
    await writeFile(archive, tarOf(newDockerSave([image])))
    // Files come to a page by a person's hand alone: the test's are chosen in a field, and dropped from there.
    await page.evaluate(() => {
      const field = Object.assign(document.createElement('input'), { type: 'file', id: 'probe' })
      document.body.append(field)
    })
    await page.setInputFiles('#probe', archive)
    await page.evaluate(() => {
      const field = document.querySelector<HTMLInputElement>('#probe')
      const dataTransfer = new DataTransfer()
      for (const file of field?.files ?? []) dataTransfer.items.add(file)
      field?.remove()
      document.dispatchEvent(new DragEvent('drop', { dataTransfer, cancelable: true }))
    })
    await page.getByRole('option', { name: /in-a-file:1.*File/ }).waitFor()
  }

  /** An archive is dropped on the window, and becomes a disk, without the engine. */
  async function buildsFromArchive(page: Page): Promise<void> {
    await dropArchive(page)
    await page.getByText(/Debian in a file.*from the file/).waitFor()
    expect(await axeViolations(page)).toEqual([])
    await page.screenshot({ path: `${ARTIFACTS}/archive.png` })
    await page.getByRole('button', { name: 'Build disk' }).click()
    await page
      .getByRole('contentinfo')
      .getByRole('button', { name: 'Show the disk' })
      .click({ timeout: 60_000 })
    await page.getByText('in-a-file:1').first().waitFor()
    await rm(join(folder, 'Slipway'), { recursive: true })
  }

  it('without QEMU the page says how to get it, and the rest works', async () => {
    // Programs are found where they lie, whatever PATH says: so Electron gets a view of the files without this one.
    const electron = join(process.env['ELECTRON_OVERRIDE_DIST_PATH'] ?? '', 'electron')
    const withoutQemu = join(folder, 'electron-without-qemu')
    const qemus = ['/usr/bin/qemu-system-x86_64', '/usr/bin/qemu-system-aarch64'].filter((path) =>
      existsSync(path),
    )
    const hiding = qemus.map((path) => `mount --bind /dev/null ${path} && `).join('')
    await writeFile(
      withoutQemu,
      `#!/bin/sh\nexec unshare --mount sh -c '${hiding}exec "$0" "$@"' "${electron}" "$@"\n`,
      { mode: 0o755 },
    )
    const window = await openTestWindow(folder, { DOCKER_HOST: engine.host }, withoutQemu)
    try {
      const { page } = window
      const main = page.getByRole('main')
      await dropArchive(page)
      expect(await page.getByRole('checkbox', { name: 'Prove after build' }).isDisabled()).toBe(true)
      await main.getByText('QEMU is not installed.').waitFor()
      await page.getByRole('button', { name: 'Build disk' }).click()
      await main.getByRole('button', { name: 'Show the disk' }).click({ timeout: 60_000 })
      await main.getByText('There is no preview on this computer: QEMU is not installed.').waitFor()
      await main.getByText(/^sudo \w+ .*qemu/).waitFor()
      expect(await main.getByRole('button', { name: 'Preview' }).isDisabled()).toBe(true)
      expect(await main.getByRole('button', { name: 'Prove that it boots' }).isDisabled()).toBe(true)
      expect(await main.getByRole('button', { name: 'Write to a stick…' }).isEnabled()).toBe(true)
      expect(await axeViolations(page)).toEqual([])
      await window.picture('qemu-away')
    } finally {
      await window.close()
      await rm(join(folder, 'Slipway'), { recursive: true, force: true })
    }
  })

  it('an image without kernel and init is said to be prepared first, and by what', async () => {
    const window = await openTestWindow(folder, { DOCKER_HOST: engine.host })
    try {
      const { page } = window
      await page.getByRole('option', { name: /debian:12/ }).click()
      await page.getByText(/Prepares the image first: \d+ packages of Debian/).waitFor()
      await page.getByRole('button', { name: 'Show how' }).click()
      expect(await page.getByLabel('Dockerfile').inputValue()).toContain('linux-image-amd64')
      expect(await axeViolations(page)).toEqual([])
      await page.getByRole('button', { name: 'Done' }).click()
      // What gets the focus far down in a page scrolls the page, never the window.
      await page.getByRole('tab', { name: /^Init/ }).click()
      await page.getByRole('button', { name: /^Remote login/ }).click()
      await page.getByText('Let people log in').click()
      expect(await page.evaluate(() => document.scrollingElement?.scrollTop)).toBe(0)
      expect(await axeViolations(page)).toEqual([])
      await window.picture('no-kernel')
    } finally {
      await window.close()
    }
  })

  it('a window that is closed in the middle of a build asks, cancels, and leaves nothing half-made', async () => {
    const window = await openTestWindow(folder, { DOCKER_HOST: engine.host })
    const { app, page } = window
    await page.getByRole('option', { name: /my-machine/ }).click()
    await page.getByRole('button', { name: 'Build disk' }).click()
    await page.getByText('Copying files').first().waitFor({ timeout: 60_000 })
    const close = () =>
      app.evaluate(({ BrowserWindow }) => {
        BrowserWindow.getAllWindows()[0]?.close()
      })
    // The system's own dialog cannot be clicked by a test: it is answered in its place.
    const answer = (button: number) =>
      app.evaluate(({ dialog }, chosen) => {
        dialog.showMessageBoxSync = () => chosen
      }, button)
    await answer(0)
    await close()
    await page.getByText('Copying files').first().waitFor()
    await answer(1)
    const ended = once(app.process(), 'exit')
    await close()
    await ended
    expect(await readdir(join(folder, 'Slipway'))).toEqual([])
  })
})
