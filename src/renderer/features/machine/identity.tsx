import { useMemo } from 'react'
import type { MachineSettings } from '../../../shared/machine'
import { ComboBox } from '../../ui/combo-box'
import { TextField } from '../../ui/field'
import { keyboards, locales, timeZones } from './choices'
import { errorOf, textOrNull, type MachineFormProps } from './form'
import styles from './machine.module.css'

/** Host name, time zone, language and keyboard in a few words. */
export function identitySummary({ hostname, timeZone, locale, keyboard }: MachineSettings): string {
  const parts = [hostname, timeZone, locale, keyboard === null ? null : `keyboard ${keyboard}`].filter(
    (part) => part !== null,
  )
  return parts.length === 0 ? 'named after the image' : parts.join(', ')
}

/** What the machine is called, and the time, language and keyboard of the place where it stands. */
export function Identity({ machine, onChange, errors }: MachineFormProps) {
  const zones = useMemo(() => timeZones(), [])
  const languages = useMemo(() => locales(), [])
  return (
    <div className={styles.fields}>
      <TextField
        label="Host name"
        value={machine.hostname ?? ''}
        placeholder="after the image"
        onChange={(text) => onChange((before) => ({ ...before, hostname: textOrNull(text) }))}
        error={errorOf(errors, 'hostname')}
        description="What the machine calls itself on the network."
      />
      <ComboBox
        label="Time zone"
        value={machine.timeZone ?? ''}
        placeholder="as in the image"
        choices={zones}
        onChange={(text) => onChange((before) => ({ ...before, timeZone: textOrNull(text) }))}
        error={errorOf(errors, 'timeZone')}
      />
      <ComboBox
        label="Language"
        value={machine.locale ?? ''}
        placeholder="as in the image"
        choices={languages}
        onChange={(text) => onChange((before) => ({ ...before, locale: textOrNull(text) }))}
        error={errorOf(errors, 'locale')}
      />
      <ComboBox
        label="Keyboard"
        value={machine.keyboard ?? ''}
        placeholder="as in the image"
        choices={keyboards}
        onChange={(text) => onChange((before) => ({ ...before, keyboard: textOrNull(text) }))}
        error={errorOf(errors, 'keyboard')}
      />
    </div>
  )
}
