/* mysql.c - haven-look-mysql: logs into a MariaDB or MySQL server and asks it something, by libmariadb.
 * See sql.h. */
#include "monitor/look/sql.h"

#include <errmsg.h>
#include <errno.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static MYSQL *mysql;
static bool connected;

/* "Can't connect to server on '10.0.0.1' (111)", "... system error: 104" */
static int errno_in(const char *text)
{
        const char *at = strstr(text, "system error: ");

        if (at != NULL)
                return atoi(at + strlen("system error: "));
        at = strrchr(text, '(');
        return at == NULL ? 0 : atoi(at + 1);
}

static _Noreturn void fail_connection(unsigned code, const char *text)
{
        int error = errno_in(text);

        switch (code) {
        case CR_CONNECTION_ERROR:
        case CR_CONN_HOST_ERROR:
        case CR_SERVER_LOST:
        case CR_SERVER_LOST_EXTENDED:
        case CR_SERVER_GONE_ERROR:
                if (error == 0)
                        sql_look_end(REASON_CLOSED, "%s", "");
                /* it waits for no packet that announces nonsense, and names what errno happens to hold */
                if (error == EAGAIN || error == EINPROGRESS)
                        sql_look_end(REASON_BAD_ANSWER, "%s", "");
                sql_look_end(reason_from_errno(error, connected), "%s",
                             error == ECONNREFUSED ? "" : strerror(error));
        case CR_UNKNOWN_HOST: sql_look_end(REASON_NAME_NOT_FOUND, "%s", "");
        case CR_SSL_CONNECTION_ERROR:
                sql_look_end(strstr(text, "certificate") != NULL ? REASON_CERTIFICATE : REASON_TLS, "%s",
                             text);
        case CR_AUTH_PLUGIN_CANNOT_LOAD: sql_look_end(REASON_DENIED, "%s", text);
        default: sql_look_end(REASON_BAD_ANSWER, "%s", text);
        }
}

static _Noreturn void fail(void)
{
        unsigned code = mysql_errno(mysql);
        const char *text = mysql_error(mysql);

        switch (code) {
        case ER_ACCESS_DENIED_ERROR:
        case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
        case ER_DBACCESS_DENIED_ERROR:
        case ER_HOST_NOT_PRIVILEGED:
        case ER_TABLEACCESS_DENIED_ERROR:
        case ER_COLUMNACCESS_DENIED_ERROR: sql_look_end(REASON_DENIED, "%s", text);
        default: break;
        }
        /* what the library says of itself lies in two ranges; the rest is the server's */
        if ((code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) || code >= CER_MIN_ERROR)
                fail_connection(code, text);
        sql_look_end(REASON_MISMATCH, "%s", text);
}

/* Waits for what the library does; its next status. */
static int wait_for(int wanted)
{
        short events = (short)(((wanted & MYSQL_WAIT_READ) != 0 ? POLLIN : 0) |
                               ((wanted & MYSQL_WAIT_WRITE) != 0 ? POLLOUT : 0) |
                               ((wanted & MYSQL_WAIT_EXCEPT) != 0 ? POLLPRI : 0));
        int timeout_ms = (wanted & MYSQL_WAIT_TIMEOUT) != 0 ? (int)mysql_get_timeout_value_ms(mysql) : -1;
        short ready;

        if ((wanted & MYSQL_WAIT_READ) != 0 && !connected) {
                connected = true;
                sql_look_connected();
        }
        ready = sql_look_wait((int)mysql_get_socket(mysql), events, timeout_ms);
        if (ready == 0)
                return MYSQL_WAIT_TIMEOUT;
        return ((ready & (POLLIN | POLLHUP | POLLERR)) != 0 ? wanted & MYSQL_WAIT_READ : 0) |
               ((ready & (POLLOUT | POLLHUP | POLLERR)) != 0 ? wanted & MYSQL_WAIT_WRITE : 0) |
               ((ready & POLLPRI) != 0 ? wanted & MYSQL_WAIT_EXCEPT : 0);
}

static void log_in(const struct sql_look *l)
{
        MYSQL *done = NULL;
        my_bool yes = 1, verify = l->verify != NULL;
        /* the library holds the certificate against what it was told to connect to */
        const char *host = verify ? l->verify : l->address;
        unsigned off = 0, tcp = MYSQL_PROTOCOL_TCP;

        mysql_options(mysql, MYSQL_OPT_NONBLOCK, 0);
        mysql_options(mysql, MYSQL_OPT_PROTOCOL, &tcp);
        mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off); /* the server may not ask for our files */
        if (l->source != NULL)
                mysql_options(mysql, MYSQL_OPT_BIND, l->source);
        if (l->tls) {
                mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
                mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
                mysql_options(mysql, MYSQL_OPT_SSL_CA, l->ca);
        }
        for (int wanted = mysql_real_connect_start(&done, mysql, host, l->user, l->password, l->database,
                                                   (unsigned)atoi(l->port), NULL, 0);
             wanted != 0;)
                wanted = mysql_real_connect_cont(&done, mysql, wait_for(wanted));
        if (done == NULL)
                fail();
}

/* However it ends: the server is told. Rows that are left are not read. */
static void hang_up(void)
{
        mysql_close(mysql);
}

int main(void)
{
        const struct sql_look l = sql_look_begin();
        MYSQL_RES *result;
        MYSQL_ROW row = NULL;
        int failed = 0;

        mysql = mysql_init(NULL);
        if (mysql == NULL)
                sql_look_end(REASON_LOCAL, "no memory");
        atexit(hang_up);
        log_in(&l);
        for (int wanted = mysql_real_query_start(&failed, mysql, l.query, strlen(l.query)); wanted != 0;)
                wanted = mysql_real_query_cont(&failed, mysql, wait_for(wanted));
        if (failed != 0)
                fail();
        if (mysql_field_count(mysql) == 0)
                sql_look_answer(&l, ""); /* a command without an answer */
        result = mysql_use_result(mysql);
        if (result == NULL)
                fail();
        for (int wanted = mysql_fetch_row_start(&row, result); wanted != 0;)
                wanted = mysql_fetch_row_cont(&row, result, wait_for(wanted));
        if (row == NULL && mysql_errno(mysql) != 0)
                fail();
        sql_look_answer(&l, row == NULL ? NULL : row[0] == NULL ? "" : row[0]);
}
