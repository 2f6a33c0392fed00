#!/usr/bin/env node
// A QEMU that lies about KVM, in the way that PRETEND_KVM names, and does nothing well under any other accelerator:
//   internal-error  shows a sign of life and then stops as KVM does on an instruction that it cannot run
//   no-life         runs and never sets a video mode
//   still           sets a video mode and never reads the disk
//   abort           crashes as QEMU does when KVM refuses the processor
// and, whatever the accelerator, fails for reasons that have nothing to do with it:
//   locked          another machine holds the disk
//   killed          somebody kills it
const { Buffer } = require('node:buffer')
const { writeFileSync } = require('node:fs')
const { connect, createServer } = require('node:net')
const process = require('node:process')
const { setTimeout } = require('node:timers')

const words = process.argv.slice(2)
const valueOf = (option) => words.filter((_, index) => words[index - 1] === option)
const path = (text) => /path=([^,]*)/.exec(text)[1]
const [serial, control] = valueOf('-chardev').map(path)
const lie = valueOf('-accel')[0] === 'kvm' ? process.env.PRETEND_KVM : 'nothing'

if (process.env.PRETEND_KVM === 'locked') {
  process.stderr.write('qemu-system-x86_64: -device usb-storage,drive=disk: Failed to get "write" lock\n')
  process.exit(1)
}
if (process.env.PRETEND_KVM === 'killed') process.kill(process.pid, 'SIGKILL')

let status = 'running'
let stop = null
createServer().listen(valueOf('-vnc')[0].replace('unix:', ''))
connect(serial)
const socket = connect(control)
socket.write('{"QMP": {}}\n')
socket.on('data', (bytes) => {
  for (const line of bytes.toString().trim().split('\n')) {
    const { execute, arguments: facts, id } = JSON.parse(line)
    let value = {}
    if (execute === 'query-status') value = { status }
    if (execute === 'query-blockstats') value = [{ stats: { rd_operations: lie === 'still' ? 0 : 1 } }]
    if (execute === 'screendump') {
      // As soon as it was seen alive: before whoever looked has begun to watch it.
      if (lie === 'internal-error') stop ??= setTimeout(stopByError, 20)
      const [width, height] = ['no-life', 'abort'].includes(lie) ? [640, 480] : [720, 400]
      writeFileSync(
        facts.filename,
        Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), Buffer.alloc(width * height * 3)]),
      )
    }
    socket.write(`${JSON.stringify({ return: value, id })}\n`)
    if (execute === 'quit') process.exit(0)
  }
})
if (lie === 'abort') setTimeout(() => process.abort(), 100)

function stopByError() {
  status = 'internal-error'
  socket.write('{"event": "STOP"}\n')
}
