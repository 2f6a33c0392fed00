import { fireEvent, screen, waitFor, within } from '@testing-library/react'
import { describe, expect, it } from 'vitest'
import {
  defaultBuildSettings,
  defaultSettingsFor,
  type BuildSettings,
  type ImageFacts,
} from '../../src/shared/image'
import type { CallValue } from '../../src/shared/ipc/contract'
import type { JobSnapshot } from '../../src/shared/job'
import { plainMachineSettings } from '../../src/shared/machine'
import type { FakeApi } from './support/fake-api'
import { change, chooseIn, isEnabled, openWindow, press } from './support/open-window'
import { applicationFacts, buildJob, ended, fullTopics, machineFacts } from './support/samples'

const proposal: CallValue<'proposeDockerfile'> = {
  dockerfile: `FROM ${applicationFacts.id}\nRUN apt-get install --yes linux-image-amd64 systemd-sysv\n`,
  family: 'debian',
  proven: true,
  adds: ['linux-image-amd64', 'systemd-sysv'],
}

async function openImage(
  proposed = proposal,
  facts: ImageFacts = applicationFacts,
  saved: BuildSettings | null = null,
): Promise<FakeApi> {
  const fake = await openWindow(fullTopics)
  fake.answer('inspectImage', { ok: true, value: facts })
  fake.answer('proposeDockerfile', { ok: true, value: proposed })
  fake.answer('readSettings', { ok: true, value: saved })
  await chooseIn('Images', 'tiny-app:latest')
  return fake
}

async function openApplication(...given: Parameters<typeof openImage>): Promise<FakeApi> {
  const fake = await openImage(...given)
  await waitFor(() => screen.getByRole('button', { name: 'Show how' }))
  return fake
}

function note(): string {
  return document.querySelector('#build-note')?.textContent ?? ''
}

async function edit(text: string): Promise<void> {
  await change(() => fireEvent.change(screen.getByLabelText('Dockerfile'), { target: { value: text } }))
}

