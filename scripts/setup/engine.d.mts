export interface Engine {
  /** For DOCKER_HOST. */
  host: string
  socket: string
  directory: string
  stop: () => Promise<void>
}
export function startEngine(): Promise<Engine>
export function docker(
  host: string,
  args: string[],
): Promise<{ code: number; stdout: string; stderr: string }>
