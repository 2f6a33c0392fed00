#!/usr/bin/env node
import { join } from 'node:path'
import { version } from '../../package.json'
import { assertNever } from '../shared/failure'
import { parseCommand, type Command } from './cli/arguments'
import { helpText } from './cli/help'
import { createReporter, exitCodes, type ExitCode, type Reporter } from './cli/reporter'
import { setDirectWorker } from './convert/engines'
import { setHelperPaths } from './elevation/helper-client'
import { libraryFolder, openLibrary } from './library/library'
import { setTreeThread } from './source/archive/tree-thread'

/** Each command is loaded when it is asked for: all that the others need would take 20 MB and 100 ms. */
async function run(command: Command, reporter: Reporter): Promise<ExitCode> {
  const library = openLibrary(libraryFolder(process.env), (line) => {
    reporter.log(line)
  })
  switch (command.name) {
    case 'help':
      process.stdout.write(helpText(command.topic))
      return exitCodes.done
    case 'version':
      process.stdout.write(`slipway ${version}\n`)
      return exitCodes.done
    case 'images':
      return (await import('./cli/images')).runImages(reporter)
    case 'prepare':
      return (await import('./cli/prepare')).runPrepare(command, reporter)
    case 'build':
      return (await import('./cli/build')).runBuild(command, library, reporter)
    case 'preview':
      return (await import('./cli/preview')).runPreview(command, library, reporter)
    case 'prove':
      return (await import('./cli/prove')).runProve(command, library, reporter)
    case 'drives':
      return (await import('./cli/drives')).runDrives(reporter)
    case 'flash':
      return (await import('./cli/flash')).runFlash(command, reporter)
    default:
      return assertNever(command)
  }
}

async function main(): Promise<void> {
  // Should the program run out of things to wait for before its end, that must not look like success.
  process.exitCode = exitCodes.failed
  // A reader that has seen enough (`slipway images | head -1`) is no error; the work goes on to its end.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  setHelperPaths({ executable: process.execPath, helper: join(__dirname, '../helper/helper.cjs') })
  setDirectWorker(join(__dirname, '../direct/direct.cjs'))
  setTreeThread(join(__dirname, '../archive/archive.cjs'))
  const parsed = parseCommand(process.argv.slice(2))
  if (!parsed.ok) {
    const topic = parsed.topic === null ? '' : ` ${parsed.topic}`
    const reporter = createReporter(parsed.json, process.stdout, process.stderr)
    process.exitCode = reporter.usage(parsed.message, `Help: slipway help${topic}`)
    return
  }
  const { command } = parsed
  const json = 'json' in command && command.json
  const reporter = createReporter(json, process.stdout, process.stderr)
  try {
    process.exitCode = await run(command, reporter)
  } catch (error) {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
    process.exitCode = reporter.fail({ code: 'internal', facts: { detail } })
  }
}

void main()
