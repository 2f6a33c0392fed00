import { EmptyPage } from '../../ui/page'
import { useCopyMenu } from '../../ui/copy-menu'
import styles from './images.module.css'

const dockerfile = `FROM debian:12
ARG DEBIAN_FRONTEND="noninteractive"
RUN apt update
RUN apt -y install linux-image-amd64 console-setup-linux
RUN apt -y install systemd-sysv
RUN apt -y install apache2
RUN passwd -d root`

/** The first page when the engine has no image at all: how to make one that boots. */
export function NoImages() {
  return (
    <EmptyPage title="Start with an image">
      <p>
        Slipway turns a local Docker image into a disk that boots. The image brings a kernel, an init system
        and the applications; Slipway adds the rest. Save this as Dockerfile in an empty folder:
      </p>
      <Command text={dockerfile} />
      <p>and build it there. The image appears on the left by itself.</p>
      <Command text="docker build -t my-machine ." />
    </EmptyPage>
  )
}

function Command({ text }: { text: string }) {
  const menu = useCopyMenu()
  return (
    <>
      <pre className={styles.command} onContextMenu={menu.open([{ label: 'Copy', text }])}>
        {text}
      </pre>
      {menu.element}
    </>
  )
}

const chain: readonly (readonly [string, string])[] = [
  ['Disk', 'One file, which can be written to a stick.'],
  ['Partition', 'Marked as the one to boot from.'],
  ['Boot loader', 'Finds the kernel and starts it.'],
  ['Kernel', 'Comes from the image, with its initial RAM disk.'],
  ['Init', 'The first process, usually systemd.'],
  ['Apps', 'What the machine is for.'],
]

/** The page while nothing is chosen: what a machine needs to boot, in its order. */
export function Welcome() {
  return (
    <EmptyPage title="Choose an image">
      <p>To boot, a machine goes through six links. Slipway shows which an image has, and adds the others.</p>
      <ol className={styles.chain}>
        {chain.map(([name, sentence]) => (
          <li key={name} className={styles.link}>
            <span className={styles.linkName}>{name}</span>
            <span className={styles.soft}>{sentence}</span>
          </li>
        ))}
      </ol>
    </EmptyPage>
  )
}

/** The page of an image that the engine no longer has. */
export function ImageGone() {
  return (
    <EmptyPage title="This image is gone">
      <p>
        It was removed from the engine, or its file was closed. Disks that were built from it are still there.
      </p>
    </EmptyPage>
  )
}
