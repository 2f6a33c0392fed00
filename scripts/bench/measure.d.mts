export function spend(command: string, args: string[], options?: { env?: NodeJS.ProcessEnv }): Promise<number>
