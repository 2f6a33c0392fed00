import { readFile } from 'node:fs/promises'
import { fail, ok, type Result } from '../../shared/failure'
import { machineSettingsSchema, type MachineSettings } from '../../shared/machine'

/**
 * Reads settings of a machine from a file: JSON with those that are to differ from the defaults.
 * @param path as typed
 * @param defaults for all others
 * @returns `not-found`, or `setting-invalid` with the first setting that is wrong
 */
export async function readMachineFile(
  path: string,
  defaults: MachineSettings,
): Promise<Result<MachineSettings>> {
  let text
  try {
    text = await readFile(path, 'utf8')
  } catch {
    return fail('not-found', { what: `file ${path}` })
  }
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return fail('setting-invalid', { setting: path, reason: 'the file is not JSON' })
  }
  const parsed = machineSettingsSchema.partial().strict().safeParse(raw)
  // JSON has no undefined, which the type alone cannot say.
  if (parsed.success) {
    const given = parsed.data as Partial<MachineSettings>
    // Few adapters for Wi-Fi work without.
    const isSaid = Object.hasOwn(raw as object, 'deviceFirmware')
    const deviceFirmware = isSaid
      ? given.deviceFirmware === true
      : given.wifi != null || defaults.deviceFirmware
    return ok({ ...defaults, ...given, deviceFirmware })
  }
  const [issue] = parsed.error.issues
  const setting = issue?.path.join('.') ?? ''
  return fail('setting-invalid', {
    setting: setting === '' ? path : setting,
    reason: (issue?.message ?? 'it is wrong').replace(/\.$/, ''),
  })
}
