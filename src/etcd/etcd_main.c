/* haven-etcd: asks etcd for the core, through its JSON gateway (etcd's api_grpc_gateway: /v3/kv/range,
 * /v3/kv/txn).
 *
 *     haven-etcd KEY CA CERT CERT-KEY ENDPOINT...
 *
 * What etcd answers is read here, without privileges; the core sees a revision and bytes. It ends when the
 * core closes the socket. Started by the core, never by hand. */
#include "base/log.h"
#include "child/sandbox.h"
#include "etcd/exchange.h"

#include <curl/curl.h>
#include <errno.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (256 * 1024) /* the largest value is 17 kB, 23 kB in base64 */
#define TEXT64_MAX (sodium_base64_ENCODED_LEN(REGISTER_BYTES_MAX, sodium_base64_VARIANT_ORIGINAL))
#define FILE_MAX   (256 * 1024)

struct file {
        struct curl_blob blob; /* data NULL: none */
};

struct asker {
        CURL *curl;
        const char *key;
        char key64[256];
        struct file ca, cert, cert_key;
        int endpoint_count, endpoint; /* the one that answered last comes first */
        char **endpoints;
        size_t n;
        char answer[ANSWER_MAX];
        int64_t seen_revision; /* of the key as it was last read; -1: not read yet */
        char seen64[TEXT64_MAX];
        struct etcd_request request;
        bool swapping; /* a swap of what we have not read is answered as one that failed: with what is there
                        */
        struct etcd_reply reply;
};

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
        struct asker *a = user;
        size_t n = size * count;

        if (n > sizeof(a->answer) - 1 - a->n)
                return 0; /* too long to be ours: curl ends the transfer */
        memcpy(a->answer + a->n, bytes, n);
        a->n += n;
        return n;
}

/* --- JSON --- */

static void base64(const void *bytes, size_t n, char *text, size_t size)
{
        sodium_bin2base64(text, size, bytes, n, sodium_base64_VARIANT_ORIGINAL);
}

/* int64 travels as text in protobuf's JSON. */
static int64_t number(const json_t *object, const char *name)
{
        const char *text = json_string_value(json_object_get(object, name));

        return text ? strtoll(text, NULL, 10) : json_integer_value(json_object_get(object, name));
}

static int fail(struct asker *a, const char *what)
{
        snprintf(a->reply.text, sizeof(a->reply.text), "%s: %.80s", a->endpoints[a->endpoint], what);
        return -EPROTO;
}

static int take_range(struct asker *a, const json_t *range)
{
        const json_t *kv = json_array_get(json_object_get(range, "kvs"), 0);
        const char *value = json_string_value(json_object_get(kv, "value"));
        size_t n = 0;

        a->reply.result = ETCD_VALUE;
        a->reply.revision = kv ? number(kv, "mod_revision") : 0;
        a->reply.n = 0;
        a->seen_revision = 0;
        if (!kv)
                return 0;
        if (a->reply.revision <= 0 ||
            (value && sodium_base642bin(a->reply.bytes, sizeof(a->reply.bytes), value, strlen(value), NULL,
                                        &n, NULL, sodium_base64_VARIANT_ORIGINAL) != 0))
                return fail(a, "its answer makes no sense");
        a->reply.n = (uint32_t)n;
        a->seen_revision = a->reply.revision;
        snprintf(a->seen64, sizeof(a->seen64), "%s", value ? value : "");
        return 0;
}

static int take_answer(struct asker *a, const json_t *json)
{
        if (!a->swapping)
                return take_range(a, json);
        if (!json_is_true(json_object_get(json, "succeeded"))) {
                const json_t *response = json_array_get(json_object_get(json, "responses"), 0);
                const json_t *range = json_object_get(response, "response_range");
                return range ? take_range(a, range) : fail(a, "its answer makes no sense");
        }
        a->reply.result = ETCD_SWAPPED;
        a->reply.revision = number(json_object_get(json, "header"), "revision");
        a->reply.n = 0;
        return a->reply.revision > 0 ? 0 : fail(a, "its answer makes no sense");
}

static json_t *question(struct asker *a)
{
        static char value[TEXT64_MAX];
        char revision[24];

        if (!a->swapping)
                return json_pack("{s:s}", "key", a->key64);
        base64(a->request.bytes, a->request.n, value, sizeof(value));
        snprintf(revision, sizeof(revision), "%lld", (long long)a->request.revision);
        /* of a key that is not there the modification revision is 0 */
        json_t *question = json_pack("{s:[{s:s,s:s,s:s,s:s}], s:[{s:{s:s,s:s}}], s:[{s:{s:s}}]}", "compare",
                                     "key", a->key64, "target", "MOD", "result", "EQUAL", "mod_revision",
                                     revision, "success", "request_put", "key", a->key64, "value", value,
                                     "failure", "request_range", "key", a->key64);
        /* an etcd that was put back to a backup counts its revisions anew: the value tells them apart */
        if (a->request.revision)
                json_array_append_new(json_object_get(question, "compare"),
                                      json_pack("{s:s,s:s,s:s,s:s}", "key", a->key64, "target", "VALUE",
                                                "result", "EQUAL", "value", a->seen64));
        return question;
}

