const WIDTH = 720
const LABEL = 230
const BAR = 22
const GAP = 8
const TITLE = 34
/** Colours of the product's window: what is ours, and what is others'. */
const OURS = '#2f6fed'
const OTHERS = '#9aa4b2'

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

/**
 * Bars as an SVG picture that reads on light and dark pages alike.
 * @param {{ title: string, bars: { name: string, seconds: number, isOurs: boolean }[] }[]} groups each to its own scale
 * @param {string} caption
 * @returns {string}
 */
export function barPicture(groups, caption) {
  const parts = []
  let y = 10
  for (const { title, bars } of groups) {
    const longest = Math.max(...bars.map(({ seconds }) => seconds))
    y += TITLE
    parts.push(`<text x="12" y="${y - 12}" font-weight="600">${escaped(title)}</text>`)
    for (const { name, seconds, isOurs } of bars) {
      const width = Math.max(2, ((WIDTH - LABEL - 90) * seconds) / longest)
      const middle = y + BAR / 2 + 5
      parts.push(
        `<text x="${LABEL - 10}" y="${middle}" text-anchor="end">${escaped(name)}</text>`,
        `<rect x="${LABEL}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="3" fill="${isOurs ? OURS : OTHERS}"/>`,
        `<text x="${(LABEL + width + 8).toFixed(1)}" y="${middle}">${seconds.toFixed(2)} s</text>`,
      )
      y += BAR + GAP
    }
  }
  y += 30
  parts.push(`<text x="12" y="${y - 10}" font-size="12" fill="#5b6472">${escaped(caption)}</text>`)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img" font-family="system-ui, sans-serif" font-size="14" fill="#1d2530">`,
    `<title>${escaped(groups.map(({ title }) => title).join('; '))}</title>`,
    `<rect width="${WIDTH}" height="${y}" rx="8" fill="#ffffff"/>`,
    ...parts,
    '</svg>\n',
  ].join('\n')
}
