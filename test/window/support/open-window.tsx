import { act, cleanup, render, screen, within } from '@testing-library/react'
import { afterEach, vi } from 'vitest'
import { ApiProvider } from '../../../src/renderer/api/api'
import { SlipwayWindow } from '../../../src/renderer/app/slipway-window'
import { PreviewProvider } from '../../../src/renderer/features/preview/sessions'
import { createFakeApi, type FakeApi } from './fake-api'
import type { Topics } from './samples'

afterEach(cleanup)
// Finding by role walks the whole window, and a busy machine made five seconds too few.
vi.setConfig({ testTimeout: 30_000 })

/** Opens the window over a stand-in for the main process, and waits until it has read its topics. */
export async function openWindow(topics: Partial<Topics> = {}): Promise<FakeApi> {
  const fake = createFakeApi(topics)
  render(
    <ApiProvider api={fake.api}>
      <PreviewProvider>
        <SlipwayWindow />
      </PreviewProvider>
    </ApiProvider>,
  )
  await settle()
  return fake
}

/** Lets promises and React come to rest. */
export async function settle(): Promise<void> {
  await act(() => new Promise((resolve) => setTimeout(resolve, 0)))
}

/** Does something, and lets the window come to rest. */
export async function change(action: () => void): Promise<void> {
  act(action)
  await settle()
}

/** Presses a button: a click without a pointer, which React Aria takes for a press by assistive technology. */
export async function press(name: string | RegExp): Promise<void> {
  await change(() => {
    screen.getByRole<HTMLButtonElement>('button', { name }).click()
  })
}

/** An entry of a list, by what it begins with. */
export function entryOf(list: string, entry: string): HTMLElement {
  const options = within(screen.getByRole('listbox', { name: list })).queryAllByRole('option')
  const found = options.find((option) => option.textContent.startsWith(entry))
  if (found === undefined) throw new Error(`${list} has no ${entry}`)
  return found
}

/** Chooses an entry of a list. */
export async function chooseIn(list: string, entry: string): Promise<void> {
  await change(() => {
    entryOf(list, entry).click()
  })
}

/** Whether a button can be pressed. */
export function isEnabled(name: string | RegExp): boolean {
  return !screen.getByRole<HTMLButtonElement>('button', { name }).disabled
}
