import type { ImageFacts } from '../../../shared/image'
import type { MachineSettings } from '../../../shared/machine'
import type { MachineError, MachineField } from './rules'

/** Changes the settings as they are then: hashing ends when other fields may have changed. */
export type ChangeMachine = (change: (machine: MachineSettings) => MachineSettings) => void

/** What every part of the machine's form is given. */
export interface MachineFormProps {
  facts: ImageFacts
  machine: MachineSettings
  onChange: ChangeMachine
  /** All settings that cannot be used now. */
  errors: readonly MachineError[]
}

/** Why one of some fields cannot be used, or null. */
export function errorOf(errors: readonly MachineError[], ...fields: MachineField[]): string | null {
  return errors.find(({ field }) => fields.includes(field))?.sentence ?? null
}

/** What is typed into a field that may stay empty. */
export function textOrNull(text: string): string | null {
  return text.trim() === '' ? null : text
}
