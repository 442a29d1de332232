/** Gives every table under `root` that is marked for it a button in each column head, which sorts its rows and says so in `aria-sort`. */
export function sortTables(root: ParentNode): void {
  for (const table of root.querySelectorAll<HTMLTableElement>('table[data-sortable]')) {
    const heads = [...table.querySelectorAll('thead th')]
    for (const [column, head] of heads.entries()) {
      const button = document.createElement('button')
      button.type = 'button'
      button.textContent = head.textContent
      button.addEventListener('click', () => {
        const falling = head.getAttribute('aria-sort') === 'ascending'
        for (const other of heads) other.removeAttribute('aria-sort')
        head.setAttribute('aria-sort', falling ? 'descending' : 'ascending')
        sortRows(table, column, falling)
      })
      head.replaceChildren(button)
    }
  }
}

const unfoldedRows = 12

/** Shows only the first rows of a long table until it is asked for the others; on paper all are there. */
export function foldTables(root: ParentNode): void {
  for (const table of root.querySelectorAll<HTMLTableElement>('table[data-sortable]')) {
    const count = table.tBodies[0]?.rows.length ?? 0
    if (count <= unfoldedRows + 3) continue
    const button = document.createElement('button')
    button.type = 'button'
    button.className = 'unfold'
    const show = (folded: boolean) => {
      table.classList.toggle('folded', folded)
      button.textContent = folded ? `Show all ${count} classes` : `Show the first ${unfoldedRows} only`
      button.setAttribute('aria-expanded', String(!folded))
    }
    button.addEventListener('click', () => show(!table.classList.contains('folded')))
    show(true)
    table.after(button)
  }
}

/** Values are compared as numbers where both are; equal rows keep their order. */
function sortRows(table: HTMLTableElement, column: number, falling: boolean): void {
  const body = table.tBodies[0]
  if (!body) return
  const keyOf = (row: HTMLTableRowElement) => (row.cells[column] as HTMLElement | undefined)?.dataset.sort ?? ''
  const compare = (a: string, b: string) => (a !== '' && b !== '' ? Number(a) - Number(b) : a < b ? -1 : a > b ? 1 : 0)
  const rows = [...body.rows].sort((a, b) => (falling ? -1 : 1) * compare(keyOf(a), keyOf(b)))
  body.append(...rows)
}
