export interface Result {
  entry: string
  about: string
  distribution: string
  id: string
  version: string
  kernel: string
  firmware: string
  date: string
  checks: string[]
  failed: string[]
}
export function pageOf(results: Result[]): string
