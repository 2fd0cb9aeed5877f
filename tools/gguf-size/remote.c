/*
 * Files that are elsewhere: the header alone is fetched, by range requests, and put into a
 * file of the real length whose rest is a hole. That file is opened like any other, shard
 * sets too, and removed at once.
 */
#include "tools/gguf-size/size.h"

#include <string.h>

bool remote_is(const char *input)
{
    return strncmp(input, "https://", 8) == 0 || strncmp(input, "http://", 7) == 0 ||
           strncmp(input, "hf:", 3) == 0;
}

#ifndef HAVE_CURL

struct gguf *remote_open(const char *input, uint64_t *file_bytes)
{
    *file_bytes = 0;
    cli_die("%s: built without libcurl, so remote files cannot be read; download it, or build "
            "again with libcurl",
            input);
}

#else

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define FIRST_BYTES ((uint64_t)1 << 20)
#define MOST_BYTES  ((uint64_t)256 << 20) /* of a header that is believed */
#define MOST_SHARDS 1000
#define URL_BYTES   2048

/* ---- One request ------------------------------------------------------------------------ */

/* What is asked for, and what has come. */
struct fetch {
    const char *url;
    unsigned char *data; /* the file from byte 0 on */
    uint64_t have, want; /* bytes there; bytes that there shall be */
    uint64_t total;      /* length of the file, from Content-Range */
    uint64_t from;       /* first byte that was asked for */
    uint64_t start;      /* first byte of the answer */
    bool ranged, overrun;
};

/* A number and the character that ends it; NULL where it is not so. */
static const char *take_number(const char *text, char end, uint64_t *number)
{
    char *after;
    bool digit = *text >= '0' && *text <= '9';
    errno = 0;
    *number = strtoull(text, &after, 10);
    return digit && errno == 0 && (*after == end || (!end && isspace((unsigned char)*after)))
               ? after + 1
               : NULL;
}

/* " bytes 0-1048575/7365834624". */
static void take_range(struct fetch *f, const char *text)
{
    uint64_t first, last, total;
    text += strspn(text, " \t");
    text = strncasecmp(text, "bytes ", 6) == 0 ? take_number(text + 6, '-', &first) : NULL;
    text = text ? take_number(text, '/', &last) : NULL;
    if (text && take_number(text, '\0', &total) && first <= last && last < total) {
        f->ranged = true;
        f->start = first;
        f->total = total;
    }
}

static size_t take_header(char *line, size_t size, size_t count, void *context)
{
    char text[128];
    size_t n = size * count, name = strlen("Content-Range:");
    if (n > name && strncasecmp(line, "Content-Range:", name) == 0) {
        snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), line);
        take_range(context, text + name);
    }
    return n;
}

/* Refuses what was not asked for: a server may send the whole file, or never stop. */
static size_t take_data(char *data, size_t size, size_t count, void *context)
{
    struct fetch *f = context;
    size_t n = size * count;
    if (!f->ranged || f->start != f->from || n > f->want - f->have) {
        f->overrun = true;
        return 0;
    }
    memcpy(f->data + f->have, data, n);
    f->have += n;
    return n;
}

static void set_limits(CURL *curl)
{
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 15L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 100L); /* bytes a second ... */
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, 10L);   /* ... for so many seconds */
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 600L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "gguf-size/" GGUFKIT_VERSION);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
}

