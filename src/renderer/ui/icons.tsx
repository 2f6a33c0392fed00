import type { ReactNode } from 'react'

/**
 * One family: 16 x 16, strokes of 1.5 with round ends. An icon never stands
 * alone for a meaning: it always has a word beside it, so all are hidden from
 * assistive technology.
 */
function icon(drawing: ReactNode) {
  return function Icon({ size = 16 }: { size?: number }) {
    return (
      <svg
        width={size}
        height={size}
        viewBox="0 0 16 16"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        focusable="false"
      >
        {drawing}
      </svg>
    )
  }
}

/** The product's mark: a keel on its slip. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 20 20" fill="none" aria-hidden="true" focusable="false">
      <path d="M3.2 4.6 17 7.4c-1.2 2.4-3.4 4-6.6 3.4L5.3 9.8C4.1 9.5 3.4 7.6 3.2 4.6Z" fill="currentColor" />
      <path d="M2 12.4 18 15.8" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" />
    </svg>
  )
}

export const ImageIcon = icon(
  <>
    <path d="M8 1.8 14 4.9 8 8 2 4.9Z" />
    <path d="M2 8l6 3.1L14 8" />
    <path d="M2 11.1l6 3.1 6-3.1" />
  </>,
)
export const DiskIcon = icon(
  <>
    <rect x="2" y="3" width="12" height="10" rx="1.5" />
    <path d="M2 9.5h12" />
    <path d="M11.5 11.25h.01" />
  </>,
)
export const DriveIcon = icon(
  <>
    <path d="M5.5 6V2.25h5V6" />
    <path d="M4 6h8v6.5A1.5 1.5 0 0 1 10.5 14h-5A1.5 1.5 0 0 1 4 12.5Z" />
    <path d="M7 4.2h.01M9 4.2h.01" />
  </>,
)
export const SearchIcon = icon(
  <>
    <circle cx="7" cy="7" r="4.5" />
    <path d="m10.5 10.5 3.5 3.5" />
  </>,
)
export const CheckIcon = icon(<path d="m3.5 8.5 3 3 6-7" />)
export const PlusIcon = icon(<path d="M8 3.5v9M3.5 8h9" />)
export const MissingIcon = icon(<path d="M8 3.5v5.5M8 12.3h.01" />)
export const CloseIcon = icon(<path d="m4 4 8 8M12 4l-8 8" />)
export const ChevronUpIcon = icon(<path d="m4 10 4-4 4 4" />)
export const ChevronDownIcon = icon(<path d="m4 6 4 4 4-4" />)
export const BackIcon = icon(<path d="M10 3.5 5.5 8l4.5 4.5" />)
export const PlayIcon = icon(<path d="M5 3.2v9.6L12.5 8Z" />)
export const StopIcon = icon(<rect x="4" y="4" width="8" height="8" rx="1" />)
export const PowerIcon = icon(
  <>
    <path d="M8 2v5.5" />
    <path d="M4.6 4.6a5 5 0 1 0 6.8 0" />
  </>,
)
export const WriteIcon = icon(
  <>
    <path d="M8 2v7.5M5 6.8l3 3 3-3" />
    <path d="M3 13.5h10" />
  </>,
)
export const FolderIcon = icon(
  <path d="M2 4.5A1 1 0 0 1 3 3.5h3.2L7.7 5H13a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1Z" />,
)
export const DeleteIcon = icon(
  <>
    <path d="M3 4.5h10M6.5 4.5V2.75h3V4.5" />
    <path d="m4.3 4.5.6 8.75h6.2l.6-8.75" />
  </>,
)
export const CopyIcon = icon(
  <>
    <rect x="5.5" y="5.5" width="8" height="8" rx="1.2" />
    <path d="M10.5 3.5v-.3A.7.7 0 0 0 9.8 2.5H3.2a.7.7 0 0 0-.7.7v6.6c0 .4.3.7.7.7h.3" />
  </>,
)
export const ScreenIcon = icon(
  <>
    <rect x="2" y="3" width="12" height="8" rx="1" />
    <path d="M6 13.5h4" />
  </>,
)
export const ConsoleIcon = icon(
  <>
    <rect x="2" y="3" width="12" height="10" rx="1" />
    <path d="m4.8 6.5 2 1.75-2 1.75M8.5 10.25h2.5" />
  </>,
)
export const NoticeIcon = icon(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M8 4.8v4M8 11.2h.01" />
  </>,
)
export const EngineIcon = icon(
  <>
    <rect x="2" y="8" width="3.5" height="3.5" />
    <rect x="6.25" y="8" width="3.5" height="3.5" />
    <rect x="10.5" y="8" width="3.5" height="3.5" />
    <rect x="6.25" y="3.75" width="3.5" height="3.5" />
  </>,
)
export const ProveIcon = icon(
  <>
    <path d="M8 1.8 13 3.700v4.1c0 3-2 5.2-5 6.4-3-1.2-5-3.4-5-6.400V3.700Z" />
    <path d="m5.7 7.9 1.7 1.7 3-3.4" />
  </>,
)
export const FullScreenIcon = icon(
  <path d="M2.5 6V2.500H6M10 2.500h3.500V6M13.5 10v3.500H10M6 13.500H2.500V10" />,
)
export const PictureIcon = icon(
  <>
    <rect x="2" y="4.5" width="12" height="8.5" rx="1.5" />
    <path d="m5.5 4.5.8-1.700h3.400l.8 1.7" />
    <circle cx="8" cy="8.7" r="2.3" />
  </>,
)
export const PasteIcon = icon(
  <>
    <path d="M5.5 3H4a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h8a1 1 0 0 0 1-1V4a1 1 0 0 0-1-1h-1.5" />
    <rect x="5.5" y="1.8" width="5" height="2.7" rx=".8" />
  </>,
)
export const KeyboardIcon = icon(
  <>
    <rect x="1.5" y="4" width="13" height="8" rx="1.3" />
    <path d="M4 6.700h.01M6.7 6.700h.01M9.3 6.700h.01M12 6.700h.01M5 9.500h6" />
  </>,
)
export const ResetIcon = icon(
  <>
    <path d="M13 8a5 5 0 1 1-1.6-3.7" />
    <path d="M13.2 2v3h-3" />
  </>,
)
export const MachineIcon = icon(
  <>
    <rect x="4" y="4" width="8" height="8" rx="1" />
    <path d="M6.3 1.800V4M9.7 1.800V4M6.3 12v2.200M9.7 12v2.200M1.8 6.300H4M1.8 9.700H4M12 6.300h2.200M12 9.700h2.2" />
  </>,
)
export const LinkIcon = icon(
  <>
    <path d="M9 3h4v4M13 3 7.5 8.5" />
    <path d="M11.5 9.500V12a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1V5.500a1 1 0 0 1 1-1h2.5" />
  </>,
)
