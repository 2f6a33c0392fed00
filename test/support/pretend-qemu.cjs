#!/usr/bin/env node
// A QEMU that lies about KVM, in the way that PRETEND_KVM names, and does nothing well under any other accelerator:
//   internal-error  shows a sign of life and then stops as KVM does on an instruction that it cannot run
//   no-life         runs and never sets a video mode
//   abort           crashes as QEMU does when KVM refuses the processor
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

let status = 'running'
createServer().listen(valueOf('-vnc')[0].replace('unix:', ''))
connect(serial)
const socket = connect(control)
socket.write('{"QMP": {}}\n')
socket.on('data', (bytes) => {
  for (const line of bytes.toString().trim().split('\n')) {
    const { execute, arguments: facts, id } = JSON.parse(line)
    let value = {}
    if (execute === 'query-status') value = { status }
    if (execute === 'screendump') {
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
if (lie === 'internal-error') {
  setTimeout(() => {
    status = 'internal-error'
    socket.write('{"event": "STOP"}\n')
  }, 600)
}
