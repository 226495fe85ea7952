#include "base/text.h"
#include "director/ldirectord/ldirectord.h"

#include <stdlib.h>

static void free_common(struct ldirectord_common *c)
{
        free(c->fallbackcommand);
        free(c->emailalert);
        free(c->emailalertstatus);
        free(c->smtp);
}

static void free_service(struct ldirectord_service *s)
{
        char *texts[] = {s->schedflags,  s->checkcommand, s->request,     s->receive,
                         s->virtualhost, s->login,        s->passwd,      s->database,
                         s->secret,      s->monitorfile,  s->servicename, s->comment};

        for (size_t i = 0; i < COUNT(texts); i++)
                free(texts[i]);
        for (size_t i = 0; i < s->server_count; i++) {
                free(s->server[i].request);
                free(s->server[i].receive);
        }
        free(s->server);
        free_common(&s->common);
}

void ldirectord_free(struct ldirectord_file *f)
{
        for (size_t i = 0; i < f->service_count; i++)
                free_service(&f->service[i]);
        free(f->service);
        free(f->callback);
        free(f->logfile);
        for (size_t i = 0; i < f->execute_count; i++)
                free(f->execute[i]);
        free(f->execute);
        free(f->maintenancedir);
        free(f->emailalertfrom);
        free_common(&f->common);
        *f = (struct ldirectord_file){0};
}
