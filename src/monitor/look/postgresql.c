/* postgresql.c - haven-look-postgresql: logs into a PostgreSQL server and asks it something, by libpq.
 * See sql.h. */
#include "monitor/look/sql.h"

#include "base/text.h"

#include <errno.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

static const struct sql_look *look;
static bool connected;

/* What libpq has of an error is its text in the C locale. */
static int errno_in(const char *text)
{
        static const int known[] = {ECONNREFUSED, ETIMEDOUT, ECONNRESET, EPIPE,         EHOSTUNREACH,
                                    ENETUNREACH,  ENETDOWN,  EPROTO,     EADDRNOTAVAIL, EPERM,
                                    EACCES,       EMFILE,    ENFILE,     ENOBUFS};

        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
                if (strstr(text, strerror(known[i])) != NULL)
                        return known[i];
        return 0;
}

/* Classes 28 and 42501 of the SQLSTATE are about who may. */
static enum reason reason_of(const char *sqlstate)
{
        return strncmp(sqlstate, "28", 2) == 0 || strncmp(sqlstate, "42501", 5) == 0 ? REASON_DENIED
                                                                                     : REASON_MISMATCH;
}

/* The server's own words, in whatever language: "FATAL:  28P01: ...", for PQERRORS_VERBOSE. NULL: none. */
static const char *sqlstate_in(const char *text)
{
        static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

        for (const char *at = text; (at = strstr(at, ":  ")) != NULL; at += 3)
                if (strspn(at + 3, digits) == 5 && at[8] == ':')
                        return at + 3;
        return NULL;
}

/* What went wrong with the connection, or the login. */
static _Noreturn void fail(PGconn *conn)
{
        const char *text = PQerrorMessage(conn), *cause = strstr(text, " failed: ");
        const char *sqlstate = sqlstate_in(text);
        int error = errno_in(text);

        text = cause == NULL ? text : cause + strlen(" failed: ");
        if (sqlstate != NULL)
                sql_look_end(reason_of(sqlstate), "%s", sqlstate + strlen("28P01: "));
        if (PQconnectionNeedsPassword(conn) == 1)
                sql_look_end(REASON_DENIED, "it wants a password");
        if (strstr(text, "closed the connection") != NULL || strstr(text, "unexpected EOF") != NULL)
                sql_look_end(REASON_CLOSED, "%s", "");
        if (error != 0)
                sql_look_end(reason_from_errno(error, connected), "%s",
                             error == ECONNREFUSED ? "" : strerror(error));
        if (look->verify != NULL && strstr(text, "certificate") != NULL)
                sql_look_end(REASON_CERTIFICATE, "%s", text);
        sql_look_end(look->tls && strstr(text, "SSL") != NULL ? REASON_TLS : REASON_BAD_ANSWER, "%s", text);
}

/* By number; and nothing of this user's own: no service file, no .pgpass, no certificates, no ticket. */
static PGconn *begin(void)
{
        const struct {
                const char *name, *value;
        } options[] = {
                {"hostaddr", look->address},
                {"host", look->verify}, /* only the certificate is held against it */
                {"port", look->port},
                {"user", look->user},
                {"password", look->password},
                {"dbname", look->database},
                {"sslmode", !look->tls             ? "disable"
                            : look->verify == NULL ? "require"
                                                   : "verify-full"},
                {"sslrootcert", look->ca},
                {"passfile", "/dev/null/none"},
                {"gssencmode", "disable"},
                {"application_name", "haven"},
        };
        const char *names[COUNT(options) + 1] = {0}, *values[COUNT(options) + 1] = {0};

        for (size_t i = 0; i < COUNT(options); i++) {
                names[i] = options[i].name;
                values[i] = options[i].value;
        }

        setenv("HOME", "/dev/null/none", 1); /* else it asks who we are, maybe of a server that hangs */
        return PQconnectStartParams(names, values, 0);
}

static void forget_notice(void *user, const char *text)
{
}

static void log_in(PGconn *conn)
{
        PostgresPollingStatusType next = PGRES_POLLING_WRITING;

        if (PQstatus(conn) == CONNECTION_BAD)
                fail(conn);
        PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
        PQsetNoticeProcessor(conn, forget_notice, NULL);
        while (next != PGRES_POLLING_OK) {
                sql_look_wait(PQsocket(conn), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, -1);
                next = PQconnectPoll(conn);
                if (!connected && PQstatus(conn) != CONNECTION_BAD && PQstatus(conn) != CONNECTION_STARTED) {
                        connected = true;
                        sql_look_connected();
                }
                if (next == PGRES_POLLING_FAILED)
                        fail(conn);
        }
}

/* Ends the program on the first thing the server says of the query. */
static void judge(PGconn *conn, const PGresult *result)
{
        const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

        switch (PQresultStatus(result)) {
        case PGRES_SINGLE_TUPLE: sql_look_answer(look, PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "");
        case PGRES_TUPLES_OK: sql_look_answer(look, NULL);
        case PGRES_EMPTY_QUERY:
        case PGRES_COMMAND_OK: sql_look_answer(look, "");
        default: break;
        }
        if (sqlstate != NULL)
                sql_look_end(reason_of(sqlstate), "%s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        fail(conn);
}

static PGconn *conn;

/* However it ends: the server is told. */
static void hang_up(void)
{
        PQfinish(conn);
}

int main(void)
{
        const struct sql_look l = sql_look_begin();
        PGresult *result;

        look = &l;
        conn = begin();
        if (conn == NULL)
                sql_look_end(REASON_LOCAL, "no memory");
        atexit(hang_up);
        log_in(conn);
        if (PQsendQuery(conn, l.query) != 1 || PQsetSingleRowMode(conn) != 1)
                fail(conn);
        for (;;) {
                while (PQisBusy(conn) == 0) {
                        result = PQgetResult(conn);
                        if (result == NULL)
                                sql_look_end(REASON_BAD_ANSWER, "no answer to the query");
                        judge(conn, result);
                }
                sql_look_wait(PQsocket(conn), POLLIN, -1);
                if (PQconsumeInput(conn) != 1)
                        fail(conn);
        }
}
