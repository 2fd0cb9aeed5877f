/*
 * JSON output over cJSON, made safe for what model files hold: 64-bit integers exact,
 * NaN and infinity as the strings "NaN", "Infinity", "-Infinity", strings with any
 * content. A string that is valid UTF-8 becomes a JSON string (controls, DEL, C1 and bidi
 * controls as \uNNNN); any other becomes {"bytes": "hex digits"}, so nothing is lost.
 * Out of memory ends the program (cli_die_memory).
 */
#ifndef TOOLS_COMMON_JSON_H
#define TOOLS_COMMON_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "libgguf/gguf.h"

cJSON *json_object(void);
cJSON *json_array(void);

/* Add to an object under `key`, or, with key NULL, to the end of an array. */
cJSON *json_add_object(cJSON *parent, const char *key);
cJSON *json_add_array(cJSON *parent, const char *key);
void json_u64(cJSON *parent, const char *key, uint64_t value);
void json_i64(cJSON *parent, const char *key, int64_t value);
void json_f64(cJSON *parent, const char *key,
              double value); /* shortest digits that read back */
void json_bool(cJSON *parent, const char *key, bool value);
void json_null(cJSON *parent, const char *key);
void json_text(cJSON *parent, const char *key, const char *text);
void json_str(cJSON *parent, const char *key, struct gguf_str s);
/* A metadata value of any type; arrays whole, nested too. */
void json_value(cJSON *parent, const char *key, struct gguf_value value);

/* Prints it on stdout with a newline and frees it. */
void json_print(cJSON *root);

#endif
