gguf-quant --list --json | node -e 'const l = JSON.parse(require("fs").readFileSync(0)); console.log(l.length, l.map((m) => m.type).join(" "))'
