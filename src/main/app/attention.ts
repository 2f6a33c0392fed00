import { Notification, powerSaveBlocker, type BrowserWindow } from 'electron'
import type { AttentionSurface } from '../jobs/attention'

/** Taskbar, notifications and sleep of this system. A value above 1 is an unknown one (BrowserWindow.setProgressBar). */
export function systemAttention(window: BrowserWindow): AttentionSurface {
  return {
    showProgress(fraction) {
      if (!window.isDestroyed()) {
        window.setProgressBar(fraction === null ? -1 : fraction === 'unknown' ? 2 : fraction)
      }
    },
    notify(title, body) {
      if (!Notification.isSupported()) return
      const notification = new Notification({ title, body })
      notification.on('click', () => {
        if (window.isMinimized()) window.restore()
        window.focus()
      })
      notification.show()
    },
    keepAwake() {
      const id = powerSaveBlocker.start('prevent-app-suspension')
      return () => {
        powerSaveBlocker.stop(id)
      }
    },
    isWindowFocused: () => !window.isDestroyed() && window.isFocused(),
  }
}
