import { createInterface } from 'node:readline/promises'

/** @param {string} text one line for the person who started the script */
export function say(text) {
  process.stdout.write(`${text}\n`)
}

/**
 * Asks a question that is answered by yes or no; without a terminal nobody is there, and the answer is yes.
 * @param {string} question
 * @returns {Promise<boolean>}
 */
export async function agreed(question) {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    return true
  }
  const dialog = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await dialog.question(`${question} [Y/n] `)
    return /^(y|yes)?$/i.test(answer.trim())
  } finally {
    dialog.close()
  }
}
