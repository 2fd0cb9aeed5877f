gguf-size --params 7B --table --json | head -12