/* Says what is wrong with an answer; nothing where it is right. */
static void check_answer(CURL *curl, const struct fetch *f, CURLcode result, const char *text)
{
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 416)
        cli_die("%s: the file ends at byte %llu, inside its header", f->url,
                (unsigned long long)f->have);
    if (status >= 400)
        cli_die("%s: the server answers %ld%s", f->url, status,
                status == 401 || status == 403 ? ": it wants you to log in; download the file"
                : status == 404                ? ": there is no such file"
                                               : "");
    if (f->overrun && !f->ranged)
        cli_die("%s: the server does not support range requests (status %ld), so the header "
                "cannot be read alone; download the file",
                f->url, status);
    if (f->ranged && f->start != f->from)
        cli_die("%s: asked for bytes from %llu on, the server sends those from byte %llu on",
                f->url, (unsigned long long)f->from, (unsigned long long)f->start);
    if (f->overrun)
        cli_die("%s: the server sends more than the %llu bytes that were asked for", f->url,
                (unsigned long long)f->want);
    if (result != CURLE_OK)
        cli_die("%s: cannot read: %s", f->url, *text ? text : curl_easy_strerror(result));
    if (status != 206 || !f->ranged)
        cli_die("%s: the server does not support range requests (status %ld), so the header "
                "cannot be read alone; download the file",
                f->url, status);
}

/* Fetches bytes [have, want). */
static void fetch_more(CURL *curl, struct fetch *f)
{
    char range[64], text[CURL_ERROR_SIZE] = "";
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)f->have,
             (unsigned long long)f->want - 1);
    f->from = f->have;
    f->ranged = false;
    curl_easy_setopt(curl, CURLOPT_URL, f->url);
    curl_easy_setopt(curl, CURLOPT_RANGE, range);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, text);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, f);
    CURLcode result = curl_easy_perform(curl);
    check_answer(curl, f, result, text);
    if (f->have == f->from)
        cli_die("%s: the server sends nothing for bytes %s", f->url, range);
}

/* ---- One header --------------------------------------------------------------------- */

/* Whether the bytes so far hold the whole header. What is wrong with it is found when the
 * file is opened. */
static bool is_complete(const struct fetch *f)
{
    struct gguf *model;
    struct gguf_error err;
    enum gguf_status status =
        gguf_open_memory(&model, f->data, (size_t)f->have, GGUF_OPEN_INSPECT, &err);
    gguf_close(model);
    return status != GGUF_ERR_TRUNCATED;
}

static void fetch_header(CURL *curl, struct fetch *f)
{
    for (uint64_t want = FIRST_BYTES;; want *= 4) {
        if (want > MOST_BYTES)
            cli_die("%s: the header is longer than %llu bytes; the file is damaged", f->url,
                    (unsigned long long)MOST_BYTES);
        f->want = f->total && want > f->total ? f->total : want;
        f->data = cli_grow(f->data, (size_t)f->want, 1);
        fetch_more(curl, f);
        if (f->have >= f->total || is_complete(f))
            return;
    }
}

/* ---- A model ------------------------------------------------------------------------ */

/* The file or set as it lies in a folder of its own, with holes for the data. */
struct copy {
    char folder[512];
    char path[1024];     /* of the file that was named */
    uint32_t shards;     /* 0: no set */
    uint64_t file_bytes; /* of all files */
};

static void make_folder(struct copy *c)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(c->folder, sizeof c->folder, "%.480s/gguf-size-XXXXXX",
             tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(c->folder))
        cli_die("%s: cannot make a folder: %s", c->folder, strerror(errno));
}

static bool shard_name(const struct copy *c, uint32_t number, char *out, size_t size)
{
    char prefix[600];
    int n = snprintf(prefix, sizeof prefix, "%s/model", c->folder);
    if (c->shards)
        return gguf_shard_path(out, size, (struct gguf_str){prefix, (size_t)n}, number,
                               c->shards);
    return snprintf(out, size, "%s.gguf", prefix) < (int)size;
}

static void remove_copy(const struct copy *c)
{
    char path[1024];
    for (uint32_t i = 1; i <= (c->shards ? c->shards : 1); i++) {
        if (shard_name(c, i, path, sizeof path))
            unlink(path);
    }
    rmdir(c->folder);
}

/* Writes the header and makes the file as long as the real one. */
static bool write_copy(const char *path, const struct fetch *f)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    for (uint64_t done = 0; ok && done < f->have;) {
        ssize_t n = write(fd, f->data + done, (size_t)(f->have - done));
        ok = n > 0 || (n < 0 && errno == EINTR);
        done += n > 0 ? (uint64_t)n : 0;
    }
    ok = ok && f->total <= INT64_MAX && ftruncate(fd, (off_t)f->total) == 0;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return ok;
}

