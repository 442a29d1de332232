/** Runs in the page: keeps the longest task, and how many times longer than at best fixed work takes, which tells how loaded the machine is. */
export function watchTasks(): void {
  const tasks = { longest: 0, stretch: 1 }
  Object.assign(globalThis, { tasks })
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) tasks.longest = Math.max(tasks.longest, duration)
  }).observe({ type: 'longtask', buffered: false })
  let best = Number.POSITIVE_INFINITY
  setInterval(() => {
    const began = performance.now()
    let sum = 0
    for (let i = 0; i < 2e6; i++) sum += Math.sqrt(i)
    const took = performance.now() - began + 0 * sum
    best = Math.min(best, took)
    tasks.stretch = Math.max(tasks.stretch, took / best)
  }, 200)
}
