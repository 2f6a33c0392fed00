import js from '@eslint/js'
import reactHooks from 'eslint-plugin-react-hooks'
import globals from 'globals'
import tseslint from 'typescript-eslint'

/** Which room may import which (docs/ARCHITECTURE.md). Each row: the room's files, and what they must not reach. */
const rooms = [
  [['src/shared/**'], ['**/main/**', '**/preload/**', '**/renderer/**', 'node:*', 'electron', 'react']],
  [['src/preload/**'], ['**/main/**', '**/renderer/**', 'node:*', 'zod', '**/contract']],
  [['src/renderer/**'], ['**/main/**', '**/preload/**', 'node:*', 'electron']],
  [
    ['src/main/disk/**'],
    ['**/docker/**', '**/flash/**', '**/helper/**', '**/preview/**', '**/jobs/**', 'electron'],
  ],
  [
    ['src/main/helper/**'],
    ['**/docker/**', '**/flash/**', '**/preview/**', '../ipc/**', '../../ipc/**', '**/app/**', 'electron'],
  ],
  [
    ['src/main/{docker,source,drives,convert,preview,flash,jobs,library}/**', 'src/main/cli*'],
    ['../ipc/**', '../../ipc/**', '**/app/**', 'electron', '**/helper/*'],
  ],
  [
    ['src/main/source/**'],
    [
      ...['**/docker/**', '**/jobs/**', '**/library/**', '**/preview/**', '**/flash/**', '**/elevation/**'],
      ...['**/helper/*', '../ipc/**', '../../ipc/**', '**/app/**', 'electron'],
    ],
  ],
]

export default tseslint.config(
  { ignores: ['out/', 'dist/', 'artifacts/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
    },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: globals.node } },
  {
    files: ['src/renderer/**/*.tsx', 'src/renderer/**/*.ts'],
    plugins: { 'react-hooks': reactHooks },
    rules: reactHooks.configs.recommended.rules,
  },
  ...rooms.map(([files, group]) => ({
    files,
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group, message: 'not from this room' }] }] },
  })),
)
