import { benchConvert } from './bench/convert.mjs'
import { benchFlash } from './bench/flash.mjs'
import { benchPreview } from './bench/preview.mjs'
import { cleanUp } from './setup/clean-up.mjs'
import { say } from './setup/talk.mjs'

/** `npm run bench -- NAME`: measures Slipway against what else does the job, in turn, on this machine. */
const benches = { convert: benchConvert, flash: benchFlash, preview: benchPreview }

const bench = benches[process.argv[2]]
if (bench === undefined) {
  say(`npm run bench -- ${Object.keys(benches).join('|')}`)
  process.exitCode = 2
} else {
  try {
    await bench()
  } catch (error) {
    say(error.stack)
    process.exitCode = 1
  } finally {
    await cleanUp()
  }
}
