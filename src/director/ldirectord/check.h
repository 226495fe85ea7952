/* check.h - the checks that a service of an ldirectord.cf asks for, as haven's own. */
#pragma once

#include "director/ldirectord/ldirectord.h"
#include "director/plan.h"

#define LDIRECTORD_CHECKS 2 /* of one server: what is asked of it, and a connection in between */

/* The checks of server `s` into `to`, which is all zero and to be freed in either case. `ret_count` 0: none
 * is needed, the server is always up. 0; -EINVAL with `why`; -ENOMEM. */
int ldirectord_checks(const struct ldirectord_service *f, const struct ldirectord_server *s,
                      struct config_check to[static LDIRECTORD_CHECKS], size_t *ret_count,
                      char why[static 160]);
/* "" or what of its check is not taken over. */
const char *ldirectord_check_lack(const struct ldirectord_service *f);
