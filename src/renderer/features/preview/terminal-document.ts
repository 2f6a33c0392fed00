/**
 * The page's content security policy allows styles from our files and by CSSOM, and no style in the text of the page.
 * xterm writes `<style>` elements. It is given this document instead: all is the page's own, but for `<style>`
 * elements, which come as ones that mean nothing to the browser and hand their text on to a constructed style sheet
 * (CSSOM, which the policy is not about; CSP 3, 6.6.3, "Is element nonceable" and "unsafe-inline").
 */
export function terminalDocument(page: Document): Document {
  return new Proxy(page, {
    get(target, name) {
      if (name === 'createElement') {
        return (tag: string) => (tag === 'style' ? createStyle(target) : target.createElement(tag))
      }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value
    },
  })
}

function createStyle(page: Document): HTMLElement {
  const sheet = new CSSStyleSheet()
  page.adoptedStyleSheets = [...page.adoptedStyleSheets, sheet]
  const element = page.createElement('slipway-style')
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
