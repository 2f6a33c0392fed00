import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import type { Api } from '../shared/ipc/contract'
import { ApiProvider } from './api/api'
import { SlipwayWindow } from './app/slipway-window'
import { PreviewProvider } from './features/preview/sessions'
import './ui/tokens.css'
import './ui/base.css'

declare global {
  interface Window {
    readonly slipway: Api
  }
}

const root = document.getElementById('root')
if (root === null) throw new Error('index.html has no #root')
createRoot(root).render(
  <StrictMode>
    <ApiProvider api={window.slipway}>
      <PreviewProvider>
        <SlipwayWindow />
      </PreviewProvider>
    </ApiProvider>
  </StrictMode>,
)
