/* version.h - a document's version as it stands on the wire and in every file: nine bytes. */
#pragma once

#include "base/bytes.h"
#include "cluster/document.h"

void version_put(struct writer *w, struct version v);
/* Whether there is such an author is the caller's to ask. */
struct version version_get(struct reader *r);
