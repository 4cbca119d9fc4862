type Child = Node | string | undefined
type Handlers = { readonly [K in keyof HTMLElementEventMap]?: (event: HTMLElementEventMap[K]) => void }

interface Properties {
  readonly class?: string
  readonly on?: Handlers
  /** Set through the style object, which the content security policy allows, unlike a style attribute. */
  readonly style?: Readonly<Record<string, string>>
  readonly attributes?: Readonly<Record<string, string>>
}

/**
 * Makes an element. Text only ever goes in as text, never as HTML: names and attributes of spans come from strangers.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  children: readonly Child[] = [],
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  if (properties.class !== undefined) element.className = properties.class
  for (const [name, value] of Object.entries(properties.attributes ?? {})) element.setAttribute(name, value)
  for (const [name, value] of Object.entries(properties.style ?? {})) element.style.setProperty(name, value)
  for (const [name, handler] of Object.entries(properties.on ?? {}))
    element.addEventListener(name, handler as EventListener)
  element.append(...children.filter((child) => child !== undefined))
  return element
}

/** A link inside the page: followed without a reload, and still a link for the middle button and for copying. */
export function pageLink(
  href: string,
  properties: Properties,
  children: readonly Child[],
): HTMLAnchorElement {
  return h('a', { ...properties, attributes: { ...properties.attributes, href, 'data-page': '' } }, children)
}
