/** A here-document that an instruction begins: its lines are data up to the one that is its name. */
interface HereDocument {
  name: string
  /** Whether tabs before the name count for nothing (`<<-`). */
  isIndented: boolean
}

/**
 * Labels all stages of a Dockerfile from their first layer on, so that whatever a broken build leaves can be told.
 * Lines are put together as the builder does it (buildkit, frontend/dockerfile/parser/parser.go): `FROM` in the middle
 * of another instruction, or of its here-document, begins no stage.
 */
export function withLabels(dockerfile: string, labels: Record<string, string>): string {
  const label = `LABEL ${Object.entries(labels)
    .map(([name, value]) => `${name}="${value}"`)
    .join(' ')}`
  const lines = dockerfile.split('\n')
  const continued = escapeOf(lines) === '`' ? /(?:^|[^`])`[ \t]*$/ : /(?:^|[^\\])\\[ \t]*$/
  const labelled: string[] = []
  let instruction = ''
  let documents: HereDocument[] = []
  for (const line of lines) {
    labelled.push(line)
    const text = line.replace(/\r$/, '')
    const [document] = documents
    if (document !== undefined) {
      if ((document.isIndented ? text.replace(/^\t+/, '') : text) === document.name) documents.shift()
      continue
    }
    // Neither ends an instruction that goes on.
    if (/^\s*(?:#|$)/.test(text)) continue
    const isContinued = continued.test(text)
    instruction += isContinued ? text.trimEnd().slice(0, -1) : text
    if (isContinued) continue
    if (/^\s*FROM\s/i.test(instruction)) labelled.push(label)
    documents = documentsOf(instruction)
    instruction = ''
  }
  return labelled.join('\n')
}

/** The character that continues a line: a directive before all else may name another (docs.docker.com/reference/dockerfile, "escape"). */
function escapeOf(lines: readonly string[]): string {
  for (const line of lines) {
    const directive = /^\s*#\s*([a-z][a-z0-9]*)\s*=\s*(\S+)/i.exec(line)
    if (directive === null) break
    if (directive[1]?.toLowerCase() === 'escape') return directive[2] ?? ''
  }
  return '\\'
}

/** The here-documents of an instruction, each begun by a word of its own outside of quotes (buildkit, `heredocsFromLine`). */
function documentsOf(instruction: string): HereDocument[] {
  if (!/^\s*(?:ONBUILD\s+)?(?:RUN|COPY|ADD)\s/i.test(instruction)) return []
  const words = instruction.match(/(?:"(?:\\.|[^"\\])*"|'[^']*'|\\.|[^\s"'\\])+/g) ?? []
  return words.flatMap((word) => {
    const [, dash, name] = /^\d*<<(-?)([^<]+)$/.exec(word) ?? []
    return name === undefined ? [] : [{ name: name.replace(/["'\\]/g, ''), isIndented: dash === '-' }]
  })
}
