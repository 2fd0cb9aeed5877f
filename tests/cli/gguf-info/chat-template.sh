# Newlines and tabs stay, everything else that a terminal would obey is escaped.
. tests/cli/gguf-info/make.inc
text=$(printf 'first\n\tsecond \033[31mred\r\177 \302\233 \377\n{{ end }}')
{ header 0 1 && key_string tokenizer.chat_template "$text"; } >"$TMP/one.gguf"
gguf-info --chat-template "$TMP/one.gguf"
{
  header 0 2
  key_string tokenizer.chat_template 'the default'
  key_string tokenizer.chat_template.tool_use 'with tools'
} >"$TMP/two.gguf"
gguf-info --chat-template "$TMP/two.gguf"
gguf-info --chat-template --json --keys '^$' "$TMP/two.gguf" | sed -n '/chat_templates/,$p'
gguf-info --chat-template fixtures/shakespeare-f16.gguf
