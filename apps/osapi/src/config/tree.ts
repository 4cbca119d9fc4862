/** A map of the YAML document: nested string keys. */
export type Tree = Record<string, unknown>

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value at a dotted key, or undefined. */
export function read(tree: unknown, key: string): unknown {
  let node = tree
  for (const part of key.split('.')) {
    if (!isTree(node)) return undefined
    node = node[part]
  }
  return node
}

/** Sets a dotted key, making the maps above it; a value that stands where a map is needed gives way. */
export function assign(tree: Tree, key: string, value: unknown): void {
  const parts = key.split('.')
  const last = parts.pop() ?? key
  let node = tree
  for (const part of parts) {
    const below = node[part]
    const next = isTree(below) ? below : {}
    node[part] = next
    node = next
  }
  node[last] = value
}

/** Takes the value at a dotted key out of the tree. */
export function take(tree: Tree, key: string): unknown {
  const dot = key.lastIndexOf('.')
  const parent = dot < 0 ? tree : read(tree, key.slice(0, dot))
  if (!isTree(parent)) return undefined
  const last = key.slice(dot + 1)
  const value = parent[last]
  delete parent[last]
  return value
}

/** Puts a value at a dotted key; what stands there already wins, map by map. */
export function underlay(tree: Tree, key: string, value: unknown): void {
  const present = read(tree, key)
  if (isTree(value) && (present === undefined || isTree(present))) {
    for (const [part, below] of Object.entries(value)) underlay(tree, `${key}.${part}`, below)
  } else if (present === undefined) {
    assign(tree, key, value)
  }
}

/** Dotted keys of everything that is not a map, and of empty maps. */
export function leafKeys(tree: Readonly<Tree>, prefix = ''): string[] {
  return Object.entries(tree).flatMap(([part, value]) =>
    isTree(value) && Object.keys(value).length > 0 ? leafKeys(value, `${prefix}${part}.`) : [prefix + part],
  )
}
