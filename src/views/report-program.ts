// The program of an HTML report: reads what it draws from the data block beside it. Bundled into src/report/page.gen.ts (npm run embed).
import { activate } from './activate.js'
import type { DrawnParts } from './drawn-parts.js'

document.documentElement.classList.add('scripted')
const parts = JSON.parse((document.getElementById('drawn') as HTMLElement).textContent ?? '') as DrawnParts
activate(document.body, parts)
