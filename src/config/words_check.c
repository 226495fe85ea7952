/* words_check.c - the words of checks, one table for the configuration and for what travels to the checker.
 */
#include "config/words.h"

#include "base/text.h"

#define MS     1000LL
#define SECOND 1000000LL
#define HOUR   (3600 * SECOND)

static const char *const methods[] = {"GET", "HEAD", "OPTIONS", NULL};
static const char *const redirects[] = {"stay", "follow", NULL};
static const char *const dns_types[] = {"A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT", NULL};
static const char *const versions[] = {"1.1", "2", NULL};

static const char *const styles[] = {"exit", "nagios", "mon", NULL};
static const char *const warnings[] = {"works", "fails", NULL};
static const char *const load_minutes[] = {"1", "5", "15", NULL};
static const char *const login_tls[] = {"none", "starttls", "tls", NULL};

#define CHECK(field) offsetof(struct config_check, field)

/* The order is that of printing. */
const struct word check_words[] = {
        {"check", "name", &type_name, .offset = CHECK(name), .most = NAME_SIZE, .fallback = "<its kind>",
         .help = "tells the checks of a group apart"},

        {"check tcp", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check tcp", "port", &type_port, .required = true, .offset = CHECK(port), .help = "to connect to"},

        {"check tcp", "send", &type_string, .offset = CHECK(tcp.send), .most = 512, .fallback = "",
         .help = "what is said once connected"},
        {"check tcp", "expect", &type_pattern, .offset = CHECK(tcp.expect), .most = 256, .fallback = "",
         .help = "regular expression that the answer must match"},

        {"check http", "url", &type_own_url, .required = true, .offset = CHECK(http.url), .most = 512,
         .help = "what is fetched"},
        {"check http", "address", &type_ip, .offset = CHECK(ip), .fallback = "",
         .help = "to connect to; default: the url's host"},
        {"check http", "method", &type_choice, .choices = methods, .offset = CHECK(http.method),
         .fallback = "GET", .help = "of the request"},
        {"check http", "host", &type_string, .offset = CHECK(http.host), .most = 128, .fallback = "",
         .help = "Host header; default: the url's"},
        {"check http", "header", &type_headers, .list = true, .offset = CHECK(http.header), .most = 16,
         .fallback = "", .help = "\"Name: value\", sent with the request"},
        {"check http", "status", &type_statuses, .list = true, .offset = CHECK(http.status),
         .most = STATUS_RANGES_MAX, .fallback = "200-399", .help = "status codes that are good"},
        {"check http", "expect", &type_pattern, .offset = CHECK(http.expect), .most = 256, .fallback = "",
         .help = "regular expression that the body must match"},
        {"check http", "redirect", &type_choice, .choices = redirects, .offset = CHECK(http.redirect),
         .fallback = "stay", .help = "whether one is followed"},
        {"check http", "version", &type_choice, .choices = versions, .offset = CHECK(http.version),
         .fallback = "1.1", .help = "of HTTP"},
        {"check http", "verify", &type_bool, .offset = CHECK(http.verify), .fallback = "no",
         .help = "https: whether the certificate must be good"},

        {"check icmp", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "that must answer"},
        {"check icmp", "packets", &type_int, .offset = CHECK(icmp.packets), .least = 1, .most = 20,
         .fallback = "1", .help = "sent in one look"},
        {"check icmp", "loss", &type_int, .offset = CHECK(icmp.loss_max), .least = 0, .most = 99,
         .fallback = "0", .help = "percent of them that may be lost"},
        {"check icmp", "rtt", &type_span, .offset = CHECK(icmp.rtt_max), .least = 0, .most = 60 * SECOND,
         .fallback = "0s", .help = "mean round trip at most; 0s is any"},
        {"check icmp", "size", &type_int, .offset = CHECK(icmp.size), .least = 16, .most = 8192,
         .fallback = "56", .help = "bytes of data in each packet"},

        {"check tls", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check tls", "port", &type_port, .offset = CHECK(port), .fallback = "443", .help = "to connect to"},
        {"check tls", "server-name", &type_string, .offset = CHECK(tls.name), .most = 254, .fallback = "",
         .help = "the name that is asked for"},
        {"check tls", "days", &type_int, .offset = CHECK(tls.days), .least = 0, .most = 1000, .fallback = "0",
         .help = "that the certificate must still last"},
        {"check tls", "verify", &type_bool, .offset = CHECK(tls.verify), .fallback = "no",
         .help = "whether it must be good for the name"},

        {"check dns", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "of the name server"},
        {"check dns", "port", &type_port, .offset = CHECK(port), .fallback = "53",
         .help = "of the name server"},
        {"check dns", "query", &type_string, .required = true, .offset = CHECK(dns.name), .most = 254,
         .help = "the name that is asked for"},
        {"check dns", "type", &type_choice, .choices = dns_types, .offset = CHECK(dns.type), .fallback = "A",
         .help = "of the record"},
        {"check dns", "expect", &type_answers, .list = true, .offset = CHECK(dns.expect), .most = 16,
         .fallback = "", .help = "answers of which there must be at least one, and no other"},

        {"check command", "command", &type_command, .required = true, .offset = CHECK(command.argv),
         .help = "the program and its arguments"},
        {"check command", "style", &type_choice, .choices = styles, .offset = CHECK(command.style),
         .fallback = "exit", .help = "how it is called and judged"},
        {"check command", "hosts", &type_hostnames, .list = true, .is_host = true,
         .offset = CHECK(command.hosts), .most = 64, .fallback = "", .help = "mon: given as arguments"},
        {"check command", "warning", &type_choice, .choices = warnings, .offset = CHECK(command.warning),
         .fallback = "works", .help = "nagios: what a WARNING says of the service"},
        {"check command", "environment", &type_environment, .list = true,
         .offset = CHECK(command.environment), .most = 32, .fallback = "", .help = "NAME=VALUE, set for it"},

        {"check file", "path", &type_file, .required = true, .offset = CHECK(file.path), .most = 512,
         .help = "the file that must be there"},
        {"check file", "age", &type_span, .offset = CHECK(file.age_max), .least = 0, .most = 8784 * HOUR,
         .fallback = "0s", .help = "since its last change at most; 0s is any"},
        {"check file", "size", &type_int, .offset = CHECK(file.size_min), .least = 0, .most = 2147483647,
         .fallback = "0", .help = "bytes at least"},

        {"check disk", "path", &type_file, .offset = CHECK(disk.path), .most = 512, .fallback = "/",
         .help = "anything on the file system"},
        {"check disk", "free", &type_int, .offset = CHECK(disk.free_min), .least = 0, .most = 100,
         .fallback = "5", .help = "percent of its space that must be free"},
        {"check disk", "inodes", &type_int, .offset = CHECK(disk.inodes_min), .least = 0, .most = 100,
         .fallback = "0", .help = "percent of its inodes that must be free"},

        {"check load", "percent", &type_int, .required = true, .offset = CHECK(load.percent_max), .least = 1,
         .most = 100000, .help = "of the processors in use or asked for, at most"},
        {"check load", "minutes", &type_choice, .choices = load_minutes, .offset = CHECK(load.minutes),
         .fallback = "5", .help = "that it is the mean of"},

        {"check process", "program", &type_string, .required = true, .offset = CHECK(process.program),
         .most = 128, .help = "name of a program that must run"},
        {"check process", "least", &type_int, .offset = CHECK(process.least), .least = 1, .most = 100000,
         .fallback = "1", .help = "how many of it"},

        {"check ftp", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check ftp", "port", &type_port, .offset = CHECK(port), .fallback = "21", .help = "to connect to"},
        {"check ftp", "user", &type_line, .offset = CHECK(login.user), .most = 128, .fallback = "",
         .help = "who logs in"},
        {"check ftp", "password", &type_line, .offset = CHECK(login.password), .most = 128, .fallback = "",
         .help = "of the user"},
        {"check ftp", "tls", &type_choice, .choices = login_tls, .offset = CHECK(login.tls),
         .fallback = "none", .help = "whether the session is protected"},
        {"check ftp", "verify", &type_bool, .offset = CHECK(login.verify), .fallback = "no",
         .help = "whether the certificate must be good"},

        {"check smtp", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check smtp", "port", &type_port, .offset = CHECK(port), .fallback = "25", .help = "to connect to"},
        {"check smtp", "user", &type_line, .offset = CHECK(login.user), .most = 128, .fallback = "",
         .help = "who logs in"},
        {"check smtp", "password", &type_line, .offset = CHECK(login.password), .most = 128, .fallback = "",
         .help = "of the user"},
        {"check smtp", "tls", &type_choice, .choices = login_tls, .offset = CHECK(login.tls),
         .fallback = "none", .help = "whether the session is protected"},
        {"check smtp", "verify", &type_bool, .offset = CHECK(login.verify), .fallback = "no",
         .help = "whether the certificate must be good"},

        {"check imap", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check imap", "port", &type_port, .offset = CHECK(port), .fallback = "143", .help = "to connect to"},
        {"check imap", "user", &type_line, .offset = CHECK(login.user), .most = 128, .fallback = "",
         .help = "who logs in"},
        {"check imap", "password", &type_line, .offset = CHECK(login.password), .most = 128, .fallback = "",
         .help = "of the user"},
        {"check imap", "tls", &type_choice, .choices = login_tls, .offset = CHECK(login.tls),
         .fallback = "none", .help = "whether the session is protected"},
        {"check imap", "verify", &type_bool, .offset = CHECK(login.verify), .fallback = "no",
         .help = "whether the certificate must be good"},

        {"check pop3", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check pop3", "port", &type_port, .offset = CHECK(port), .fallback = "110", .help = "to connect to"},
        {"check pop3", "user", &type_line, .offset = CHECK(login.user), .most = 128, .fallback = "",
         .help = "who logs in"},
        {"check pop3", "password", &type_line, .offset = CHECK(login.password), .most = 128, .fallback = "",
         .help = "of the user"},
        {"check pop3", "tls", &type_choice, .choices = login_tls, .offset = CHECK(login.tls),
         .fallback = "none", .help = "whether the session is protected"},
        {"check pop3", "verify", &type_bool, .offset = CHECK(login.verify), .fallback = "no",
         .help = "whether the certificate must be good"},

        {"check ldap", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check ldap", "port", &type_port, .offset = CHECK(port), .fallback = "389", .help = "to connect to"},
        {"check ldap", "user", &type_line, .offset = CHECK(login.user), .most = 128, .fallback = "",
         .help = "who logs in"},
        {"check ldap", "password", &type_line, .offset = CHECK(login.password), .most = 128, .fallback = "",
         .help = "of the user"},
        {"check ldap", "tls", &type_choice, .choices = login_tls, .offset = CHECK(login.tls),
         .fallback = "none", .help = "whether the session is protected"},
        {"check ldap", "verify", &type_bool, .offset = CHECK(login.verify), .fallback = "no",
         .help = "whether the certificate must be good"},
        {"check ldap", "base", &type_line, .offset = CHECK(login.base), .most = 256, .fallback = "",
         .help = "name of the entry that must be there"},

        {"check redis", "address", &type_ip, .required = true, .is_host = true, .offset = CHECK(ip),
         .help = "to connect to"},
        {"check redis", "port", &type_port, .offset = CHECK(port), .fallback = "6379",
         .help = "to connect to"},
        {"check redis", "user", &type_line, .offset = CHECK(login.user), .most = 128, .fallback = "",
         .help = "who logs in"},
        {"check redis", "password", &type_line, .offset = CHECK(login.password), .most = 128, .fallback = "",
         .help = "of the user"},

        {"check", "interval", &type_span, .offset = CHECK(interval), .least = 50 * MS, .most = 24 * HOUR,
         .fallback = "1s", .help = "from one check to the next"},
        {"check", "quick", &type_span, .offset = CHECK(quick), .least = 50 * MS, .most = 24 * HOUR,
         .fallback = "<interval>", .help = "from one to the next while the state may be changing"},
        {"check", "timeout", &type_span, .offset = CHECK(timeout), .least = 10 * MS, .most = HOUR,
         .fallback = "1s", .help = "of one check"},
        {"check", "fall", &type_int, .offset = CHECK(fall), .least = 1, .most = 64, .fallback = "3",
         .help = "failures in a row that make it down"},
        {"check", "rise", &type_int, .offset = CHECK(rise), .least = 1, .most = 64, .fallback = "2",
         .help = "successes in a row that make it up"},
        {"check", "source", &type_ip, .offset = CHECK(source), .fallback = "",
         .help = "the address it speaks from"},
};
const size_t check_words_count = COUNT(check_words);
