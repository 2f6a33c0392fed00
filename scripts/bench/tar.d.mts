export interface Shape {
  files: number
  bytesEach: number
  perDirectory: number
}
export function writeTar(path: string, shape: Shape): Promise<void>
export function servedTar(socket: string, shape: Shape): Promise<() => void>