/* The address of another shard of the set. */
static void shard_url(char *out, size_t size, const char *url, uint32_t number)
{
    size_t prefix;
    uint32_t own, count;
    snprintf(out, size, "%s", url);
    if (gguf_shard_parse(url, &prefix, &own, &count))
        gguf_shard_path(out, size, (struct gguf_str){url, prefix}, number, count);
}

static void copy_file(CURL *curl, struct copy *c, const char *url, uint32_t number)
{
    char address[URL_BYTES], path[1024];
    struct fetch f = {.url = address};
    shard_url(address, sizeof address, url, number);
    fetch_header(curl, &f);
    bool written = shard_name(c, number, path, sizeof path) && write_copy(path, &f);
    int error = errno;
    free(f.data);
    if (!written) {
        remove_copy(c);
        cli_die("%s: a file of %llu bytes cannot be laid out in %s: %s", url,
                (unsigned long long)f.total, c->folder, strerror(error));
    }
    c->file_bytes += f.total;
}

/* "hf:owner/repo/file" is a file of the main branch on the hub. */
static void to_url(char *out, size_t size, const char *input)
{
    const char *hub = getenv("HF_ENDPOINT");
    const char *owner = input + 3;
    const char *repo = strncmp(input, "hf:", 3) == 0 ? strchr(owner, '/') : NULL;
    const char *file = repo ? strchr(repo + 1, '/') : NULL;
    int n;
    if (strncmp(input, "hf:", 3) != 0)
        n = snprintf(out, size, "%s", input);
    else if (file && file[1] && repo > owner && file > repo + 1)
        n = snprintf(out, size, "%s/%.*s/resolve/main/%s",
                     hub && *hub ? hub : "https://huggingface.co", (int)(file - owner), owner,
                     file + 1);
    else
        cli_die("%s: expected hf:OWNER/REPO/FILE.gguf", input);
    if (n < 0 || (size_t)n >= size)
        cli_die("%.64s...: the address is longer than %zu bytes", input, size - 1);
}

static void copy_all(struct copy *c, const char *url)
{
    size_t prefix;
    uint32_t number = 1;
    CURL *curl = curl_easy_init();
    if (!curl)
        cli_die_memory();
    set_limits(curl);
    if (!gguf_shard_parse(url, &prefix, &number, &c->shards))
        c->shards = 0;
    if (c->shards > MOST_SHARDS)
        cli_die("%s: a set of %u shards; at most %d are read from a server", url, c->shards,
                MOST_SHARDS);
    for (uint32_t i = 1; i <= (c->shards ? c->shards : 1); i++)
        copy_file(curl, c, url, i);
    if (!shard_name(c, c->shards ? number : 1, c->path, sizeof c->path))
        cli_die("%s: the name is too long", url);
    curl_easy_cleanup(curl);
}

/* The folder goes when the program ends early, with a message, in the middle of it. */
static struct copy current;
static void remove_current(void)
{
    if (current.folder[0])
        remove_copy(&current);
    current.folder[0] = '\0';
}

struct gguf *remote_open(const char *input, uint64_t *file_bytes)
{
    char url[URL_BYTES];
    struct gguf *model;
    struct gguf_error err;
    to_url(url, sizeof url, input);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        cli_die("%s: libcurl does not start", input);
    make_folder(&current);
    atexit(remove_current);
    copy_all(&current, url);
    enum gguf_status status = gguf_open(&model, current.path, GGUF_OPEN_INSPECT, &err);
    *file_bytes = current.file_bytes;
    size_t own = strlen(current.path);
    bool named = status && strncmp(err.message, current.path, own) == 0;
    remove_current();
    curl_global_cleanup();
    if (status)
        cli_die("%s%s%s", input, named ? "" : ": ", err.message + (named ? own : 0));
    return model;
}

#endif
