/**
 * Opens a terminal under the page's content security policy, which allows styles from our files and by CSSOM, and no
 * style in the text of the page. xterm makes its `<style>` elements while it is opened and changes their text later.
 * In that time it gets elements that mean nothing to the browser and hand their text on to a constructed style sheet
 * (CSSOM, which the policy is not about). xterm's own option for another document does not reach all of them (6.0).
 * @param page the page's document
 * @param open opens the terminal, at once
 */
export function withConstructedStyles(page: Document, open: () => void): void {
  // Of its overloads, one for tags that are no longer known is deprecated; this is any of them.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  const createElement = page.createElement.bind(page)
  const create = (tag: string): HTMLElement =>
    tag === 'style' ? createStyle(page, createElement('slipway-style')) : createElement(tag)
  Object.defineProperty(page, 'createElement', { value: create, configurable: true })
  try {
    open()
  } finally {
    // The prototype's shows again.
    Reflect.deleteProperty(page, 'createElement')
  }
}

/** Lets an element that means nothing stand for a style sheet. */
function createStyle(page: Document, element: HTMLElement): HTMLElement {
  const sheet = new CSSStyleSheet()
  page.adoptedStyleSheets = [...page.adoptedStyleSheets, sheet]
  element.hidden = true
  Object.defineProperty(element, 'textContent', {
    set: (text: string) => {
      sheet.replaceSync(text)
    },
  })
  Object.defineProperty(element, 'remove', {
    value: () => {
      page.adoptedStyleSheets = page.adoptedStyleSheets.filter((one) => one !== sheet)
      HTMLElement.prototype.remove.call(element)
    },
  })
  return element
}
