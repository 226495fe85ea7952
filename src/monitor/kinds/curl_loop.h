/* curl_loop.h - libcurl's multi-socket interface on the loop, and a stock of its handles.
 *
 * A handle is tens of KiB: an idle check has none, a look borrows one. For every kind that libcurl speaks. */
#pragma once

#include "monitor/probe.h"

#include <curl/curl.h>

struct curl_loop;

/* The transfer is over, its handle still holds all about it. */
typedef void curl_done_fn(void *user, CURL *easy, CURLcode code);

/* A kind's door (probe.h): what it shares is such a loop, closed after its transfers are. */
int curl_room_open(const struct probe_house *house, void **ret_shared);
void curl_room_close(void *shared);

/* A handle with nothing set but what every check wants: no proxy, no signal, nothing reused, no redirects,
 * no certificate verified. NULL: no memory. */
CURL *curl_loop_borrow(struct curl_loop *c);
/* Begins; `on_done` comes once from the loop, unless it is given back before. 0 or a negative errno. */
int curl_loop_begin(struct curl_loop *c, CURL *easy, curl_done_fn *on_done, void *user);
/* Looks after all transfers though no socket is ready. */
void curl_loop_nudge(struct curl_loop *c);
/* Gives the handle back, its transfer cut if one is under way. */
void curl_loop_return(struct curl_loop *c, CURL *easy);
/* The same, and it is not lent again: its TLS sessions go with it. */
void curl_loop_forget(struct curl_loop *c, CURL *easy);

/* From where it speaks, and to whom, whatever the url's host is; a family of 0: as it is. The list is to be
 * freed after the transfer; NULL: none. */
struct curl_slist *curl_set_ends(CURL *easy, const struct ip *source, const struct ip *to);

/* Whether the certificate must be good, by the file `ca`; NULL: by what the system trusts. */
void curl_set_trust(CURL *easy, bool verify, const char *ca);

/* The reason and detail of what libcurl could not do; `error_text` is its own words, which go with some. */
void curl_ending(CURL *easy, CURLcode code, const char *error_text, struct ending *ret_ending);
/* How far a transfer had come that is cut now. */
enum reason curl_progress(CURL *easy);
