import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The directory of the checkout. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Where downloads are kept between runs (XDG Base Directory Specification, XDG_CACHE_HOME). */
export const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway')
