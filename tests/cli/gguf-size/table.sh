gguf-size --params 7B,14B,32B,65B,110B --table