describe('an image with only an application', () => {
  it('is said to get what it lacks, from which packages, and the button says what will happen', async () => {
    const fake = await openApplication()
    const tabs = screen.getAllByRole('tab').map(({ textContent }) => textContent)
    expect(tabs[3]).toBe('Kernelfrom DebianSlipway adds it')
    expect(tabs[4]).toBe('InitsystemdSlipway adds it')
    expect(note()).toContain('Prepares the image first: 2 packages of Debian.')
    await change(() => screen.getByRole('tab', { name: /^Kernel/ }).click())
    const panel = screen.getByRole('tabpanel').textContent
    expect(panel).toContain('No Linux kernel.')
    expect(panel).toContain('linux-image-amd64 systemd-sysv')
    expect(panel).not.toContain('Unproven')
    await press('Prepare and build disk')
    expect(fake.inputsOf('buildDisk')[0]?.settings).toMatchObject({
      preparation: { dockerfile: null, anew: false },
      machine: { growRoot: true, network: { kind: 'dhcp' }, runCommand: true },
    })
  })

  it('says that a recipe is unproven, wherever it is named', async () => {
    await openApplication({ ...proposal, family: 'alpine', proven: false })
    expect(note()).toContain('of Alpine (unproven).')
    await change(() => screen.getByRole('tab', { name: /^Kernel/ }).click())
    expect(screen.getByRole('tabpanel').textContent).toContain('Unproven: no machine was booted yet')
    await press('Show how')
    expect(screen.getByRole('dialog').textContent).toContain('Unproven: no machine was booted yet')
  })

  it('shows its Dockerfile, takes a changed one, says what that leaves out, and goes back', async () => {
    const fake = await openApplication()
    await press('Show how')
    const dialog = within(screen.getByRole('dialog', { name: 'How tiny-app:latest is prepared' }))
    expect(dialog.getByLabelText<HTMLTextAreaElement>('Dockerfile').value).toBe(proposal.dockerfile)
    expect(isEnabled('Reset')).toBe(false)
    const changed = 'FROM scratch\nRUN apt-get install --yes linux-image-amd64\n'
    await edit(changed)
    expect(screen.getByRole('dialog').textContent).toContain('Slipway’s own would also add systemd-sysv.')
    await press('Done')
    await press('Prepare and build disk')
    expect(fake.inputsOf('buildDisk')[0]?.settings.preparation).toEqual({ dockerfile: changed, anew: false })
    await press('Show how')
    await press('Reset')
    expect(screen.getByLabelText<HTMLTextAreaElement>('Dockerfile').value).toBe(proposal.dockerfile)
    await edit(' \n')
    await press('Done')
    expect(note()).toContain('The Dockerfile of the preparation is empty.')
    expect(isEnabled('Prepare and build disk')).toBe(false)
  })

  it('takes a saved Dockerfile for the image as it is now', async () => {
    const saved: BuildSettings = {
      ...defaultBuildSettings,
      preparation: { dockerfile: `FROM sha256:${'0'.repeat(64)}\nRUN true\n`, anew: false },
    }
    const fake = await openApplication(proposal, applicationFacts, saved)
    await press('Prepare and build disk')
    expect(fake.inputsOf('buildDisk')[0]?.settings.preparation).toEqual({
      dockerfile: `FROM ${applicationFacts.id}\nRUN true\n`,
      anew: false,
    })
  })

  it('is prepared anew when asked to, for this once', async () => {
    const fake = await openApplication()
    await press('Show how')
    await change(() => screen.getByRole('checkbox', { name: /^Prepare anew/ }).click())
    await press('Done')
    expect(note()).toContain('Prepares the image anew first')
    await press('Prepare and build disk')
    expect(fake.inputsOf('buildDisk')[0]?.settings.preparation).toEqual({ dockerfile: null, anew: true })
    await waitFor(() => expect(fake.inputsOf('saveSettings')).not.toEqual([]))
    expect(fake.inputsOf('saveSettings').at(-1)?.settings.preparation?.anew).toBe(false)
  })

  it('cannot be built where its architecture is unknown or cannot be prepared, and says so at the link', async () => {
    const fake = await openImage(proposal, { ...applicationFacts, architecture: 'arm64' })
    expect(note()).toContain('Cannot be prepared here: the image is for arm64 computers')
    expect(screen.getAllByRole('tab')[3]?.textContent).toContain('cannot be added here')
    expect(isEnabled('Prepare and build disk')).toBe(false)
    expect(isEnabled(/^Write to a stick/)).toBe(false)
    const runs = (emulated: string[] | null): void =>
      fake.set('engine', {
        ...{ state: 'ready', name: 'Docker', version: '27.3.1', socket: '/var/run/docker.sock' },
        architectures: { own: 'amd64', emulated },
      })
    await change(() => runs(['arm64']))
    expect(isEnabled('Prepare and build disk')).toBe(true)
    expect(note()).not.toContain('arm64')
    // Nobody knows before it is tried: it can be tried.
    await change(() => runs(null))
    expect(isEnabled('Prepare and build disk')).toBe(true)
    expect(note()).toContain('where Docker cannot run its programs')
  })

  it('says that there is no boot loader for its architecture', async () => {
    await openWindow(fullTopics).then((fake) =>
      fake.answer('inspectImage', { ok: true, value: { ...machineFacts, architecture: 's390x' } }),
    )
    await chooseIn('Images', 'my-machine:latest')
    expect(note()).toContain('is for s390x computers. Slipway can make disks for amd64 and arm64.')
    expect(screen.getByRole('tab', { selected: true }).textContent).toBe(
      'Boot loadernone for s390xcannot boot',
    )
    expect(screen.getByRole('tabpanel').textContent).toContain('the image is for s390x computers')
    expect(isEnabled('Build disk')).toBe(false)
  })

  it('says before it is prepared what its distribution has no package for', async () => {
    const alpine: ImageFacts = {
      ...applicationFacts,
      ...{ recipe: { family: 'alpine', proven: false }, init: { kind: 'busybox', path: '/sbin/init' } },
    }
    const saved = {
      ...defaultSettingsFor(alpine),
      machine: { ...plainMachineSettings, locale: 'de_DE.UTF-8' },
    }
    await openImage({ ...proposal, family: 'alpine' }, alpine, saved)
    expect(screen.getAllByRole('tab')[4]?.textContent).toContain('InitOpenRC')
    expect(note()).toContain('Slipway knows no package that brings what the language needs')
    expect(isEnabled('Prepare and build disk')).toBe(false)
  })

  it('can be prepared by a Dockerfile of one’s own where there is no recipe', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('inspectImage', { ok: true, value: { ...applicationFacts, recipe: null } })
    await chooseIn('Images', 'tiny-app:latest')
    expect(isEnabled('Build disk')).toBe(false)
    await press('Write a Dockerfile for it…')
    const given = screen.getByLabelText<HTMLTextAreaElement>('Dockerfile').value
    expect(given).toContain('# It lacks: a kernel, an initial RAM disk, an init system.')
    expect(given).toContain(`FROM ${applicationFacts.id}`)
    await edit(`${given}RUN install-a-kernel\n`)
    await press('Done')
    expect(note()).toContain('Prepares the image first, by your Dockerfile.')
    expect(screen.getAllByRole('tab')[3]?.textContent).toContain('your Dockerfile')
    await press('Prepare and build disk')
    expect(fake.inputsOf('buildDisk')[0]?.settings.preparation).toEqual({
      dockerfile: `${given}RUN install-a-kernel\n`,
      anew: false,
    })
    // Without a change it would install nothing.
    await press('Show how')
    await press('Reset')
    await press('Done')
    expect(isEnabled('Build disk')).toBe(false)
    expect(fake.inputsOf('proposeDockerfile')).toEqual([])
  })

  it('shows the preparation at work, and a step that failed with its own error', async () => {
    const fake = await openApplication()
    await press('Prepare and build disk')
    const preparing = { ...buildJob, phase: 'image', fraction: 0, bytesPerSecond: null, remaining: null }
    await change(() => fake.set('jobs', [preparing as JobSnapshot]))
    const foot = screen.getByRole('contentinfo', { name: 'Work in progress' })
    expect(foot.textContent).toContain('Preparing the image')
    expect(foot.textContent).not.toContain('%')
    expect(within(foot).getByRole('progressbar').getAttribute('aria-valuenow')).toBeNull()
    fake.answer('readJobLog', { ok: true, value: ['Step 2/3 : RUN apt-get update', 'E: no such package'] })
    await press('Log')
    await waitFor(() => within(foot).getByText(/E: no such package/))
    await change(() =>
      fake.set('jobs', [
        {
          ...ended(buildJob, 'cancelled'),
          state: 'failed',
          failure: {
            code: 'preparation-failed',
            facts: {
              image: 'tiny-app:latest',
              reason: 'step',
              step: 'RUN apt-get install --yes nothing',
              output: 'Reading package lists...\nE: Unable to locate package nothing',
            },
          },
        } as JobSnapshot,
      ]),
    )
    const alert = within(foot).getByRole('alert').textContent
    expect(alert).toContain('RUN apt-get install --yes nothing')
    expect(alert).toContain('E: Unable to locate package nothing')
    expect(alert).toContain('The image tiny-app:latest is as it was')
  })
})

