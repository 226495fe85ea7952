#include "ldirectord/standin.h"

#include "base/text.h"
#include "main/paths.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 5

/* havend's answer to one question, a line of JSON each; NULL: none runs, or it does not answer. */
static json_t *ask_havend(const char *question)
{
        const char *path = getenv("HAVEN_SOCKET");
        struct sockaddr_un to = {.sun_family = AF_UNIX};
        struct timeval patience = {.tv_sec = PATIENCE_S};
        json_t *answer = NULL;

        if (!text_copy(to.sun_path, sizeof(to.sun_path), path ? path : PATH_RUN_DEFAULT "/" PATH_SOCKET))
                return NULL;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd == -1)
                return NULL;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        FILE *stream = fdopen(fd, "r+");
        if (!stream) {
                close(fd);
                return NULL;
        }
        if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
            send(fd, question, strlen(question), MSG_NOSIGNAL) == (ssize_t)strlen(question))
                answer = json_loadf(stream, JSON_DISABLE_EOF_CHECK, NULL);
        fclose(stream);
        return answer;
}

static bool follows(const json_t *director, const char *config)
{
        char *real = realpath(config, NULL);
        const json_t *file;
        bool found = false;
        size_t i;

        json_array_foreach(json_object_get(director, "files"), i, file)
        {
                char *its = realpath(json_string_value(file), NULL);
                found |= real && its && strcmp(real, its) == 0;
                free(its);
        }
        free(real);
        return found;
}

static const char *text_of(const json_t *object, const char *name)
{
        const char *text = json_string_value(json_object_get(object, name));

        return text ? text : "";
}

enum cluster_answer cluster_ask(const char *config, char who[static 128])
{
        json_t *answer = ask_havend("{\"command\":\"lvs\"}\n"), *director;
        enum cluster_answer found = CLUSTER_NONE;
        size_t i;

        json_array_foreach(json_object_get(json_object_get(answer, "lvs"), "directors"), i, director)
        {
                if (found != CLUSTER_NONE || !follows(director, config))
                        continue;
                bool active = strcmp(text_of(director, "state"), "active") == 0;
                found = active ? CLUSTER_ACTIVE : CLUSTER_STANDBY;
                snprintf(who, 128, "director %s of group %s", text_of(director, "name"),
                         text_of(director, "group"));
        }
        json_decref(answer);
        return found;
}