/* --- asking --- */

static void prepare(struct asker *a, const char *url, const char *body, long timeout_ms)
{
        CURL *c = a->curl;

        curl_easy_reset(c);
        curl_easy_setopt(c, CURLOPT_URL, url);
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, timeout_ms);
        curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
        if (a->ca.blob.data)
                curl_easy_setopt(c, CURLOPT_CAINFO_BLOB, &a->ca.blob);
        if (a->cert.blob.data)
                curl_easy_setopt(c, CURLOPT_SSLCERT_BLOB, &a->cert.blob);
        if (a->cert_key.blob.data)
                curl_easy_setopt(c, CURLOPT_SSLKEY_BLOB, &a->cert_key.blob);
}

static int ask_endpoint(struct asker *a, const char *body, long timeout_ms)
{
        const char *endpoint = a->endpoints[a->endpoint];
        char url[600];
        long status = 0;
        json_error_t why;

        snprintf(url, sizeof(url), "%s/v3/kv/%s", endpoint, a->swapping ? "txn" : "range");
        prepare(a, url, body, timeout_ms);
        a->n = 0;
        CURLcode code = curl_easy_perform(a->curl);
        if (code != CURLE_OK)
                return fail(a, curl_easy_strerror(code));
        curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &status);
        json_t *json = json_loadb(a->answer, a->n, 0, &why);
        if (status != 200 || !json_is_object(json)) {
                const char *text = json_string_value(json_object_get(json, "error"));
                int error = fail(a, text ? text : "no answer of an etcd");
                json_decref(json);
                return error;
        }
        int error = take_answer(a, json);
        json_decref(json);
        return error;
}

/* Each endpoint once. A swap whose answer was lost may have been done: the next one finds another revision
 * then, and its answer says so. */
static void ask(struct asker *a)
{
        a->swapping = a->request.op == ETCD_SWAP && a->request.revision == a->seen_revision;
        json_t *json = question(a);
        char *body = json ? json_dumps(json, JSON_COMPACT) : NULL;
        int error = body ? 0 : -ENOMEM;

        json_decref(json);
        a->reply.id = a->request.id;
        for (int i = 0; body && i < a->endpoint_count; i++) {
                error = ask_endpoint(a, body,
                                     (long)(a->request.timeout_ms / (unsigned)a->endpoint_count) + 1);
                if (!error)
                        break;
                a->endpoint = (a->endpoint + 1) % a->endpoint_count;
        }
        free(body);
        if (error)
                a->reply.result = ETCD_FAILED;
        else
                snprintf(a->reply.text, sizeof(a->reply.text), "%s", a->endpoints[a->endpoint]);
}

/* Read while we still are root: a private key is root's. */
static int load(const char *path, struct file *f)
{
        if (!path[0])
                return 0;
        FILE *from = fopen(path, "re");
        char *bytes = malloc(FILE_MAX);
        size_t n = from && bytes ? fread(bytes, 1, FILE_MAX, from) : 0;

        if (from)
                fclose(from);
        if (n == 0 || n == FILE_MAX) {
                log_error("etcd: cannot read %s", path);
                free(bytes);
                return -EIO;
        }
        f->blob = (struct curl_blob){.data = bytes, .len = n, .flags = CURL_BLOB_NOCOPY};
        return 0;
}

int main(int argc, char **argv)
{
        static struct asker asker; /* large */
        struct asker *a = &asker;
        int type = 0;
        socklen_t size = sizeof(type);

        log_open("haven-etcd", true, LOG_LEVEL_INFO);
        if (argc < 6 || getsockopt(ETCD_FD, SOL_SOCKET, SO_TYPE, &type, &size) == -1 ||
            type != SOCK_SEQPACKET) {
                fprintf(stderr, "haven-etcd is started by havend, not by hand\n");
                return 2;
        }
        close_range(ETCD_FD + 1, ~0U, 0);
        a->seen_revision = -1;
        a->endpoints = argv + 5;
        a->endpoint_count = argc - 5;
        base64(argv[1], strlen(argv[1]), a->key64, sizeof(a->key64));
        if (sodium_init() == -1 || load(argv[2], &a->ca) || load(argv[3], &a->cert) ||
            load(argv[4], &a->cert_key))
                return 1;
        curl_global_init(CURL_GLOBAL_DEFAULT);
        a->curl = curl_easy_init();
        int error = a->curl ? sandbox_enter() : -ENOMEM;
        if (error) {
                log_error("etcd: cannot begin: %s", strerror(-error));
                return 1;
        }
        while (recv(ETCD_FD, &a->request, sizeof(a->request), 0) == (ssize_t)sizeof(a->request)) {
                ask(a);
                if (send(ETCD_FD, &a->reply, sizeof(a->reply), MSG_NOSIGNAL) == -1)
                        break;
        }
        curl_easy_cleanup(a->curl);
        return 0;
}
