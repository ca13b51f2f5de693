// Khronos' report on a .glb file, as JSON: node validate.js FILE
const fs = require('fs')
const validator = require('gltf-validator')

validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[2]))).then((report) => console.log(JSON.stringify(report)))
