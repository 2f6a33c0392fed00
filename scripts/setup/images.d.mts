export function ensureBase(host: string): Promise<'present' | 'pulled' | 'made'>
export function buildHowto(
  host: string,
  tag: string,
  options?: { label?: string; onLine?: (line: string) => void },
): Promise<void>