describe('an image that boots', () => {
  it('is prepared only for what the settings need', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('proposeDockerfile', { ok: true, value: { ...proposal, adds: ['openssh-server'] } })
    await chooseIn('Images', 'my-machine:latest')
    await change(() => screen.getByRole('tab', { name: /^Init/ }).click())
    expect(isEnabled('Build disk')).toBe(true)
    await press(/^Remote login/)
    await change(() => screen.getByRole('checkbox', { name: /Let people log in/ }).click())
    await waitFor(() => expect(note()).toContain('1 package of Debian.'))
    expect(screen.getByRole('tabpanel').textContent).toContain('openssh-server')
    await change(() => screen.getByRole('checkbox', { name: /Let people log in/ }).click())
    expect(isEnabled('Build disk')).toBe(true)
    expect(note()).not.toContain('Prepares')
  })

  it('says which setting it cannot have without a recipe', async () => {
    const fake = await openWindow(fullTopics)
    fake.answer('inspectImage', { ok: true, value: { ...machineFacts, recipe: null } })
    await chooseIn('Images', 'my-machine:latest')
    await change(() => screen.getByRole('tab', { name: /^Init/ }).click())
    await press(/^Remote login/)
    await change(() => screen.getByRole('checkbox', { name: /Let people log in/ }).click())
    expect(note()).toContain('The image my-machine:latest lacks what the SSH server needs.')
    expect(isEnabled('Build disk')).toBe(false)
  })
})
