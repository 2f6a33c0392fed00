import type { AddedEntry } from '../edits'

/**
 * A file of text to add.
 * @param path without a leading slash
 * @param lines without their ends; UTF-8
 * @param mode permission bits
 */
export function textFile(path: string, lines: readonly string[], mode = 0o644): AddedEntry {
  return { path, kind: 'file', mode, content: Buffer.from(`${lines.join('\n')}\n`, 'utf8') }
}

/** A symbolic link to add. */
export function linkTo(path: string, target: string): AddedEntry {
  return { path, kind: 'symlink', mode: 0o777, target }
}

/**
 * A word for the shell, whatever is in it (POSIX.1-2017, Shell Command Language, 2.2.2): within single quotes nothing
 * means anything but the quote itself.
 */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** The lines of a file of the image, without empty ones at its end. Not by a pattern: `\n+$` takes the square of their number. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n')
  let count = lines.length
  while (count > 0 && lines[count - 1] === '') count--
  return lines.slice(0, count)
}
