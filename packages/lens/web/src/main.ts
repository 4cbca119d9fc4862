import { showList } from './list.ts'
import { nothingToStop } from './page.ts'
import { showTrace } from './trace-page.ts'

const app = document.getElementById('app')
if (app === null) throw new Error('index.html has no #app')
const root: HTMLElement = app

let leave = nothingToStop
let shown = ''

function route(): void {
  // The hash names the selected span; the trace's page follows it by itself.
  const target = location.pathname + location.search
  if (target === shown) return
  shown = target
  leave()
  root.replaceChildren()
  const [, page, id] = location.pathname.split('/')
  leave = page === 'trace' && id !== undefined ? showTrace(id)(root) : showList(root)
}

addEventListener('popstate', route)
document.addEventListener('click', (event) => {
  const link =
    event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[data-page]') : null
  if (link === null || event.defaultPrevented || event.button !== 0) return
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  history.pushState(null, '', link.href)
  route()
  scrollTo(0, 0)
})
route()
